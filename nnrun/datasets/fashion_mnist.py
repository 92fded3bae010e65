"""70,000 pieces of clothing from Zalando's articles (Xiao, Rasul and Vollgraf, 2017)."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from nnrun.datasets import cache
from nnrun.records import Array, Dataset, Split
from nnrun.spec.dataset import FashionMnist


def _file(name: str, md5: str) -> cache.File:
    return cache.File(
        "fashion_mnist", f"fashion-mnist/{name}", cache.KERAS_ORIGIN + name, f"md5:{md5}"
    )


# Keras states no hashes for these; the sums are those that the authors publish.
TRAIN_IMAGES = _file("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d")
TRAIN_LABELS = _file("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe")
TEST_IMAGES = _file("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79")
TEST_LABELS = _file("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310")
KINDS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def fashion_mnist(spec: FashionMnist) -> Dataset:
    """The rows of `keras.datasets.fashion_mnist.load_data`.

    Returns:
        Images of shape `(rows, 28, 28)`, uint8; labels are 0 to 9.

    Raises:
        DataError: a file cannot be had.
    """
    train = Split(_images(cache.fetch(TRAIN_IMAGES)), _labels(cache.fetch(TRAIN_LABELS)))
    test = Split(_images(cache.fetch(TEST_IMAGES)), _labels(cache.fetch(TEST_LABELS)))
    return Dataset(spec.name, train, test, classes=KINDS, target="kind of clothing")


def _images(path: Path) -> Array:
    return _bytes(path, header=16).reshape(-1, 28, 28)


def _labels(path: Path) -> Array:
    return _bytes(path, header=8).astype(np.int64)


def _bytes(path: Path, *, header: int) -> Array:
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)
