"""The format of a dataset's rows, which new rows for prediction must have."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nnrun.spec.profile import Kind
from nnrun.types import Array, Column, Dataset, Sequences, Windows

# Images sampled for their edge brightness: at most so many, and so many bytes.
_MAX_ROWS = 1000
_MAX_BYTES = 32 * 2**20


@dataclass(frozen=True)
class InputSchema:
    """The format of rows before they are prepared.

    Args:
        kind: `texts`, `images` or `table`.
        shape: of one row; empty for texts.
        features: one name per column of a table, where it has names.
        target: the name of the target.
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
    x = dataset.train.single
    if isinstance(x, Sequences):
        return InputSchema("texts", (), (), dataset.target.name)
    if isinstance(x, Windows):
        x = x.table
    if x.ndim < 3:
        return InputSchema(
            "table", x.shape[1:], dataset.features, dataset.target.name, columns=dataset.columns
        )
    highest = dataset.highest or float(x[:].max()) or 1.0
    rows = max(1, min(_MAX_ROWS, _MAX_BYTES // math.prod(x.shape[1:])))
    sample = x[:: max(1, len(x) // rows)]
    return InputSchema(
        "images", x.shape[1:], (), dataset.target.name, highest, edge(sample) / highest
    )


def edge(images: Array) -> float:
    """The median border pixel of images of shape `(rows, height, width)`, or with channels last."""
    border = np.ones(images.shape[1:3], dtype=bool)
    border[1:-1, 1:-1] = False
    return float(np.median(images[:, border]))
