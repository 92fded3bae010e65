"""506 towns around Boston (Harrison and Rubinfeld, 1978); mlxtend carries the table.

Keras strongly discourages its use but to illustrate ethical issues: column B rests on the
assumption that racial segregation of its own making influences house prices.
"""

from __future__ import annotations

from mlxtend.data import boston_housing_data

from nnrun.datasets import shuffling
from nnrun.records import Dataset
from nnrun.spec.dataset import BostonHousing

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
    train, test = shuffling.split(x, y, test_split=spec.test_split, seed=spec.seed)
    return Dataset(spec.name, train, test, target="median price in 1000 $", features=COLUMNS)
