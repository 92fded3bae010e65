"""A file as it is published, and what lies where it is looked for."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from nnrun.errors import DataError

MIRROR = "NNRUN_MIRROR"


class State(StrEnum):
    """What a look at a file's place says, without opening it."""

    CACHED = "cached"
    ABSENT = "not cached"
    OTHER = "another file"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class File:
    """A file as Keras publishes it.

    Args:
        dataset: the data set it belongs to, by its name in a spec.
        name: its path below `datasets/`, the one Keras gives it.
        url: where it is published.
        hash: what it must be, as `sha256:...` or `md5:...`. This alone decides.
        bytes: how large it is; for people, and for a look that does not read it.
    """

    dataset: str
    name: str
    url: str
    hash: str
    bytes: int

    @property
    def path(self) -> Path:
        """Where it is looked for."""
        return folder() / self.name

    @property
    def published_name(self) -> str:
        """What a browser would save it as."""
        return self.url.rpartition("/")[2]

    @property
    def address(self) -> str:
        """Where it is downloaded from: below `NNRUN_MIRROR` where that is set, by its name there.

        A mirror needs no trust, because every download must have the published hash.
        """
        mirror = os.environ.get(MIRROR)
        return f"{mirror.rstrip('/')}/{self.published_name}" if mirror else self.url

    @property
    def is_there(self) -> bool:
        """Whether something lies where it is looked for; it is not opened."""
        # A dangling link counts as there: a download would replace it, and it is not ours.
        return os.path.lexists(self.path)

    def look(self) -> State:
        """What lies there, as far as its size tells; at once, however large it is."""
        if not self.is_there:
            return State.ABSENT
        try:
            size = self.path.stat().st_size
        except OSError:
            return State.UNREADABLE
        return State.CACHED if size == self.bytes else State.OTHER


def folder() -> Path:
    """The folder `datasets` of `KERAS_HOME`, else of `~/.keras`."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets"


def check(file: File) -> None:
    """Reads what lies in a file's place, and changes nothing.

    Raises:
        DataError: it is another file, or cannot be read.
    """
    try:
        difference = "" if has_hash(file.path, file.hash) else _difference(file)
    except OSError as error:
        raise _unreadable(file, error) from error
    if difference:
        raise _another(file, difference)


def content(file: File) -> bytes:
    """The bytes of a published file, which are those that were hashed.

    A file that is hashed and then opened again may be another one by then, and some of the
    published ones are pickles, which can run anything.

    Raises:
        DataError: it is another file, or cannot be read.
    """
    try:
        found = file.path.read_bytes()
        algorithm = file.hash.partition(":")[0]
        if f"{algorithm}:{hashlib.new(algorithm, found).hexdigest()}" == file.hash:
            return found
        difference = _difference(file)
    except OSError as error:
        raise _unreadable(file, error) from error
    raise _another(file, difference)


def _unreadable(file: File, error: OSError) -> DataError:
    return DataError(
        f"{file.dataset}: {file.path} cannot be read: {error.strerror or error}. It was left as "
        "it is. Make it readable, or move it away to have it downloaded."
    )


def _another(file: File, difference: str) -> DataError:
    return DataError(
        f"{file.dataset}: {file.path} is not the file that is published at {file.url}: "
        f"{difference}. It was left as it is. Move it away to have it downloaded, or set "
        "KERAS_HOME to a folder whose datasets/ holds the published file."
    )


def hash_of(path: Path, algorithm: str) -> str:
    """The hash of a file as a `File` states it, such as `sha256:...`.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"


def has_hash(path: Path, published: str) -> bool:
    """Whether a file is the one with a hash.

    Raises:
        OSError: it cannot be read.
    """
    return hash_of(path, published.partition(":")[0]) == published


def _difference(file: File) -> str:
    size = file.path.stat().st_size
    if size < file.bytes:
        return f"it breaks off after {size:,} of {file.bytes:,} bytes, or is something else"
    return f"its hash is not {file.hash}"
