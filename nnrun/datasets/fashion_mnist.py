"""70,000 pieces of clothing from Zalando's articles (Xiao, Rasul and Vollgraf, 2017)."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from nnrun.cache.download import fetch
from nnrun.cache.published import (
    FASHION_TEST_IMAGES,
    FASHION_TEST_LABELS,
    FASHION_TRAIN_IMAGES,
    FASHION_TRAIN_LABELS,
)
from nnrun.records import Array, Dataset, Split
from nnrun.spec.dataset import FashionMnist

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
