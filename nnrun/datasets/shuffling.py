"""How Keras shuffles and splits a data set that is published in one piece."""

from __future__ import annotations

import numpy as np

from nnrun.records import Array, Split
from nnrun.spec.profile import boundary


def split(x: Array, y: Array, *, test_split: float, seed: int) -> tuple[Split, Split]:
    """Shuffles the rows; the last ones are kept for testing.

    Args:
        x: shape `(rows, ...)`.
        y: shape `(rows,)`.
        test_split: share of the rows kept for testing.
        seed: of NumPy's older generator; a newer one would give other rows than Keras.
    """
    order = np.random.RandomState(seed).permutation(len(x))
    cut = boundary(len(x), test_split)
    return Split(x[order[:cut]], y[order[:cut]]), Split(x[order[cut:]], y[order[cut:]])
