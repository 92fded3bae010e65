"""The format of a dataset's rows, which new rows for prediction must have."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nnrun.types import Array, Column, Dataset, Sequences

Kind = Literal["texts", "images", "table"]

# Images sampled for their edge brightness: at most so many, and so many bytes.
_ENOUGH = 1000
_BYTES = 32 * 2**20


@dataclass(frozen=True)
class InputSchema:
    """The format of rows before they are prepared.

    Args:
        kind: `texts`, `images` or `table`.
        shape: of one row; empty for texts.
        features: one name per column of a table, where it has names.
        target: the meaning of a label.
        highest: for images, the largest pixel.
        columns: for user tables, the columns before encoding.
        edge: for images, the median border pixel as a share of `highest`; 0 is black.
    """

    kind: Kind
    shape: tuple[int, ...]
    features: tuple[str, ...]
    target: str
    highest: float | None = None
    edge: float | None = None
    columns: tuple[Column, ...] = ()


def of(dataset: Dataset) -> InputSchema:
    """The format of the training rows."""
    x = dataset.train.x
    if isinstance(x, Sequences):
        return InputSchema("texts", (), (), dataset.target)
    if x.ndim < 3:
        return InputSchema(
            "table", x.shape[1:], dataset.features, dataset.target, columns=dataset.columns
        )
    highest = dataset.highest or float(x[:].max()) or 1.0
    enough = max(1, min(_ENOUGH, _BYTES // math.prod(x.shape[1:])))
    some = x[:: max(1, len(x) // enough)]
    return InputSchema("images", x.shape[1:], (), dataset.target, highest, edge(some) / highest)


def edge(images: Array) -> float:
    """The median border pixel.

    Args:
        images: shape `(rows, height, width)` or `(rows, height, width, channels)`.
    """
    outermost = np.ones(images.shape[1:3], dtype=bool)
    outermost[1:-1, 1:-1] = False
    return float(np.median(images[:, outermost]))
