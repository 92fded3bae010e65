"""70,000 handwritten digits (Yann LeCun and Corinna Cortes)."""

from __future__ import annotations

import numpy as np

from nnrun.cache.download import fetch
from nnrun.cache.published import MNIST
from nnrun.records import Dataset, Split
from nnrun.spec.dataset import Mnist


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
