"""`dataset.prepare`: steps that are fitted on training rows and applied to all rows.

A preparation has two halves. `store` turns loaded rows into one compact array that stays in memory.
`expand` turns a batch of it into the input of the model, with NumPy or on the device.

To add a step, add its spec to `nnrun.spec.prepare` and a subclass of `FittedStep` to `FITTED`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import ClassVar, Protocol, cast

import numpy as np

from nnrun.errors import CodeError, IncompatibleSpec
from nnrun.spec import catalogue, code
from nnrun.spec.prepare import (
    Flatten,
    Impute,
    MultiHot,
    OwnStep,
    Pad,
    Rescale,
    Standardize,
    Step,
    Vectorize,
    check_steps,
    prepared_dtype,
)
from nnrun.types import Array, Input, Inputs, NamedInputs, Sequences, Streamed, Windows

# Rows up to this size are expanded once, larger ones batch by batch.
EXPANDED_BYTES = 64 * 2**20
CHUNK_ROWS = 4096
_CHUNK_BYTES = 128 * 2**20
_FEW_ROWS = 64
# Row `b` holds the eight bits of the byte `b`, highest first, as in `numpy.packbits`.
BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32)

State = Mapping[str, Array]


@dataclass(frozen=True)
class TrainingRows:
    """The rows that a step is fitted on: some `rows` of `x`, after the steps `before`.

    `groups` are ranges of columns that encode one category each.
    """

    x: Input
    rows: Array
    groups: Sequence[range] = ()
    before: tuple[FittedStep, ...] = ()

    def chunks(self, rows: Array) -> Iterator[Array]:
        """Some rows after the steps before, float64, a chunk at a time."""
        for chunk in _chunks(_compact(self.x, self.before), rows):
            for fitted in self.before:
                chunk = fitted.apply(chunk, np, fitted.state)
            yield np.asarray(chunk, dtype=np.float64)


@dataclass(frozen=True)
class FittedStep:
    """A step with its fitted state; this base class learns nothing and changes nothing.

    Args:
        step: as in the spec.
        shape: of one row after the step.
        state: such as means of that shape.
    """

    step: Step
    shape: tuple[int, ...]
    state: State = field(default_factory=dict)
    names: ClassVar[tuple[str, ...]] = ()
    """Of the arrays in the state, which have a number per column."""

    def learn(self, data: TrainingRows) -> State:
        """The state of the step, learned from training rows."""
        return {}

    def shaped(self, rows: Array) -> FittedStep:
        """With its shape, if that is known only from rows, here the first before the step."""
        return self

    def parse_state(self, state: Mapping[str, object]) -> State:
        """The state from a file.

        Raises:
            ValueError: no step of this kind has such a state.
        """
        arrays = {name: np.asarray(state.get(name), np.float64) for name in self.names}
        for name, values in arrays.items():
            if values.shape != self.shape or not np.isfinite(values).all():
                raise ValueError(f"no finite {name} for each column of rows of shape {self.shape}")
        return arrays

    def apply(self, batch: Array, xp: ModuleType, state: State) -> Array:
        """A batch after the step.

        Args:
            batch: an array or tensor of shape `(batch, ...)`.
            xp: `numpy` or `keras.ops`.
            state: `self.state`, or tensors in its place.
        """
        return batch

    @property
    def is_multi_hot(self) -> bool:
        """Whether it turns rows of words into multi-hot vectors."""
        return False

    def renumber(self, x: Sequences) -> Sequences:
        """Rows of words with the word indices that the model uses."""
        return x

    def knows(self, indices: Array) -> Array:
        """Whether each word has a number of its own, given its index in the data set."""
        return np.ones(len(indices), bool)

    def encode(self, x: Sequences) -> Array:
        """Rows of words as one array; only for steps that take texts."""
        raise NotImplementedError


class FittedMultiHot(FittedStep):
    """Multi-hot vectors, stored as bits."""

    is_multi_hot = True

    def encode(self, x: Sequences) -> Array:
        """Bits of shape `(rows, bytes)`."""
        return packed(x, *self.shape)

    def apply(self, batch: Array, xp: ModuleType, state: State) -> Array:
        """Bits as floats of shape `(batch, dimension)`."""
        [dimension] = self.shape
        bits: Array = xp.take(BITS, xp.array(batch, dtype="int32"), axis=0)
        bits = xp.reshape(bits, (-1, 8 * math.ceil(dimension / 8)))
        return bits[:, :dimension]


class FittedPad(FittedStep):
    """Word indices of equal length."""

    step: Pad

    def encode(self, x: Sequences) -> Array:
        """Word indices of shape `(rows, maxlen)`, cut and padded as by `pad_sequences`."""
        pad, lengths = self.step, x.lengths()
        kept = np.minimum(lengths, pad.maxlen)
        begin = x.offsets[:-1] + (lengths - kept if pad.truncating == "pre" else 0)
        shift = pad.maxlen - kept if pad.padding == "pre" else np.zeros_like(kept)
        rows = np.repeat(np.arange(len(x)), kept)
        within = np.arange(kept.sum()) - np.repeat(np.cumsum(kept) - kept, kept)
        padded = np.full((len(x), pad.maxlen), pad.value, dtype=np.int32)
        padded[rows, within + np.repeat(shift, kept)] = x.values[within + np.repeat(begin, kept)]
        return padded


class FittedVectorize(FittedStep):
    """The most common words of the training rows, multi-hot or padded."""

    step: Vectorize

    def learn(self, data: TrainingRows) -> State:
        """`index`: the new index of each word, and after the last one that of unknown words.

        As in Keras, index 0 is padding (only for padded rows), then come unknown words, then the
        most common words; of equally common ones the last in the alphabet, the order of `x`.
        """
        assert isinstance(data.x, Sequences)
        counts = np.zeros(int(data.x.values.max(initial=-1)) + 1, np.int64)
        for row in data.rows:
            np.add.at(counts, data.x.row(row), 1)
        unknown = 1 if self.step.output_sequence_length else 0
        order = np.lexsort((-np.arange(len(counts)), -counts))
        kept = order[counts[order] > 0][: self.step.max_tokens - unknown - 1]
        index = np.full(len(counts) + 1, unknown, dtype=np.int32)
        index[kept] = np.arange(len(kept), dtype=np.int32) + unknown + 1
        return {"index": index}

    def parse_state(self, state: Mapping[str, object]) -> State:
        """`index`, ints below `max_tokens`."""
        index, limit = np.asarray(state.get("index")), self.step.max_tokens
        if index.ndim != 1 or index.dtype.kind != "i" or not len(index):
            raise ValueError("no index of each word")
        if index.min() < 0 or index.max() >= limit:
            raise ValueError(f"an index outside of 0 to {limit - 1}")
        return {"index": index}

    @property
    def is_multi_hot(self) -> bool:
        """Whether rows have no fixed length."""
        return not self.step.output_sequence_length

    def renumber(self, x: Sequences) -> Sequences:
        """Rows with the new index of each word."""
        index = self.state["index"]
        return Sequences(index[np.minimum(x.values, len(index) - 1)], x.offsets)

    def knows(self, indices: Array) -> Array:
        """Words of the vocabulary."""
        index = self.state["index"]
        known: Array = index[np.minimum(indices, len(index) - 1)] != index[-1]
        return known

    def encode(self, x: Sequences) -> Array:
        """Renumbered words, as bits or padded."""
        return self._encoder().encode(self.renumber(x))

    def apply(self, batch: Array, xp: ModuleType, state: State) -> Array:
        """Bits as floats; padded rows stay as they are."""
        return self._encoder().apply(batch, xp, state)

    def _encoder(self) -> FittedStep:
        length = self.step.output_sequence_length
        if not length:
            return FittedMultiHot(MultiHot(dimension=self.step.max_tokens), self.shape)
        return FittedPad(Pad(maxlen=length, padding="post", truncating="post"), self.shape)


class FittedImpute(FittedStep):
    """Values in place of the missing ones."""

    step: Impute
    names = ("fill",)

    def learn(self, data: TrainingRows) -> State:
        """`fill`: one value per column.

        Raises:
            IncompatibleSpec: a column has no value at all.
        """
        assert isinstance(data.x, np.ndarray)
        x = data.x[data.rows]
        if not np.isfinite(x).any(axis=0).all():
            message = "a column has no value in the training rows; leave it out of `features`"
            raise IncompatibleSpec("NN123", ("dataset", "prepare"), message)
        if self.step.strategy == "most_frequent":
            fill = np.array([_most_frequent(column) for column in x.T])
        else:
            fill = (np.nanmean if self.step.strategy == "mean" else np.nanmedian)(x, axis=0)
        for group in data.groups:
            columns = list(group)
            if len(columns) == 1:
                fill[columns] = _most_frequent(x[:, columns[0]])
            else:
                fill[columns] = np.eye(len(columns))[np.nansum(x[:, columns], axis=0).argmax()]
        return {"fill": fill}

    def apply(self, batch: Array, xp: ModuleType, state: State) -> Array:
        """A batch without NaN."""
        filled: Array = xp.where(xp.isnan(batch), _floats(state["fill"], xp), batch)
        return filled


class FittedStandardize(FittedStep):
    """Columns of mean 0 and standard deviation 1."""

    step: Standardize
    names = ("mean", "std")

    def learn(self, data: TrainingRows) -> State:
        """`mean` and population standard deviation `std` per column, in two passes over float64.

        A constant column is divided by 1, as by scikit-learn's StandardScaler.
        """
        rows = np.arange(len(data.x)) if self.step.fit == "all" else data.rows
        mean = sum(chunk.sum(axis=0) for chunk in data.chunks(rows)) / len(rows)
        squares = sum(((chunk - mean) ** 2).sum(axis=0) for chunk in data.chunks(rows))
        std = np.sqrt(squares / len(rows))
        constant = std <= 10 * np.finfo(np.float64).eps * np.abs(mean)
        return {"mean": mean, "std": np.where(constant, 1.0, std)}

    def parse_state(self, state: Mapping[str, object]) -> State:
        """As above; `std` is not 0."""
        arrays = super().parse_state(state)
        if not arrays["std"].all():
            raise ValueError("a std of 0")
        return arrays

    def apply(self, batch: Array, xp: ModuleType, state: State) -> Array:
        """A standardized batch."""
        return (_floats(batch, xp) - _floats(state["mean"], xp)) / _floats(state["std"], xp)


class FittedRescale(FittedStep):
    """Values divided by a constant."""

    step: Rescale

    def apply(self, batch: Array, xp: ModuleType, state: State) -> Array:
        """A rescaled batch."""
        return _floats(batch, xp) / self.step.divisor


class FittedFlatten(FittedStep):
    """Rows of one dimension."""

    def apply(self, batch: Array, xp: ModuleType, state: State) -> Array:
        """A batch of shape `(batch, values)`."""
        flat: Array = xp.reshape(batch, (-1, *self.shape))
        return flat


class _Applying(Protocol):
    """An object of the user's code."""

    def apply(self, rows: Array) -> object:
        """Prepared rows."""


