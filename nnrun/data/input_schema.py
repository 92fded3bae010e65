"""What the rows of a data set look like, so that others can be brought into the same form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nnrun.types import Array, Column, Dataset, Sequences

Kind = Literal["texts", "images", "table"]

# So many pictures say how bright their edges are; of large ones fewer, for all are held at once.
_ENOUGH = 1000
_BYTES = 32 * 2**20


@dataclass(frozen=True)
class InputSchema:
    """What the rows of a data set look like before they are prepared.

    Args:
        kind: texts, pictures, or rows of a table.
        shape: of one row; empty for texts.
        features: one name per column of a table, where it has names.
        target: what a label says.
        highest: of pictures, the brightest pixel.
        columns: of a person's own table, what its features are made of.
        edge: of pictures, the median of the outermost pixels as a share of `highest`: 0 is black.
    """

    kind: Kind
    shape: tuple[int, ...]
    features: tuple[str, ...]
    target: str
    highest: float | None = None
    edge: float | None = None
    columns: tuple[Column, ...] = ()


def of(dataset: Dataset) -> InputSchema:
    """What the training rows look like."""
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


def edge(pictures: Array) -> float:
    """The median of the outermost pixels.

    Args:
        pictures: shape `(rows, height, width)` or `(rows, height, width, channels)`.
    """
    outermost = np.ones(pictures.shape[1:3], dtype=bool)
    outermost[1:-1, 1:-1] = False
    return float(np.median(pictures[:, outermost]))
