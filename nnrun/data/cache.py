"""The dataset cache: finds published files below `KERAS_HOME`, downloads and imports them.

A file that is already in the cache is never changed or deleted. A new one is written under another
name, compared with the published checksum, and only then moved to its place.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

import pooch  # type: ignore[import-untyped]

from nnrun.data.published import File, State
from nnrun.errors import DataError
from nnrun.spec.files import opened

try:
    import fcntl
except ImportError:  # Windows: without locks, two processes both download
    fcntl = None  # type: ignore[assignment]

_TIMEOUT = 10  # seconds without an answer that count as no network
_CHUNK = 1 << 16  # bytes per write; with pooch's default of 1 KiB, 170 MB take long


def fetch(file: File) -> Path:
    """The path of a file with the published checksum, downloaded if necessary.

    Raises:
        DataError: it is missing and cannot be downloaded, or another file is in its place.
    """
    if not _download_missing(file):
        check(file)
    return file.path


def fetch_bytes(file: File) -> BytesIO:
    """The content of a file, downloaded if necessary.

    The bytes are the ones that were hashed. A file that is hashed and then opened again may have
    changed in between, and some published files are pickles, which can run code.

    Raises:
        DataError: as for `fetch`.
    """
    _download_missing(file)
    if file.state is State.OTHER:
        check(file)  # hashes in pieces, because the file may be of any size
    try:
        with opened(file.path) as stream:
            content = stream.read()
    except OSError as error:
        raise _unreadable(file, error) from error
    if f"{file.algorithm}:{hashlib.new(file.algorithm, content).hexdigest()}" != file.hash:
        raise _different(file)
    return BytesIO(content)


def check(file: File) -> None:
    """Compares a cached file with the published checksum.

    Raises:
        DataError: it is another file, or cannot be read.
    """
    try:
        checksum = _hash(file.path, file.algorithm)
    except OSError as error:
        raise _unreadable(file, error) from error
    if checksum != file.hash:
        raise _different(file)


def identify(path: Path, files: Sequence[File]) -> File:
    """Which of some published files a file is, by its checksum; its name does not matter.

    Raises:
        DataError: it is none of them, or cannot be read.
    """
    try:
        hashes = {_hash(path, algorithm) for algorithm in {file.algorithm for file in files}}
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    for file in files:
        if file.hash in hashes:
            return file
    dataset = max(len(file.dataset) for file in files)
    name = max(len(file.published_name) for file in files)
    table = "\n".join(
        f"  {file.dataset:{dataset}}  {file.published_name:{name}}  {file.hash}" for file in files
    )
    raise DataError(
        f"{path} is none of these files, so nothing was changed; it has {size:,} bytes and the "
        f"hash {' or '.join(sorted(hashes))}\n{table}"
    )


def import_file(path: Path, file: File) -> bool:
    """Copies a published file into the cache; returns False if the cache already has it.

    Raises:
        DataError: another file is in its place, or the folder cannot be written.
    """
    if file.exists:
        check(file)
        return False
    return _store(file, str(path), lambda part: shutil.copyfile(path, part))


def _download_missing(file: File) -> bool:
    return not file.exists and _store(file, file.address, lambda part: _download(file, part))


def _hash(path: Path, algorithm: str) -> str:
    with opened(path) as stream:
        return f"{algorithm}:{hashlib.file_digest(stream, algorithm).hexdigest()}"


def _unreadable(file: File, error: OSError) -> DataError:
    return DataError(
        f"{file.dataset}: {file.path} cannot be read: {error.strerror or error}. It was left as "
        "it is. Make it readable, or move it away to have it downloaded."
    )


def _different(file: File) -> DataError:
    size = file.path.stat().st_size
    reason = (
        f"it ends after {size:,} of {file.bytes:,} bytes, or is a different file"
        if size < file.bytes
        else f"its hash is not {file.hash}"
    )
    return DataError(
        f"{file.dataset}: {file.path} is not the file that is published at {file.url}: {reason}. "
        "It was left as it is. Move it away to have it downloaded, or set KERAS_HOME to a folder "
        "whose datasets/ holds the published file."
    )


def _store(file: File, source: str, write: Callable[[Path], object]) -> bool:
    """Writes a complete file into the cache; False if another process did so in the meantime."""
    try:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        with _locked_part(file) as part:
            if file.exists:
                check(file)
                return False
            write(part)
            if _hash(part, file.algorithm) != file.hash:
                raise DataError(
                    f"{file.dataset}: {file.path} is not there, and the file from {source} was "
                    f"not kept, because its hash is not {file.hash}. {_advice(file)}"
                )
            _place(part, file)
    except OSError as error:
        raise DataError(
            f"{file.dataset}: {file.path} is not there and cannot be written: "
            f"{error.strerror or error}. Set KERAS_HOME to a folder that can be written to, or "
            f"that holds the file as datasets/{file.name}."
        ) from error
    return True


@contextmanager
def _locked_part(file: File) -> Iterator[Path]:
    """A path to write a file to before it is complete; only one process has it at a time."""
    # A killed process leaves its part without a lock, so the next process overwrites it.
    path = file.path.with_name(f".nnrun-part-{file.path.name}")
    descriptor = _lock(path, file.name)
    if descriptor is None:
        path = path.with_name(f"{path.name}-{os.getpid()}")
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        if descriptor is not None:
            os.close(descriptor)


def _lock(path: Path, name: str) -> int | None:
    """Creates and locks a file; None where the system has no locks."""
    while fcntl is not None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{name}: waiting for another process that downloads it", file=sys.stderr)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            return None
        # The other process may have removed the file while this one waited.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)
    return None


def _place(part: Path, file: File) -> None:
    try:
        os.link(part, file.path)  # unlike a rename, it never replaces a file
    except OSError:  # the file exists, or the file system has no links, such as FAT
        if file.exists:
            check(file)
        else:
            part.rename(file.path)


def _download(file: File, path: Path) -> None:
    progress = _Progress(file.name) if sys.stderr.isatty() else None
    download = pooch.HTTPDownloader(
        progressbar=progress or False,
        chunk_size=_CHUNK,
        timeout=_TIMEOUT,
        # Otherwise a server may compress the bytes, which changes their hash.
        headers={"Accept-Encoding": "identity"},
    )
    try:
        download(file.address, str(path), None)
    except OSError as error:
        if not hasattr(error, "response"):  # an error of the disk; those of requests have one
            raise
        answer = error.response
        reason = f"{answer.status_code} {answer.reason}" if answer is not None else None
        raise DataError(
            f"{file.dataset}: {file.path} is not there and could not be downloaded from "
            f"{file.address} ({reason or type(error).__name__}). {_advice(file)}"
        ) from error
    finally:
        if progress:
            progress.close()


def _advice(file: File) -> str:
    return (
        "Connect to the internet once and run again, or save the file from that address anywhere "
        "and run `nnrun data import FILE`, or set KERAS_HOME to a folder that holds it as "
        f"datasets/{file.name}."
    )


class _Progress:
    """One line on stderr, with the methods that pooch expects of a progress bar."""

    total = 0
    done = 0

    def __init__(self, label: str) -> None:
        self.label = label

    def update(self, size: int) -> None:
        """Adds bytes; pooch counts whole chunks, so the last one may be too many."""
        self.done = min(self.done + size, self.total or sys.maxsize)
        total = f" of {self.total / 1e6:.1f}" if self.total else ""
        line = f"\r{self.label}: {self.done / 1e6:.1f}{total} MB"
        print(line, end="", file=sys.stderr, flush=True)

    def reset(self) -> None:
        """Pooch calls it once at the end, before it adds the exact total."""
        self.done = 0

    def close(self) -> None:
        """Ends the line; called twice after a download without an error."""
        if self.done:
            print(file=sys.stderr)
        self.done = 0
