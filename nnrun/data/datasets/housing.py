"""House prices: Boston and California, shuffled and split as by Keras."""

from __future__ import annotations

import numpy as np
from mlxtend.data import boston_housing_data

from nnrun.data.cache import fetch
from nnrun.data.published import CALIFORNIA_HOUSING
from nnrun.spec.dataset import BostonHousing, CaliforniaHousing
from nnrun.spec.profile import split_index
from nnrun.types import Array, Dataset, Split, Target

COLUMNS = tuple("CRIM ZN INDUS CHAS NOX RM AGE DIS RAD TAX PTRATIO B LSTAT".split())
_SMALL_ROWS = 600  # of the small version, the first ones of the file


def boston_housing(spec: BostonHousing) -> Dataset:
    """506 towns around Boston (Harrison and Rubinfeld, 1978); mlxtend contains the table.

    Keras strongly discourages its use except to illustrate ethical issues: column B rests on the
    assumption that racial segregation influences house prices.

    Returns:
        The rows of `keras.datasets.boston_housing.load_data`, in its order: a table of shape
        `(rows, 13)`; targets are median prices in 1000 $.
    """
    # These rows equal those of Keras's file, to the last bit, so nothing has to be downloaded.
    x, y = boston_housing_data()
    train, test = _split(x, y, spec)
    return Dataset(spec.name, train, test, Target("median price in 1000 $"), features=COLUMNS)


def california_housing(spec: CaliforniaHousing) -> Dataset:
    """20,640 blocks of the census of 1990 in California (Pace and Barry, 1997).

    Returns:
        The rows of `keras.datasets.california_housing.load_data`, in its order: a table of shape
        `(rows, 8)`; targets are median prices in $. The file does not name its columns, so
        `features` is empty.
    """
    rows = _SMALL_ROWS if spec.version == "small" else None
    with np.load(fetch(CALIFORNIA_HOUSING), allow_pickle=False) as file:
        x, y = (file[name][:rows].astype(np.float64) for name in "xy")
    train, test = _split(x, y, spec)
    return Dataset(spec.name, train, test, Target("median price in $"))


def _split(x: Array, y: Array, spec: BostonHousing | CaliforniaHousing) -> tuple[Split, Split]:
    # NumPy's newer generator would give other rows than Keras.
    order = np.random.RandomState(spec.seed).permutation(len(x))
    cut = split_index(len(x), spec.test_split)
    return Split(x[order[:cut]], y[order[:cut]]), Split(x[order[cut:]], y[order[cut:]])
