"""The files that are published for data sets, with their checksums; embedded data sets have none.

Files lie below `datasets/` under the names that Keras gives them, so Keras and nnrun share them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

MIRROR = "NNRUN_MIRROR"


class State(StrEnum):
    """The state of a file in the cache, as far as its size shows."""

    CACHED = "cached"
    ABSENT = "not cached"
    OTHER = "another file"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class File:
    """A published file.

    Args:
        dataset: the name of its data set in a spec.
        name: its path below `datasets/`.
        url: where it is published.
        hash: its checksum, `sha256:...` or `md5:...`.
        bytes: its size; a file of another size but the right checksum is accepted.
    """

    dataset: str
    name: str
    url: str
    hash: str
    bytes: int

    @property
    def path(self) -> Path:
        """Its place in the cache."""
        return folder() / self.name

    @property
    def algorithm(self) -> str:
        """Of its checksum, such as `sha256`."""
        return self.hash.partition(":")[0]

    @property
    def published_name(self) -> str:
        """The name that a browser saves it under."""
        return self.url.rpartition("/")[2]

    @property
    def address(self) -> str:
        """Where it is downloaded from: `url`, or `NNRUN_MIRROR` and the published name.

        A mirror need not be trusted, because every download must have the published checksum.
        """
        mirror = os.environ.get(MIRROR)
        return f"{mirror.rstrip('/')}/{self.published_name}" if mirror else self.url

    @property
    def exists(self) -> bool:
        """Whether anything is in its place, a dangling link included: it may be the user's."""
        return os.path.lexists(self.path)

    @property
    def state(self) -> State:
        """A quick look at the size alone; the file is not read."""
        if not self.exists:
            return State.ABSENT
        try:
            size = self.path.stat().st_size
        except OSError:
            return State.UNREADABLE
        return State.CACHED if size == self.bytes else State.OTHER


def folder() -> Path:
    """The folder `datasets` of `KERAS_HOME`, by default of `~/.keras`."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets"


_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_TORONTO = "https://www.cs.toronto.edu/~kriz/"


def _keras(dataset: str, name: str, checksum: str, size: int, *, below: str = "") -> File:
    return File(dataset, below + name, _KERAS + name, checksum, size)


def _npz(dataset: str, sha256: str, size: int) -> File:
    return _keras(dataset, f"{dataset}.npz", f"sha256:{sha256}", size)


def _words(dataset: str, md5: str, size: int) -> File:
    return _keras(dataset, f"{dataset}_word_index.json", f"md5:{md5}", size)


def _clothing(name: str, md5: str, size: int) -> File:
    # Keras states no hashes for these; these are the checksums of the authors.
    return _keras("fashion_mnist", name, f"md5:{md5}", size, below="fashion-mnist/")


IMDB = _npz("imdb", "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f", 17_464_789)
IMDB_WORDS = _words("imdb", "bfafd718b763782e994055a2d397834f", 1_641_221)
REUTERS = _npz(
    "reuters", "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916", 2_110_848
)
REUTERS_WORDS = _words("reuters", "4d44cc38712099c9e383dc6e5f11a921", 550_378)
CALIFORNIA_HOUSING = _npz(
    "california_housing",
    "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f",
    743_530,
)
MNIST = _npz(
    "mnist", "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1", 11_490_434
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
    """The files of a data set; none if a library ships it."""
    return tuple(file for file in FILES if file.dataset == dataset)