class FittedOwn(FittedStep):
    """A step of the user's code; its state is what `fit` leaves in the attributes of the object."""

    step: OwnStep

    def learn(self, data: TrainingRows) -> State:
        """The attributes that are not as the constructor left them.

        Raises:
            CodeError: the user's code raised an error, or an attribute cannot be kept.
            IncompatibleSpec: the rows do not fit into memory.
        """
        name = self.step.function
        if isinstance(data.x, Streamed):
            message = f"{name} needs rows in memory, but these are read when they are needed"
            raise IncompatibleSpec("NN123", ("dataset", "prepare"), message)
        instance = self._instance()
        before = copy.deepcopy(vars(instance))
        if fit := getattr(instance, "fit", None):
            code.seed_python(0)
            _run(fit, np.concatenate([*data.chunks(data.rows)]))
        learned = {}
        for key, value in vars(instance).items():
            array = np.asarray(value)
            if key in before and _is_equal(before[key], value):
                continue
            if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
                raise CodeError(
                    f"{name}.fit sets {key!r} to something else than finite numbers, which a run cannot "
                    "keep; keep a number or an array"
                )
            learned[key] = array
        return learned

    def shaped(self, rows: Array) -> FittedStep:
        """With the shape that `apply` gives a row."""
        return replace(self, shape=self._applied(rows, self.state).shape[1:])

    def parse_state(self, state: Mapping[str, object]) -> State:
        """Arrays of finite numbers."""
        arrays = {name: np.asarray(value) for name, value in state.items()}
        for name, values in arrays.items():
            if values.dtype.kind not in "biuf" or not np.isfinite(values).all():
                raise ValueError(f"no finite numbers for {name}")
        return arrays

    def apply(self, batch: Array, xp: ModuleType, state: State) -> Array:
        """What `apply` returns for a batch."""
        result = self._applied(batch, state)
        if result.shape[1:] != self.shape:
            shapes = f"{result.shape[1:]} for some rows, and {self.shape} for others"
            raise CodeError(f"{self.step.function}.apply returns rows of shape {shapes}")
        return result

    def _applied(self, batch: Array, state: State) -> Array:
        instance, rows = self._instance(), np.asarray(batch, np.float64)
        for key, value in state.items():
            setattr(instance, key, value if value.ndim else value.item())
        result = np.asarray(_run(instance.apply, rows))
        if result.shape[:1] != rows.shape[:1] or result.dtype.kind not in "biuf":
            raise CodeError(
                f"{self.step.function}.apply must return numbers for each of {len(rows)} rows, got "
                f"{result.dtype} of shape {result.shape}"
            )
        return result

    def _instance(self) -> _Applying:
        known = catalogue.arguments("steps", self.step.function)
        arguments = {
            key: Path(value) if isinstance(value, str) and known[key].kind == "path" else value
            for key, value in self.step.arguments.items()
        }
        cls = cast("Callable[..., object]", code.find(self.step.function))
        return cast("_Applying", _run(cls, **arguments))


