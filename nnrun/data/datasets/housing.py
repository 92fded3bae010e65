"""506 towns around Boston (Harrison and Rubinfeld, 1978); mlxtend carries the table.

Keras strongly discourages its use but to illustrate ethical issues: column B rests on the
assumption that racial segregation of its own making influences house prices.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from mlxtend.data import boston_housing_data

from nnrun.data.cache import fetch
from nnrun.data.published import CALIFORNIA_HOUSING
from nnrun.spec.dataset import BostonHousing, CaliforniaHousing
from nnrun.spec.profile import split_index
from nnrun.types import Array, Dataset, Split

# How Keras shuffles and splits a data set that is published in one piece.


def split(x: Array, y: Array, *, test_split: float, seed: int) -> tuple[Split, Split]:
    """Shuffles the rows; the last ones are kept for testing.

    Args:
        x: shape `(rows, ...)`.
        y: shape `(rows,)`.
        test_split: share of the rows kept for testing.
        seed: of NumPy's older generator; a newer one would give other rows than Keras.
    """
    order = np.random.RandomState(seed).permutation(len(x))
    cut = split_index(len(x), test_split)
    return Split(x[order[:cut]], y[order[:cut]]), Split(x[order[cut:]], y[order[cut:]])


COLUMNS = (
    "CRIM",
    "ZN",
    "INDUS",
    "CHAS",
    "NOX",
    "RM",
    "AGE",
    "DIS",
    "RAD",
    "TAX",
    "PTRATIO",
    "B",
    "LSTAT",
)


def boston_housing(spec: BostonHousing) -> Dataset:
    """The rows of `keras.datasets.boston_housing.load_data`, in its order.

    Returns:
        A table of shape `(rows, 13)`; targets are median prices in 1000 $.
    """
    # The same 506 rows as in Keras's file, to the last bit, so nothing has to be downloaded.
    x, y = boston_housing_data()
    train, test = split(x, y, test_split=spec.test_split, seed=spec.seed)
    return Dataset(spec.name, train, test, target="median price in 1000 $", features=COLUMNS)


# 20,640 blocks of the census of 1990 in California (Pace and Barry, 1997).

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
    train, test = split(x[:rows], y[:rows], test_split=spec.test_split, seed=spec.seed)
    return Dataset(spec.name, train, test, target="median price in $")


def read(path: Path) -> tuple[Array, Array]:
    """The table `x` and the targets `y` of an .npz file, as float64."""
    with np.load(path, allow_pickle=False) as file:
        return file["x"].astype(np.float64), file["y"].astype(np.float64)
