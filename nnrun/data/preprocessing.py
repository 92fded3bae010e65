"""`dataset.prepare`: steps fitted on training rows, applied to all.

Rows stay compact until the last moment. A preparation has two halves: `store` turns loaded rows
into one array that is kept in memory, and `expand` turns a batch of it into what the model sees.
`expand` is written once and runs on NumPy arrays and, inside the training loop, on the device.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from nnrun.errors import IncompatibleSpec
from nnrun.spec.prepare import (
    Flatten,
    Impute,
    MultiHot,
    Pad,
    Rescale,
    Standardize,
    Step,
    Vectorize,
    check_steps,
    prepared_dtype,
)
from nnrun.types import Array, Inputs, Sequences, Streamed

# Rows of words as arrays: bags of them, as bits or as numbers of words, or padded to one length.

CHUNK_ROWS = 4096
_FEW_ROWS = 64
# Row `b` holds the eight bits of the byte `b`, highest first, as `numpy.packbits` lays them.
BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32)


def packed_bytes(dimension: int) -> int:
    """Bytes that hold so many bits."""
    return -(-dimension // 8)


def packed(x: Sequences, dimension: int) -> Array:
    """One bit per row and word: shape `(rows, bytes)`, 32 times smaller than floats."""
    bits = np.zeros((len(x), packed_bytes(dimension)), dtype=np.uint8)
    for rows, owners, words in _parts(x, CHUNK_ROWS):
        hot = np.zeros((len(bits[rows]), dimension), dtype=bool)
        hot[owners, words] = True
        bits[rows] = np.packbits(hot, axis=1)
    return bits


def distinct(x: Sequences, dimension: int) -> Sequences:
    """The words of each row, each once, in the order in which they are last mentioned; int32."""
    kept = np.empty(len(x.values), dtype=bool)
    # Where a word of a row was mentioned last; of so few rows that it fits the processor's cache.
    last = np.empty(_FEW_ROWS * dimension, dtype=np.int32)
    for rows, owners, words in _parts(x, _FEW_ROWS):
        mentioned = np.arange(len(words), dtype=np.int32)
        places = owners * dimension + words
        last[places] = mentioned
        kept[x.offsets[rows.start] : x.offsets[rows.stop]] = last[places] == mentioned
    offsets = np.concatenate([[0], np.cumsum(kept)])[x.offsets]
    return Sequences(x.values[kept].astype(np.int32), offsets.astype(np.int64))


def padded(x: Sequences, pad: Pad) -> Array:
    """Word indices of shape `(rows, maxlen)`, cut and filled as `pad_sequences` does."""
    lengths = x.lengths()
    kept = np.minimum(lengths, pad.maxlen)
    begin = x.offsets[:-1] + (lengths - kept if pad.truncating == "pre" else 0)
    shift = pad.maxlen - kept if pad.padding == "pre" else np.zeros_like(kept)
    rows = np.repeat(np.arange(len(x)), kept)
    within = np.arange(kept.sum()) - np.repeat(np.cumsum(kept) - kept, kept)
    padded = np.full((len(x), pad.maxlen), pad.value, dtype=np.int32)
    padded[rows, within + np.repeat(shift, kept)] = x.values[within + np.repeat(begin, kept)]
    return padded


def _parts(x: Sequences, many: int) -> Iterator[tuple[slice, Array, Array]]:
    """Some rows at a time: which, and for each of their words whose it is, counted from them."""
    for start in range(0, len(x), many):
        stop = min(start + many, len(x))
        owners = np.repeat(np.arange(stop - start), np.diff(x.offsets[start : stop + 1]))
        yield slice(start, stop), owners, x.values[x.offsets[start] : x.offsets[stop]]


# Below this many bytes rows are expanded once, above it batch by batch.
EXPANDED_BYTES = 64 * 2**20
_CHUNK_BYTES = 128 * 2**20


@dataclass(frozen=True)
class FittedStep:
    """A step with what it learnt, such as means of shape `shape`."""

    step: Step
    shape: tuple[int, ...]
    """Of one row after the step."""
    state: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Preparation:
    """Fitted steps.

    Args:
        steps: in order.
        shape: of one row as the model sees it.
        dtype: `float32`, or `int32` for word indices.
        stored_expanded: whether `store` does all the work and `expand` none.
    """

    steps: tuple[FittedStep, ...]
    shape: tuple[int, ...]
    dtype: str
    stored_expanded: bool

    def store(self, x: Inputs) -> Array | Streamed:
        """Rows as they are kept in memory, an array whose first axis is the rows."""
        compact = _compact(x, self.steps)
        if not self.stored_expanded:
            return compact
        state = [fitted.state for fitted in self.steps]
        chunks = [
            self._applied(part, np, state) for part in _chunks(compact, np.arange(len(compact)))
        ]
        return np.concatenate(chunks) if chunks else np.empty((0, *self.shape), self.dtype)

    def is_sparse(self, x: Inputs) -> bool:
        """Whether rows are bags of words in which one column of 32 is a word at most.

        Up to one of 20 it would be faster, but by then it takes three times as much memory. A word
        counts as often as it is said, so that it does not depend on what a fold learns.
        """
        if len(self.steps) != 1 or not isinstance(x, Sequences):
            return False
        [only] = self.steps
        return _makes_bags(only.step) and 32 * len(x.values) <= len(x) * math.prod(only.shape)

    def distinct(self, x: Sequences) -> Sequences:
        """Sparse rows as the numbers of their words, each once, instead of what `store` makes."""
        [only] = self.steps
        return distinct(_numbered(x, only), *only.shape)

    @property
    def state(self) -> tuple[dict[str, Array], ...]:
        """What each step learnt, as far as `expand` needs it."""
        return () if self.stored_expanded else tuple(fitted.state for fitted in self.steps)

    def expand(self, batch: Any, xp: ModuleType, state: Sequence[Mapping[str, Any]]) -> Any:
        """A batch as the model sees it, of shape `(batch, *shape)`.

        Args:
            batch: stored rows.
            xp: `numpy` or `keras.ops`.
            state: `self.state`, or the tensors that it has become.
        """
        return batch if self.stored_expanded else self._applied(batch, xp, state)

    def _applied(self, batch: Any, xp: ModuleType, state: Sequence[Mapping[str, Any]]) -> Any:
        # float64 on the host keeps columns of large, close values apart; devices have float32.
        exact = "float64" if xp is np else "float32"
        for fitted, learnt in zip(self.steps, state, strict=True):
            batch = _apply(fitted, learnt, batch, xp, exact)
        return xp.array(batch, dtype=self.dtype)


def fit(
    steps: Sequence[Step], x: Inputs, *, rows: Array, groups: Sequence[range] = ()
) -> Preparation:
    """Fits each step on what the steps before it make of the training rows.

    Args:
        steps: as written in the spec.
        x: all training inputs.
        rows: numbers of the rows to learn from.
        groups: columns that are of one category together.

    Raises:
        Misfit: a step cannot be applied to such data.
    """
    check_steps(steps, texts=isinstance(x, Sequences))
    shape = () if isinstance(x, Sequences) else x.shape[1:]
    fitted: tuple[FittedStep, ...] = ()
    for step in steps:
        shape = step.shape_after(shape)
        state = _learnt(step, fitted, x, rows, groups)
        fitted = (*fitted, FittedStep(step, shape, state))
    dtype = prepared_dtype(steps)
    return Preparation(fitted, shape, dtype, is_small(x, shape, indices=dtype == "int32"))


def is_small(x: Inputs, shape: tuple[int, ...], *, indices: bool) -> bool:
    """Whether rows are kept as the model sees them, or expanded batch by batch.

    Args:
        x: as loaded.
        shape: of one row as the model sees it.
        indices: whether the model sees word indices.
    """
    if isinstance(x, Streamed):
        return False
    expanded = len(x) * int(np.prod(shape)) * 4
    grows = isinstance(x, Sequences) or x.dtype.kind != "f"
    return indices or not grows or expanded <= EXPANDED_BYTES


def _learnt(
    step: Step,
    before: tuple[FittedStep, ...],
    x: Inputs,
    rows: Array,
    groups: Sequence[range],
) -> dict[str, Array]:
    """What a step learns; most learn nothing."""
    if isinstance(step, Vectorize):
        assert isinstance(x, Sequences)
        return {"index": _index(step, x, rows)}
    if isinstance(step, Impute):
        assert isinstance(x, np.ndarray)
        return {"fill": _fillings(step, x[rows], groups)}
    if not isinstance(step, Standardize):
        return {}
    return _moments(before, x, np.arange(len(x)) if step.fit == "all" else rows)


def _index(step: Vectorize, x: Sequences, rows: Array) -> Array:
    """The new number of each word, and after the last that of all others.

    As Keras numbers them: 0 for no word where rows are filled up, then any other word, then the
    commonest; of equally common ones the last of the alphabet, in which `x` is numbered.
    """
    counts = np.zeros(int(x.values.max(initial=-1)) + 1, np.int64)
    for row in rows:
        np.add.at(counts, x.row(row), 1)
    others = 1 if step.output_sequence_length else 0
    order = np.lexsort((-np.arange(len(counts)), -counts))
    kept = order[counts[order] > 0][: step.max_tokens - others - 1]
    index = np.full(len(counts) + 1, others, dtype=np.int32)
    index[kept] = np.arange(len(kept), dtype=np.int32) + others + 1
    return index


def _fillings(step: Impute, x: Array, groups: Sequence[range]) -> Array:
    """What stands in for a missing value in each column.

    Raises:
        Misfit: a column has no value at all.
    """
    known = np.isfinite(x)
    if not known.any(axis=0).all():
        message = "a column has no value among the rows that train; leave it out of `features`"
        raise IncompatibleSpec("NN123", ("dataset", "prepare"), message)
    if step.strategy == "most_frequent":
        fill = np.array(
            [_commonest(column[here]) for column, here in zip(x.T, known.T, strict=True)]
        )
    else:
        fill = (np.nanmean if step.strategy == "mean" else np.nanmedian)(x, axis=0)
    for group in groups:
        columns = list(group)
        if len(columns) == 1:
            fill[columns] = _commonest(x[known[:, columns[0]], columns[0]])
        else:
            fill[columns] = np.eye(len(columns))[np.nansum(x[:, columns], axis=0).argmax()]
    return fill


def _commonest(values: Array) -> float:
    """The most frequent value; of several the smallest."""
    found, counts = np.unique(values, return_counts=True)
    return float(found[counts.argmax()])


def _moments(before: tuple[FittedStep, ...], x: Inputs, rows: Array) -> dict[str, Array]:
    """Mean and population standard deviation per column, in two passes over float64.

    A constant column has no scale: it is divided by 1, as scikit-learn's StandardScaler does.
    """
    compact = _compact(x, before)

    def values() -> Iterator[Array]:
        for part in _chunks(compact, rows):
            for fitted in before:
                part = _apply(fitted, fitted.state, part, np, "float64")
            yield np.asarray(part, dtype=np.float64)

    mean = sum(part.sum(axis=0) for part in values()) / len(rows)
    variance = sum(((part - mean) ** 2).sum(axis=0) for part in values()) / len(rows)
    std = np.sqrt(variance)
    tiny = std <= 10 * np.finfo(np.float64).eps * np.abs(mean)
    return {"mean": mean, "std": np.where(tiny, 1.0, std)}


def _apply(
    fitted: FittedStep, state: Mapping[str, Any], batch: Any, xp: ModuleType, exact: str
) -> Any:
    match fitted.step:
        case step if _makes_bags(step):
            [dimension] = fitted.shape
            bits = xp.take(BITS, xp.array(batch, dtype="int32"), axis=0)
            return xp.reshape(bits, (-1, 8 * packed_bytes(dimension)))[:, :dimension]
        case Impute():
            return xp.where(xp.isnan(batch), xp.array(state["fill"], dtype=exact), batch)
        case Rescale(divisor=divisor):
            return xp.array(batch, dtype=exact) / divisor
        case Standardize():
            mean, std = (xp.array(state[key], dtype=exact) for key in ("mean", "std"))
            return (xp.array(batch, dtype=exact) - mean) / std
        case Flatten():
            return xp.reshape(batch, (-1, *fitted.shape))
    return batch


def _compact(x: Inputs, steps: Sequence[FittedStep]) -> Array | Streamed:
    if not isinstance(x, Sequences):
        return x
    numbered, first = _numbered(x, steps[0]), steps[0].step
    if _makes_bags(first):
        return packed(numbered, *steps[0].shape)
    if isinstance(first, Vectorize):
        assert first.output_sequence_length
        first = Pad(maxlen=first.output_sequence_length, padding="post", truncating="post")
    assert isinstance(first, Pad)
    return padded(numbered, first)


def _numbered(x: Sequences, first: FittedStep) -> Sequences:
    """Rows of words by the numbers that the model knows them by."""
    if not isinstance(first.step, Vectorize):
        return x
    index = first.state["index"]
    return Sequences(index[np.minimum(x.values, len(index) - 1)], x.offsets)


def _makes_bags(step: Step) -> bool:
    """Whether a row becomes a bag of words, of which it has one or not."""
    return isinstance(step, MultiHot) or (
        isinstance(step, Vectorize) and not step.output_sequence_length
    )


def _chunks(x: Array | Streamed, rows: Array) -> Iterator[Array]:
    # As float64, in which rows are counted with.
    many = max(1, min(CHUNK_ROWS, _CHUNK_BYTES // (8 * max(1, math.prod(x.shape[1:])))))
    return (x[rows[start : start + many]] for start in range(0, len(rows), many))