def _run(function: Callable[..., object], *values: object, **arguments: object) -> object:
    """Calls the user's code; raises CodeError with the line of an error in it."""
    try:
        return function(*values, **arguments)
    except Exception as error:
        raise code.blame(error) or error from error


def _is_equal(one: object, other: object) -> bool:
    return type(one) is type(other) and bool(np.array_equal(np.asarray(one), np.asarray(other)))


FITTED: dict[type[Step], type[FittedStep]] = {
    MultiHot: FittedMultiHot,
    Pad: FittedPad,
    Vectorize: FittedVectorize,
    Impute: FittedImpute,
    Standardize: FittedStandardize,
    Rescale: FittedRescale,
    Flatten: FittedFlatten,
    OwnStep: FittedOwn,
}


@dataclass(frozen=True)
class Preparation:
    """Fitted steps.

    Args:
        steps: in order.
        shape: of one row of the model's input.
        dtype: `float32`, or `int32` for word indices.
        stored_expanded: whether `store` does all the work and `expand` none.
    """

    steps: tuple[FittedStep, ...]
    shape: tuple[int, ...]
    dtype: str
    stored_expanded: bool

    @classmethod
    def of(
        cls, steps: tuple[FittedStep, ...], x: Input, input_shape: tuple[int, ...]
    ) -> Preparation:
        """A preparation for rows like `x`, each of shape `input_shape` before the first step.

        Of windows, the steps apply to rows of the table.
        """
        if isinstance(x, Windows):
            of_rows = cls.of(steps, x.table, input_shape)
            shape = (len(x.offsets), *of_rows.shape)
            return cls(steps, shape, of_rows.dtype, stored_expanded=True)
        shape = steps[-1].shape if steps else input_shape
        dtype = prepared_dtype([fitted.step for fitted in steps])
        if isinstance(x, Streamed):
            return cls(steps, shape, dtype, stored_expanded=False)
        grows = isinstance(x, Sequences) or x.dtype.kind != "f"
        small = len(x) * math.prod(shape) * 4 <= EXPANDED_BYTES
        # The device runs no Python.
        own = any(isinstance(fitted, FittedOwn) for fitted in steps)
        return cls(steps, shape, dtype, dtype == "int32" or not grows or small or own)

    def store(self, x: Inputs) -> Array | Streamed | Windows:
        """Rows as they are kept in memory: an array of shape `(rows, ...)`, or windows over one."""
        assert not isinstance(x, NamedInputs)
        if isinstance(x, Windows):
            table = replace(self, shape=self.shape[1:]).store(x.table)
            assert isinstance(table, np.ndarray)
            return replace(x, table=table)
        compact = _compact(x, self.steps)
        if not self.stored_expanded:
            return compact
        state = [fitted.state for fitted in self.steps]
        chunks = [
            self._apply(chunk, np, state) for chunk in _chunks(compact, np.arange(len(compact)))
        ]
        return np.concatenate(chunks) if chunks else np.empty((0, *self.shape), self.dtype)

    def is_sparse(self, x: Inputs) -> bool:
        """Whether rows are multi-hot vectors with at most one word per 32 columns.

        Sparse rows are faster up to one word in 20, but take three times the memory there. Repeated
        words count, so that the answer does not depend on the rows of a fold.
        """
        if len(self.steps) != 1 or not isinstance(x, Sequences):
            return False
        [only] = self.steps
        return only.is_multi_hot and 32 * len(x.values) <= len(x) * math.prod(only.shape)

    def distinct(self, x: Inputs) -> Sequences:
        """Sparse rows as distinct word indices; used instead of `store`."""
        [only] = self.steps
        assert isinstance(x, Sequences)
        return distinct(only.renumber(x), *only.shape)

    def word_numbers(self, vocabulary: Mapping[int, str]) -> dict[str, int]:
        """The number that the model gets for each word that it knows, given those of the data set."""
        first = self.steps[0]
        indices = np.array(sorted(vocabulary), np.int64)
        numbers = first.renumber(Sequences(indices, np.array([0, len(indices)]))).values
        known = first.knows(indices)
        pairs = zip(indices[known].tolist(), numbers[known].tolist(), strict=True)
        return {vocabulary[index]: number for index, number in pairs}

    @property
    def size(self) -> int:
        """The number of values in one row of the model's input."""
        return math.prod(self.shape)

    @property
    def state(self) -> tuple[State, ...]:
        """The state of each step, as far as `expand` needs it."""
        return () if self.stored_expanded else tuple(fitted.state for fitted in self.steps)

    def expand(self, batch: Array, xp: ModuleType, state: Sequence[State]) -> Array:
        """A batch of the model's input, of shape `(batch, *shape)`.

        Args:
            batch: stored rows.
            xp: `numpy` or `keras.ops`.
            state: `self.state`, or tensors in its place.
        """
        return batch if self.stored_expanded else self._apply(batch, xp, state)

    def _apply(self, batch: Array, xp: ModuleType, state: Sequence[State]) -> Array:
        for fitted, learned in zip(self.steps, state, strict=True):
            batch = fitted.apply(batch, xp, learned)
        prepared: Array = xp.array(batch, dtype=self.dtype)
        return prepared


