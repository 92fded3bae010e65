"""Finds a published file in the cache, or downloads it into the cache."""

from __future__ import annotations

import sys
import tempfile
from io import BytesIO
from pathlib import Path

import pooch  # type: ignore[import-untyped]

from nnrun.cache import placing
from nnrun.cache.file import File, check, content, has_hash
from nnrun.errors import DataError

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
    with _workplace(file) as folder, placing.alone(file):
        # It may have come while we waited.
        if file.is_there:
            check(file)
            return
        # Hashed before it gets its name, so that the name never stands for half a file.
        complete = Path(folder) / file.path.name
        _receive(file, complete)
        placing.put(complete, file)


def _workplace(file: File) -> tempfile.TemporaryDirectory[str]:
    try:
        return placing.workplace(file)
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
