"""Every file that is published for a data set, with its hash; embedded data sets have none.

Names below `datasets/` are those that Keras gives, so it finds ours and we find its.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from enum import StrEnum
from io import BufferedReader
from pathlib import Path

from nnrun.errors import DataError

# A file as it is published, and what lies where it is looked for.

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
        if file.look() is State.OTHER:
            check(file)  # piece by piece, for there is no saying how large it is
        with _opened(file.path) as stream:
            found = stream.read()
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


def _opened(path: Path) -> BufferedReader:
    """Opens a file; a pipe would be waited for, and a device may never end."""
    kind = path.stat().st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise OSError(errno.EINVAL, "It is a pipe or a device")
    return path.open("rb")


def hash_of(path: Path, algorithm: str) -> str:
    """The hash of a file as a `File` states it, such as `sha256:...`.

    Raises:
        OSError: it cannot be read.
    """
    with _opened(path) as file:
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


_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_TORONTO = "https://www.cs.toronto.edu/~kriz/"


def _keras(dataset: str, name: str, published: str, size: int, *, below: str = "") -> File:
    return File(dataset, below + name, _KERAS + name, published, size)


def _clothing(name: str, md5: str, size: int) -> File:
    # Keras states no hashes for these; the sums are those that the authors publish.
    return _keras("fashion_mnist", name, f"md5:{md5}", size, below="fashion-mnist/")


IMDB = _keras(
    "imdb",
    "imdb.npz",
    "sha256:69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
    17_464_789,
)
IMDB_WORDS = _keras(
    "imdb", "imdb_word_index.json", "md5:bfafd718b763782e994055a2d397834f", 1_641_221
)
REUTERS = _keras(
    "reuters",
    "reuters.npz",
    "sha256:d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916",
    2_110_848,
)
REUTERS_WORDS = _keras(
    "reuters", "reuters_word_index.json", "md5:4d44cc38712099c9e383dc6e5f11a921", 550_378
)
CALIFORNIA_HOUSING = _keras(
    "california_housing",
    "california_housing.npz",
    "sha256:1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f",
    743_530,
)
MNIST = _keras(
    "mnist",
    "mnist.npz",
    "sha256:731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    11_490_434,
)
FASHION_TRAIN_IMAGES = _clothing(
    "train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26_421_880
)
FASHION_TRAIN_LABELS = _clothing(
    "train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", 29_515
)
FASHION_TEST_IMAGES = _clothing(
    "t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79", 4_422_102
)
FASHION_TEST_LABELS = _clothing(
    "t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", 5_148
)
CIFAR10 = File(
    "cifar10",
    "cifar-10-batches-py-target_archive",
    _TORONTO + "cifar-10-python.tar.gz",
    "sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    170_498_071,
)
CIFAR100 = File(
    "cifar100",
    "cifar-100-python-target_archive",
    _TORONTO + "cifar-100-python.tar.gz",
    "sha256:85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    169_001_437,
)

FILES = tuple(value for value in tuple(globals().values()) if isinstance(value, File))


def of(dataset: str) -> tuple[File, ...]:
    """The files of a data set; none where a library carries it."""
    return tuple(file for file in FILES if file.dataset == dataset)