@dataclass(frozen=True)
class NamedPreparation:
    """The preparation of each of several inputs, by the name of the input."""

    parts: Mapping[str, Preparation]

    @property
    def shape(self) -> dict[str, tuple[int, ...]]:
        """Of one row of each input."""
        return {name: part.shape for name, part in self.parts.items()}

    @property
    def dtype(self) -> dict[str, str]:
        """Of each input."""
        return {name: part.dtype for name, part in self.parts.items()}

    @property
    def size(self) -> int:
        """The number of values in one row of all inputs."""
        return sum(part.size for part in self.parts.values())

    @property
    def state(self) -> dict[str, tuple[State, ...]]:
        """As of each input's preparation."""
        return {name: part.state for name, part in self.parts.items()}

    def is_sparse(self, x: Inputs) -> bool:
        """Never: only a single input is kept so."""
        return False

    def distinct(self, x: Inputs) -> Sequences:
        """Not used, because no rows are sparse."""
        raise NotImplementedError

    def store(self, x: Inputs) -> dict[str, Array | Streamed | Windows]:
        """Rows as they are kept in memory, by input."""
        assert isinstance(x, NamedInputs)
        return {name: part.store(x.parts[name]) for name, part in self.parts.items()}


AnyPreparation = Preparation | NamedPreparation


