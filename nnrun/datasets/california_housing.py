"""20,640 blocks of the census of 1990 in California (Pace and Barry, 1997)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nnrun.datasets import cache, shuffling
from nnrun.records import Array, Dataset
from nnrun.spec.dataset import CaliforniaHousing

BLOCKS = cache.File(
    "california_housing",
    "california_housing.npz",
    cache.KERAS_ORIGIN + "california_housing.npz",
    "sha256:1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f",
)
_SMALL = 600  # rows of the small version, the first ones of the file


def california_housing(spec: CaliforniaHousing) -> Dataset:
    """The rows of `keras.datasets.california_housing.load_data`, in its order.

    Returns:
        A table of shape `(rows, 8)`; targets are median prices in $. The file does not name its
        columns, so `features` is empty.

    Raises:
        DataError: the file cannot be had.
    """
    x, y = read(cache.fetch(BLOCKS))
    rows = _SMALL if spec.version == "small" else len(x)
    train, test = shuffling.split(x[:rows], y[:rows], test_split=spec.test_split, seed=spec.seed)
    return Dataset(spec.name, train, test, target="median price in $")


def read(path: Path) -> tuple[Array, Array]:
    """The table `x` and the targets `y` of an .npz file, as float64."""
    with np.load(path, allow_pickle=False) as file:
        return file["x"].astype(np.float64), file["y"].astype(np.float64)
