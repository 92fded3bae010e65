"""Made-up rows with the shape and type of real ones, where the real ones are not at hand.

They let an experiment be tried without a download. Nothing can be learnt from them.
"""

from __future__ import annotations

import numpy as np

from nnrun.errors import DataError
from nnrun.spec.dataset import DatasetBase, Words
from nnrun.spec.profile import Profile
from nnrun.types import Array, Dataset, Inputs, Sequences, Split

_SHORTEST, _LONGEST = 20, 300
"""Words in a text, where the spec allows as many."""
_LEFT_OUT = 0.1
"""Share of the words of a text that are too rare to be kept, where some are left out."""


def draw(spec: DatasetBase, *, train: int, test: int, seed: int) -> Dataset:
    """Draws rows like those of a data set.

    Args:
        spec: the data set and its arguments; its own seed is not used.
        train, test: how many rows.
        seed: equal seeds give equal rows.

    Returns:
        Rows of the shape, type and range that the profile of the data set states. Classes are named
        by their numbers and occur equally often; values are floats between 1 and 50.

    Raises:
        DataError: what the rows look like is known from user file only.
    """
    known = spec.profile()
    if known.open or (known.shape is None and not isinstance(spec, Words)):
        raise DataError(f"{spec.name}: only the file says what its rows look like")
    rng = np.random.default_rng(seed)

    def split(rows: int) -> Split:
        return Split(_inputs(spec, known, rows, rng), _labels(known, rows, rng))

    return Dataset(
        spec.name,
        split(train),
        split(test),
        classes=tuple(str(number) for number in known.classes),
        target=known.target,
    )


def _labels(known: Profile, rows: int, rng: np.random.Generator) -> Array:
    if not known.classes:
        return rng.uniform(1, 50, rows)
    return np.asarray(rng.permutation(np.resize(known.classes, rows)), dtype=np.int64)


def _inputs(spec: DatasetBase, known: Profile, rows: int, rng: np.random.Generator) -> Inputs:
    if isinstance(spec, Words):
        return _texts(spec, known.highest, rows, rng)
    assert known.shape is not None
    if known.kind == "images":
        return rng.integers(0, known.highest + 1, (rows, *known.shape), dtype=np.uint8)
    # Columns of very different size, as those of most tables are.
    scales = np.logspace(0, 3 if known.uneven else 0, known.shape[-1])
    return rng.gamma(2.0, size=(rows, *known.shape)) * scales


def _texts(spec: Words, highest: int, rows: int, rng: np.random.Generator) -> Sequences:
    """Words of the numbers that the spec lets through; the highest of them always occurs."""
    longest = _LONGEST if spec.maxlen is None else max(1, min(_LONGEST, spec.maxlen - 1))
    lengths = rng.integers(min(_SHORTEST, longest), longest + 1, rows)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    lowest = min(max(spec.index_from + 1, spec.skip_top), highest)
    values = rng.integers(lowest, highest + 1, offsets[-1], dtype=np.int32)
    if spec.oov_char is not None:
        values[rng.random(len(values)) < _LEFT_OUT] = spec.oov_char
    if spec.start_char is not None and spec.skip_top <= spec.start_char <= highest:
        values[offsets[:-1]] = spec.start_char
    values[-1:] = highest
    return Sequences(values, offsets)
