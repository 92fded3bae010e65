"""Values that the stages pass to each other. All can be pickled."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[Any]
else:
    # NumPy takes 0.1 s to load, and `nnrun list` does not need it.
    Array = Any

Logs = Mapping[str, float]
"""Keras's logs of one epoch: metric name to value."""


Active = Literal["augment", "mc-dropout"]
"""Random layers that are active in predictions, by the option that activates them."""


@dataclass
class History:
    """One value per metric and epoch, under Keras's names."""

    epochs: dict[str, list[float]] = field(default_factory=dict)

    def append(self, logs: Logs) -> None:
        """Adds one epoch; a missing metric is NaN, so that all lists have the same length."""
        before = len(self)
        for name in logs:
            self.epochs.setdefault(name, [math.nan] * before)
        for name, values in self.epochs.items():
            values.append(float(logs.get(name, math.nan)))

    def cut(self, epochs: int) -> None:
        """Deletes all but the first `epochs` epochs, also one that was added only in part."""
        for values in self.epochs.values():
            del values[epochs:]

    def __len__(self) -> int:
        return max(map(len, self.epochs.values()), default=0)

    @property
    def monitor(self) -> str:
        """The loss that selects the best epoch."""
        return "val_loss" if "val_loss" in self.epochs else "loss"

    def best_epoch(self, monitor: str | None = None, *, highest: bool = False) -> int | None:
        """The epoch of the lowest monitored loss, counted from 1; None if no value is finite.

        Args:
            monitor: another metric.
            highest: whether its highest value is the best.
        """
        values = self.epochs.get(monitor or self.monitor, [])
        return lowest_epoch([-value for value in values] if highest else values)

    def row(self, epoch: int) -> dict[str, float]:
        """The metrics of one epoch, counted from 0."""
        return {name: values[epoch] for name, values in self.epochs.items()}


def lowest_epoch(values: Sequence[float]) -> int | None:
    """The epoch of the lowest value, counted from 1; None if no value is finite."""
    if not any(map(math.isfinite, values)):
        return None
    return min((value, epoch) for epoch, value in enumerate(values, 1) if not math.isnan(value))[1]


@dataclass(frozen=True)
class Interval:
    """A metric with its 95 % interval; `low` and `high` are None if it has none."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Sequences:
    """Rows of different length, concatenated.

    Args:
        values: all elements, ints of shape `(elements,)`.
        offsets: row `i` is `values[offsets[i]:offsets[i + 1]]`; ints of shape `(rows + 1,)`.
    """

    values: Array
    offsets: Array

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, rows: slice | Array) -> Sequences:
        import numpy as np  # noqa: PLC0415 - NumPy loads where rows are read

        numbers = np.arange(len(self))[rows]
        lengths = self.lengths()[numbers]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        return Sequences(self.values[np.repeat(self.offsets[numbers], lengths) + within], offsets)

    def row(self, index: int) -> Array:
        """One row, a view of shape `(length,)`."""
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def lengths(self) -> Array:
        """Elements per row, shape `(rows,)`."""
        return self.offsets[1:] - self.offsets[:-1]


def offsets(lengths: Array) -> Array:
    """The offsets of rows of these lengths, for `Sequences`."""
    import numpy as np  # noqa: PLC0415 - NumPy loads where rows are read

    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


@dataclass(frozen=True)
class Streamed:
    """Rows of bytes that do not fit into memory and are read when needed.

    Args:
        shape: `(rows, ...)`, the shape of an array of all rows.
        read: reads rows by their numbers; can be pickled, and called from any thread.
    """

    shape: tuple[int, ...]
    read: Callable[[Array], Array]

    @property
    def ndim(self) -> int:
        """Of an array of all rows."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """Of an array of all rows."""
        import numpy as np  # noqa: PLC0415 - NumPy loads where rows are read

        return np.dtype(np.uint8)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | Array) -> Array:
        import numpy as np  # noqa: PLC0415 - NumPy loads where rows are read

        return self.read(np.arange(len(self))[rows])


@dataclass(frozen=True)
class Windows:
    """Windows over the rows of a table. They overlap, so each row is stored once.

    Args:
        table: rows of shape `(rows, features)`, one series after another.
        starts: the first row of each window, ints of shape `(windows,)`.
        offsets: the rows of a window, counted from its first row; ints of shape `(length,)`.
    """

    table: Array
    starts: Array
    offsets: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an array of all windows."""
        return (len(self.starts), len(self.offsets), *self.table.shape[1:])

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, windows: slice | Array) -> Windows:
        spanned, starts = self._spanned(windows), self.starts[windows]
        moved = spanned.cumsum() - 1
        return Windows(self.table[_rows(spanned)], moved[starts], self.offsets)

    def spanned(self, windows: slice | Array) -> slice | Array:
        """The rows of the table from the first to the last row of some windows."""
        return _rows(self._spanned(windows))

    def _spanned(self, windows: slice | Array) -> Array:
        import numpy as np  # noqa: PLC0415 - NumPy loads where rows are read

        starts, size = self.starts[windows], len(self.table) + 1
        ends = starts + self.offsets[-1] + 1
        changes = np.bincount(starts, minlength=size) - np.bincount(ends, minlength=size)
        return np.asarray(changes.cumsum()[:-1] > 0)

    def gathered(self) -> Array:
        """All windows as one array."""
        windows: Array = self.table[self.starts[:, None] + self.offsets]
        return windows


