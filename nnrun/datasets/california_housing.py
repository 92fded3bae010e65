"""20,640 blocks of the census of 1990 in California (Pace and Barry, 1997)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nnrun.cache.download import fetch
from nnrun.cache.published import CALIFORNIA_HOUSING
from nnrun.datasets import shuffling
from nnrun.records import Array, Dataset
from nnrun.spec.dataset import CaliforniaHousing

_SMALL = 600  # rows of the small version, the first ones of the file


def california_housing(spec: CaliforniaHousing) -> Dataset:
    """The rows of `keras.datasets.california_housing.load_data`, in its order.

    Returns:
        A table of shape `(rows, 8)`; targets are median prices in $. The file does not name its
        columns, so `features` is empty.

    Raises:
        DataError: the file cannot be had.
    """
    x, y = read(fetch(CALIFORNIA_HOUSING))
    rows = _SMALL if spec.version == "small" else len(x)
    train, test = shuffling.split(x[:rows], y[:rows], test_split=spec.test_split, seed=spec.seed)
    return Dataset(spec.name, train, test, target="median price in $")


def read(path: Path) -> tuple[Array, Array]:
    """The table `x` and the targets `y` of an .npz file, as float64."""
    with np.load(path, allow_pickle=False) as file:
        return file["x"].astype(np.float64), file["y"].astype(np.float64)
