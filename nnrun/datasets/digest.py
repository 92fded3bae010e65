"""A fingerprint of a data set, so that two runs can tell whether they saw the same rows."""

from __future__ import annotations

import hashlib

import numpy as np

from nnrun.records import Dataset, Sequences


def digest(dataset: Dataset) -> str:
    """SHA-256 over shapes, types and values of all rows, in order; 64 hexadecimal digits.

    Of rows that come from a person's own files, over the fingerprint of these: whether rows are
    read at once or as they are needed must make no difference.
    """
    total = hashlib.sha256()
    if dataset.source is not None:
        total.update(dataset.source.encode())
        total.update(np.concatenate([dataset.train.y, dataset.test.y]).tobytes())
        return total.hexdigest()
    for split in (dataset.train, dataset.test):
        parts = (split.x.values, split.x.offsets) if isinstance(split.x, Sequences) else (split.x,)
        for array in (*parts, split.y):
            total.update(f"{array.dtype.str}{array.shape}".encode())
            total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()