def _rows(chosen: Array) -> slice | Array:
    """Rows that are chosen, as a slice if they follow each other, which copies nothing."""
    rows = chosen.nonzero()[0]
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


Input = Array | Sequences | Streamed | Windows
"""Rows of one input: an array of shape `(rows, ...)`, sequences, rows to be read, or windows."""


@dataclass(frozen=True)
class NamedInputs:
    """Rows of a model with several inputs, by the name of the input."""

    parts: Mapping[str, Input]

    def __len__(self) -> int:
        return len(next(iter(self.parts.values())))

    def __getitem__(self, rows: slice | Array) -> NamedInputs:
        return NamedInputs({name: x[rows] for name, x in self.parts.items()})


Inputs = Input | NamedInputs
"""Rows as loaded."""


@dataclass(frozen=True)
class Split:
    """Rows of a data set.

    Args:
        x: inputs as loaded, compact: bytes stay bytes.
        y: class numbers, ints of shape `(rows,)`; or values, floats of shape `(rows, ...)`.
        rows: the number of each row in the file that it comes from; None for rows in order.
        groups: the group of each row, ints; rows of one group stay together in every split.
        weights: how much each row counts in the training loss, floats.
        held_out: which rows validate, bools.
        tests: the name of the test set of each row, if there are several.
        naive: the label of the last row of each window, which a naive forecast repeats.
    """

    x: Inputs
    y: Array
    rows: Array | None = None
    groups: Array | None = None
    weights: Array | None = None
    held_out: Array | None = None
    tests: Array | None = None
    naive: Array | None = None

    def select(self, chosen: Array) -> Split:
        """Some rows of this split."""
        more = (self.groups, self.weights, self.held_out, self.tests, self.naive)
        selected = (None if values is None else values[chosen] for values in more)
        return Split(self.x[chosen], self.y[chosen], self.row_numbers(chosen), *selected)

    def view(self, name: str) -> Split:
        """The same rows with one of several inputs."""
        assert isinstance(self.x, NamedInputs)
        return replace(self, x=self.x.parts[name])

    @property
    def single(self) -> Input:
        """The rows of the only input."""
        assert not isinstance(self.x, NamedInputs)
        return self.x

    @property
    def test_sets(self) -> dict[str, Array]:
        """The rows of each of several test sets, by their positions."""
        if self.tests is None:
            return {}
        return {name: (self.tests == name).nonzero()[0] for name in dict.fromkeys(self.tests)}

    def row_numbers(self, selected: Array) -> Array:
        """The numbers of some rows in the file that they come from."""
        return selected if self.rows is None else self.rows[selected]

    def positions(self, numbers: Array) -> Array:
        """The positions in this split of rows with these numbers."""
        if self.rows is None:
            return numbers
        order = self.rows.argsort()
        return order[self.rows[order].searchsorted(numbers)]

    def __len__(self) -> int:
        return len(self.y)


Tokenizer = Literal["tokenizer", "text_vectorization"]


@dataclass(frozen=True)
class Vocabulary:
    """How the words of a text become indices.

    Args:
        words: the index of each word that the model can know.
        start: index that begins every text; None if there is none.
        unknown: index of any other word; None if such words are left out.
        tokenizer: how a text is split into words.
    """

    words: Mapping[str, int]
    start: int | None
    unknown: int | None
    tokenizer: Tokenizer = "tokenizer"