def fit(
    steps: Sequence[Step], x: Input, *, rows: Array, groups: Sequence[range] = ()
) -> Preparation:
    """Fits each step on training rows after the steps before it; arguments as for `TrainingRows`.

    Raises:
        IncompatibleSpec: a step cannot be applied to such data.
    """
    if isinstance(x, Windows):
        table, spanned = x.table, np.arange(len(x.table))[x.spanned(rows)]
        of_rows = fit(steps, table, rows=spanned, groups=groups)
        return Preparation.of(of_rows.steps, x, table.shape[1:])
    check_steps(steps, texts=isinstance(x, Sequences))
    input_shape = shape = () if isinstance(x, Sequences) else x.shape[1:]
    before: tuple[FittedStep, ...] = ()
    for step in steps:
        shape = step.shape_after(shape)
        fitted = FITTED[type(step)](step, shape)
        data = TrainingRows(x, rows, groups, before)
        fitted = replace(fitted, state=fitted.learn(data))
        if not step.shape_is_known:
            fitted = fitted.shaped(next(data.chunks(rows[:1])))
            shape = fitted.shape
        before = (*before, fitted)
    return Preparation.of(before, x, input_shape)


def packed(x: Sequences, dimension: int) -> Array:
    """One bit per row and word: shape `(rows, bytes)`, 32 times smaller than floats."""
    bits = np.zeros((len(x), math.ceil(dimension / 8)), dtype=np.uint8)
    for rows, owners, words in _word_chunks(x, CHUNK_ROWS):
        hot = np.zeros((len(bits[rows]), dimension), dtype=bool)
        hot[owners, words] = True
        bits[rows] = np.packbits(hot, axis=1)
    return bits


