"""Labels as the loss needs them: nobody writes `to_categorical`."""

from __future__ import annotations

import numpy as np

from nnrun.check.labels import family
from nnrun.records import Array
from nnrun.spec.training import Training


def encode(y: Array, training: Training, *, classes: int, units: int) -> Array:
    """Labels for the loss.

    Args:
        y: class numbers or values, shape `(rows,)`.
        training: names the loss.
        classes: how many there are; 0 for a regression.
        units: width of the model's output.

    Returns:
        int32 of shape `(rows,)` for a sparse loss; bytes of shape `(rows, classes)`, one-hot,
        where the model has a unit per class; else float32 of shape `(rows, 1)`.
    """
    if family(training.loss.name) == "sparse":
        return y.astype(np.int32)
    if classes and units > 1:
        # Bytes here, floats on the device: 60,000 one-hot rows are 0.6 MB.
        return np.asarray(y[:, None] == np.arange(classes), dtype=np.uint8)
    return y.astype(np.float32)[:, None]
