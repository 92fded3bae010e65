"""Finds a published file in the cache, or downloads it into the cache."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

import pooch  # type: ignore[import-untyped]

from nnrun.data.published import File, check, content, has_hash, hash_of
from nnrun.errors import DataError

# How a file gets into the cache: beside its place first, and into it whole or not at all.

try:
    import fcntl
except ImportError:  # Windows: without the lock both download, and the second finds the file there
    fcntl = None  # type: ignore[assignment]

_PREFIX = ".nnrun-download-"
_OLD = 24 * 60 * 60
"""Seconds without a byte, after which a workplace is taken for that of a killed process."""


def staging_folder(file: File) -> tempfile.TemporaryDirectory[str]:
    """A folder beside a file's place, so that a finished file need only be renamed.

    Its name is drawn, so no two processes share one. Those that killed processes left behind are
    removed when they are old.

    Raises:
        OSError: it cannot be made.
    """
    parent = file.path.parent
    parent.mkdir(parents=True, exist_ok=True)
    sweep(parent)
    return tempfile.TemporaryDirectory(dir=parent, prefix=_PREFIX)


def sweep(parent: Path) -> None:
    """Removes from a folder what downloads that were killed a day ago have left."""
    for left in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            newest = max(path.stat().st_mtime for path in (left, *left.glob("*")))
            if time.time() - newest > _OLD:
                shutil.rmtree(left)


@contextmanager
def lock_file(file: File) -> Iterator[None]:
    """Waits while another process downloads the same file, so that it is downloaded once.

    This only saves the traffic: what lands in the cache is whole without it, because workplaces
    are not shared. So where the file system knows no locks, nobody waits. The lock is the
    kernel's and ends with its holder, however that ends; a file that only by being there means
    `locked` would outlive a killed one.
    """
    path = file.path.with_name(f".nnrun-lock-{file.path.name}")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        yield
        return
    try:
        _wait(descriptor, file)
        try:
            yield
        finally:
            # Who waits at the removed file goes on when it is closed, and finds the download.
            with suppress(OSError):
                path.unlink()
    finally:
        os.close(descriptor)


def _wait(descriptor: int, file: File) -> None:
    if fcntl is None:
        return
    with suppress(OSError):  # a file system without locks
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{file.name}: waiting for another process that downloads it", file=sys.stderr)
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def store_file(complete: Path, file: File) -> None:
    """Gives a file its name in the cache; where another has come meanwhile, that one stays.

    Args:
        complete: in a `workplace`, with the published hash.
        file: which one it is.

    Raises:
        DataError: the folder cannot be written, or another file has come.
    """
    try:
        # A link is refused where the name is taken; a rename would replace a person's file.
        os.link(complete, file.path)
    except FileExistsError:
        check(file)
    except OSError:
        _rename(complete, file)


def _rename(complete: Path, file: File) -> None:
    """For file systems that know no links, such as those of memory cards."""
    if file.is_there:
        check(file)
        return
    try:
        complete.rename(file.path)
    except OSError as error:
        raise DataError(
            f"{file.dataset}: {file.path} cannot be written: {error.strerror or error}"
        ) from error


_TIMEOUT = 10  # seconds without an answer, after which we take it that there is no network
_CHUNK = 1 << 16  # bytes per write; pooch's own 1 KiB makes 170 MB slow


def fetch(file: File) -> Path:
    """Finds a file in the cache, or downloads it into the cache.

    Args:
        file: which one.

    Returns:
        Its path; what lies there has the published hash.

    Raises:
        DataError: it is not there and cannot be downloaded, or what is there is another file.
    """
    if file.is_there:
        check(file)
    else:
        _download(file)
    return file.path


def fetched(file: File) -> BytesIO:
    """The same as bytes, the very ones that have the published hash: whoever unpickles reads these.

    Raises:
        DataError: as of `fetch`.
    """
    if not file.is_there:
        _download(file)
    return BytesIO(content(file))


def _download(file: File) -> None:
    with _workplace(file) as folder, lock_file(file):
        # It may have come while we waited.
        if file.is_there:
            check(file)
            return
        # Hashed before it gets its name, so that the name never stands for half a file.
        complete = Path(folder) / file.path.name
        _receive(file, complete)
        store_file(complete, file)


def _workplace(file: File) -> tempfile.TemporaryDirectory[str]:
    try:
        return staging_folder(file)
    except OSError as error:
        raise DataError(
            f"{file.dataset}: {file.path} is not there and cannot be downloaded, because the "
            f"folder {file.path.parent} cannot be written: {error.strerror or error}. "
            f"{_advice(file)}"
        ) from error


def _receive(file: File, path: Path) -> None:
    progress = _Progress(file.name) if sys.stderr.isatty() else None
    # Without `identity` a server may pack the bytes once more, and the hash would differ.
    download = pooch.HTTPDownloader(
        progressbar=progress or False,
        chunk_size=_CHUNK,
        timeout=_TIMEOUT,
        headers={"Accept-Encoding": "identity"},
    )
    try:
        download(file.address, str(path), None)
    except OSError as error:  # every error of requests is one
        raise DataError(
            f"{file.dataset}: {file.path} is not there and {_why(error, file)}"
        ) from error
    finally:
        if progress:
            progress.end_line()
    if not has_hash(path, file.hash):
        raise DataError(
            f"{file.dataset}: {file.path} is not there, and what came from {file.address} was not "
            f"kept, because its hash is not {file.hash}. {_advice(file)}"
        )


def _why(error: OSError, file: File) -> str:
    if not hasattr(error, "response"):  # that of the disk; those of requests all have one
        return f"cannot be written: {error.strerror or error}"
    answer = error.response
    said = type(error).__name__ if answer is None else f"{answer.status_code} {answer.reason}"
    return f"could not be downloaded from {file.address} ({said}). {_advice(file)}"


def _advice(file: File) -> str:
    return (
        "Connect to the internet once and run again, or save the file from that address anywhere "
        "and run `nnrun data import FILE`, or set KERAS_HOME to a folder that holds it as "
        f"datasets/{file.name}."
    )


class _Progress:
    """One line on stderr, written over; it has what pooch asks of a progress bar."""

    total = 0

    def __init__(self, label: str) -> None:
        self.label = label
        self.done = 0
        self._open = False

    def update(self, size: int) -> None:
        """So many bytes more; pooch counts whole chunks, so the last one may be too many."""
        self.done = min(self.done + size, self.total or sys.maxsize)
        of = f" of {self.total / 1e6:.1f}" if self.total else ""
        print(f"\r{self.label}: {self.done / 1e6:.1f}{of} MB", end="", file=sys.stderr, flush=True)
        self._open = True

    def reset(self) -> None:
        """Pooch starts over once to end at the exact sum."""
        self.done = 0

    def close(self) -> None:
        """All is there; the line is ended by whoever asked, who does so after an error too."""

    def end_line(self) -> None:
        """What is said next begins on a line of its own."""
        if self._open:
            print(file=sys.stderr)


# Files that somebody has downloaded elsewhere: known by their hash, whatever they are called.


def identify(path: Path, files: Sequence[File]) -> File:
    """Which of some published files a file is.

    Args:
        path: any file; it is only read.
        files: what it may be, at least one.

    Raises:
        DataError: it is none of them, or cannot be read; with all of them and their hashes.
    """
    try:
        found = {hash_of(path, name) for name in _algorithms(files)}
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    for file in files:
        if file.hash in found:
            return file
    raise DataError(
        f"{path} is none of these files, so nothing was changed; it has {size:,} bytes and the "
        f"hash {' or '.join(sorted(found))}\n{_listed(files)}"
    )


def import_file(path: Path, file: File) -> bool:
    """Copies a file to where Keras and nnrun look for it, whole or not at all.

    Args:
        path: the file as it was recognised.
        file: what it was recognised as.

    Returns:
        Whether it was copied; else the published file is there already.

    Raises:
        DataError: another file is there, which stays, or the folder cannot be written.
    """
    if file.is_there:
        check(file)
        return False
    try:
        workplace = staging_folder(file)
        with workplace as folder:
            complete = Path(folder) / file.path.name
            shutil.copyfile(path, complete)
            # Hashed once more: the file may have changed since, or the disk may be full.
            if not has_hash(complete, file.hash):
                raise DataError(f"{path} changed while it was copied; nothing was kept")
            store_file(complete, file)
    except OSError as error:
        raise DataError(
            f"{file.dataset}: {path} cannot be copied to {file.path}: {error.strerror or error}"
        ) from error
    return True


def _algorithms(files: Sequence[File]) -> set[str]:
    return {file.hash.partition(":")[0] for file in files}


def _listed(files: Sequence[File]) -> str:
    names = (
        max(len(file.dataset) for file in files),
        max(len(file.published_name) for file in files),
    )
    return "\n".join(
        f"  {file.dataset:{names[0]}}  {file.published_name:{names[1]}}  {file.hash}"
        for file in files
    )
