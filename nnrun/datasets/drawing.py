"""How the rows of a data set that has no test rows are drawn for testing."""

from __future__ import annotations

from sklearn.model_selection import train_test_split

from nnrun.errors import DataError
from nnrun.records import Array, Split
from nnrun.spec.dataset import Embedded
from nnrun.spec.own import Own


def draw(x: Array, y: Array, spec: Embedded | Own, *, classes: bool) -> tuple[Split, Split]:
    """Draws the test rows at random, in proportion to the classes where there are any.

    Args:
        x: shape `(rows, ...)`.
        y: shape `(rows,)`.
        spec: the share of the rows to draw, and the seed.
        classes: whether `y` holds class numbers.

    Raises:
        DataError: a split would be too small to hold every class.
    """
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
