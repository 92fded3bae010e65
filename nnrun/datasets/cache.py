"""Keras's folder of downloaded files, shared with Keras but handled with more care.

Keras deletes a file whose hash is not the published one, and silently uses another folder where
this one cannot be written. Here no file of a person's is ever changed, and both are said.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pooch  # type: ignore[import-untyped]

from nnrun.errors import DataError

KERAS_ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_TIMEOUT = 10  # seconds without an answer, after which we take it that there is no network
_CHUNK = 1 << 16  # bytes per write; pooch's own 1 KiB makes 170 MB slow


@dataclass(frozen=True)
class File:
    """A file as Keras publishes it.

    Args:
        dataset: the data set it belongs to, by its name in a spec.
        name: its path below `datasets/`, the one Keras gives it.
        url: where it is published.
        hash: what it must be, as `sha256:...` or `md5:...`.
    """

    dataset: str
    name: str
    url: str
    hash: str

    @property
    def path(self) -> Path:
        """Where it is looked for."""
        return folder() / self.name


def folder() -> Path:
    """The folder `datasets` of `KERAS_HOME`, else of `~/.keras`."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets"


def is_there(file: File) -> bool:
    """Whether something lies where a file is looked for; it is not opened."""
    # A dangling link counts as there: a download would replace it, and it is not ours.
    return os.path.lexists(file.path)


def fetch(file: File) -> Path:
    """Finds a file in the cache, or downloads it into the cache.

    Args:
        file: which one.

    Returns:
        Its path; what lies there has the published hash.

    Raises:
        DataError: it is not there and cannot be downloaded, or what is there is another file.
    """
    if is_there(file):
        _check(file)
    else:
        _download(file)
    return file.path


def _check(file: File) -> None:
    try:
        published = _has_hash(file.path, file.hash)
    except OSError as error:
        raise DataError(
            f"{file.dataset}: {file.path} cannot be read: {error.strerror or error}"
        ) from error
    if not published:
        raise DataError(
            f"{file.dataset}: {file.path} is not the file that is published at {file.url}: "
            f"its hash is not {file.hash}. It was left as it is. Move it away to have it "
            "downloaded, or set KERAS_HOME to a folder whose datasets/ holds the published file."
        )


def _download(file: File) -> None:
    target = file.path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-")
    except OSError as error:
        raise DataError(
            f"{file.dataset}: {target} is not there and cannot be downloaded, because the folder "
            f"{target.parent} cannot be written: {error.strerror or error}. {_advice(file)}"
        ) from error
    # Hashed before it gets its name, so that the name never stands for half a file.
    with part:
        complete = Path(part.name) / target.name
        _receive(file, complete)
        complete.replace(target)


def _receive(file: File, path: Path) -> None:
    progress = _Progress(file.name) if sys.stderr.isatty() else False
    # Without `identity` a server may pack the bytes once more, and the hash would differ.
    download = pooch.HTTPDownloader(
        progressbar=progress,
        chunk_size=_CHUNK,
        timeout=_TIMEOUT,
        headers={"Accept-Encoding": "identity"},
    )
    try:
        download(file.url, str(path), None)
    except OSError as error:  # every error of requests is one
        raise DataError(
            f"{file.dataset}: {file.path} is not there and could not be downloaded from "
            f"{file.url} ({type(error).__name__}). {_advice(file)}"
        ) from error
    if not _has_hash(path, file.hash):
        raise DataError(
            f"{file.dataset}: {file.path} is not there, and what came from {file.url} was not "
            f"kept, because its hash is not {file.hash}. {_advice(file)}"
        )


def _has_hash(path: Path, published: str) -> bool:
    algorithm, digest = published.split(":")
    return bool(pooch.file_hash(str(path), alg=algorithm) == digest)


def _advice(file: File) -> str:
    return (
        "Connect to the internet once and run again, save the file from that address as "
        f"{file.path} yourself, or set KERAS_HOME to a folder that holds it as "
        f"datasets/{file.name}."
    )


class _Progress:
    """One line on stderr, written over; it has what pooch asks of a progress bar."""

    total = 0

    def __init__(self, label: str) -> None:
        self.label = label
        self.done = 0

    def update(self, size: int) -> None:
        """So many bytes more; pooch counts whole chunks, so the last one may be too many."""
        self.done = min(self.done + size, self.total or sys.maxsize)
        of = f" of {self.total / 1e6:.1f}" if self.total else ""
        print(f"\r{self.label}: {self.done / 1e6:.1f}{of} MB", end="", file=sys.stderr, flush=True)

    def reset(self) -> None:
        """Pooch starts over once to end at the exact sum."""
        self.done = 0

    def close(self) -> None:
        """All is there."""
        print(file=sys.stderr)