def distinct(x: Sequences, dimension: int) -> Sequences:
    """The distinct words of each row, int32, in the order of their last occurrence."""
    kept = np.empty(len(x.values), dtype=bool)
    # The last position of each word in each row; few rows, so that it fits the CPU cache.
    last = np.empty(_FEW_ROWS * dimension, dtype=np.int32)
    for rows, owners, words in _word_chunks(x, _FEW_ROWS):
        positions = np.arange(len(words), dtype=np.int32)
        cells = owners * dimension + words
        last[cells] = positions
        kept[x.offsets[rows.start] : x.offsets[rows.stop]] = last[cells] == positions
    offsets = np.concatenate([[0], np.cumsum(kept)])[x.offsets]
    return Sequences(x.values[kept].astype(np.int32), offsets.astype(np.int64))


def _word_chunks(x: Sequences, size: int) -> Iterator[tuple[slice, Array, Array]]:
    """Yields chunks of rows: which rows, the row of each word within the chunk, and the words."""
    for start in range(0, len(x), size):
        stop = min(start + size, len(x))
        owners = np.repeat(np.arange(stop - start), np.diff(x.offsets[start : stop + 1]))
        yield slice(start, stop), owners, x.values[x.offsets[start] : x.offsets[stop]]


def _most_frequent(column: Array) -> float:
    """The most frequent finite value, or the smallest of several."""
    values, counts = np.unique(column[np.isfinite(column)], return_counts=True)
    return float(values[counts.argmax()])


def _floats(values: Array, xp: ModuleType) -> Array:
    # float64 keeps large, close values apart, but devices calculate in float32.
    floats: Array = xp.array(values, dtype="float64" if xp is np else "float32")
    return floats


def _compact(x: Input, steps: Sequence[FittedStep]) -> Array | Streamed:
    assert not isinstance(x, Windows)
    return steps[0].encode(x) if isinstance(x, Sequences) else x


def _chunks(x: Array | Streamed, rows: Array) -> Iterator[Array]:
    """Rows, a chunk of limited size in float64 at a time."""
    many = max(1, min(CHUNK_ROWS, _CHUNK_BYTES // (8 * max(1, math.prod(x.shape[1:])))))
    return (x[rows[start : start + many]] for start in range(0, len(rows), many))