@dataclass(frozen=True)
class Column:
    """A column of a user's table.

    Args:
        categories: its words, in order; None for numbers.
        first: the number of the first category if a cell becomes one number; None if every
            category has its own column.
    """

    name: str
    categories: tuple[str, ...] | None = None
    first: int | None = None


TargetKind = Literal["class", "labels", "value", "inputs"]


@dataclass(frozen=True)
class Target:
    """What a label means.

    Args:
        name: such as `digit` or `price in 1000 $`.
        kind: `class` for one of several classes, `labels` for any number of them, `value` for
            numbers, `inputs` for the prepared inputs themselves.
        names: of the classes or labels, or of several values; a range of numbers where the names
            are not known before the rows are read.
        shape: of the label of one row; empty for one number.
    """

    name: str = "class"
    kind: TargetKind = "value"
    names: tuple[str, ...] | range = ()
    shape: tuple[int, ...] = ()

    @classmethod
    def one_of(cls, name: str, classes: tuple[str, ...] | range) -> Target:
        """One of some classes per row; a value if there are none."""
        return cls(name, "class" if classes else "value", classes)

    @property
    def class_count(self) -> int:
        """The number of classes of a row or of each of its positions; 0 without classes."""
        return len(self.names) if self.kind == "class" else 0

    @property
    def classes(self) -> tuple[str, ...] | range:
        """The names of the classes if each row has one class; else empty."""
        return self.names if self.kind == "class" and not self.shape else ()


@dataclass(frozen=True, kw_only=True)
class InputFacts:
    """Facts about one input of a data set.

    Args:
        features: one name per column of a table, else empty.
        columns: of a user's table, the source of its features.
        vocabulary: for texts, a function that reads the word of each index.
        words: for texts, a function that reads how new texts are encoded.
        highest: the largest possible pixel value; None if it is the largest one in the rows.
    """

    features: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    vocabulary: Callable[[], Mapping[int, str]] | None = None
    words: Callable[[], Vocabulary] | None = None
    highest: float | None = None


@dataclass(frozen=True)
class Dataset(InputFacts):
    """A loaded data set.

    Args:
        name: its name in the spec.
        train, test: its rows, in the order of its source.
        target: the meaning of a label.
        source: a digest of the files that the rows come from, if there are files.
        inputs: the facts about each of several inputs, by name; empty if there is one.
    """

    name: str
    train: Split
    test: Split
    target: Target = Target()
    source: str | None = None
    inputs: Mapping[str, InputFacts] = field(default_factory=dict)

    @property
    def views(self) -> dict[str, Dataset]:
        """A data set with each input alone, by its name; the data set itself if it has one."""
        if not self.inputs:
            return {"": self}
        return {name: self._view(name, facts) for name, facts in self.inputs.items()}

    def _view(self, name: str, facts: InputFacts) -> Dataset:
        train, test = (split.view(name) for split in (self.train, self.test))
        return replace(self, train=train, test=test, inputs={}, **vars(facts))

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes if each row has one class; else empty."""
        return tuple(map(str, self.target.classes))


@dataclass(frozen=True)
class Fold:
    """The rows that train and the rows that validate.

    Args:
        train, validation: row numbers, ints; `validation` may be empty.
        number: counted from 1; 0 for a hold-out.
    """

    train: Array
    validation: Array
    number: int = 0


class Observer:
    """Receives the progress of one training, or of all folds of a cross-validation.

    Every method does nothing here: an observer overrides those that it needs.
    """

    def stage(self, text: str) -> None:
        """A step that takes a while begins, such as `reading imdb`."""

    def run_began(self, path: Path, parts: int = 1) -> None:
        """The run has its folder; `parts` trainings follow."""

    def notice(self, text: str) -> None:
        """The user should know this."""

    def epoch_began(self, epoch: int, epochs: int, steps: int) -> None:
        """An epoch begins, counted from 0."""

    def steps_done(self, step: int) -> None:
        """The first `step` steps of the epoch are done."""

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        """An epoch is over, validation included; repeated if an interrupt cut this call off."""

    def part_observer(self, part: str) -> Observer:
        """The observer of a part of a cross-validation, such as `fold-1`."""
        return self

    def part_ended(self, part: str, error: str | None) -> None:
        """A part is over; `error` says why it failed."""
