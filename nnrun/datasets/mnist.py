"""70,000 handwritten digits (Yann LeCun and Corinna Cortes)."""

from __future__ import annotations

import numpy as np

from nnrun.datasets import cache
from nnrun.records import Dataset, Split
from nnrun.spec.dataset import Mnist

IMAGES = cache.File(
    "mnist",
    "mnist.npz",
    cache.KERAS_ORIGIN + "mnist.npz",
    "sha256:731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
)


def mnist(spec: Mnist) -> Dataset:
    """The rows of `keras.datasets.mnist.load_data`.

    Returns:
        Images of shape `(rows, 28, 28)`, uint8; labels are the digits.

    Raises:
        DataError: the file cannot be had.
    """
    with np.load(cache.fetch(IMAGES), allow_pickle=False) as file:
        train = Split(file["x_train"], file["y_train"].astype(np.int64))
        test = Split(file["x_test"], file["y_test"].astype(np.int64))
    return Dataset(spec.name, train, test, classes=tuple("0123456789"), target="digit")
