"""How the rows of a data set that has no test rows are drawn for testing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import train_test_split

from nnrun.errors import DataError
from nnrun.records import Array, Split
from nnrun.spec.dataset import Embedded
from nnrun.spec.own import Own
from nnrun.spec.words import shown


def draw(
    x: Array, y: Array, spec: Embedded | Own, *, classes: Sequence[str]
) -> tuple[Split, Split]:
    """Draws the test rows at random, in proportion to the classes where there are any.

    Args:
        x: shape `(rows, ...)`.
        y: shape `(rows,)`.
        spec: the share of the rows to draw, and the seed.
        classes: their names, by the numbers in `y`; none where it holds values.

    Raises:
        DataError: a split would be too small to hold every class.
    """
    numbers, members = np.unique(y, return_counts=True)
    if classes and members.min() < 2:
        # Neither side could do without its only row.
        name = classes[int(numbers[members.argmin()])]
        raise DataError(
            f"{spec.name}: class {shown(name)} has a single row, and is needed to train and to "
            "test on; leave it out, or give the rows to test on as `test`"
        )
    try:
        x_train, x_test, y_train, y_test = train_test_split(
            x,
            y,
            test_size=spec.test_split,
            random_state=spec.seed,
            stratify=y if classes else None,
        )
    except ValueError as error:
        raise DataError(f"{spec.name}: test_split: {spec.test_split}: {error}") from error
    return Split(x_train, y_train), Split(x_test, y_test)
