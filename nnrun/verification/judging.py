"""A run beside its repetition, file by file, and the verdict on all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nnrun import layout
from nnrun.errors import NnrunError, RunError
from nnrun.verification import comparing, files, unsealed, weights
from nnrun.verification.comparing import DIFFERENT, IDENTICAL, WITHIN, Comparison
from nnrun.verification.files import Damage
from nnrun.verification.unsealed import Leaves, Unsealed

HISTORY = "history"
METRICS = "metrics"
PREDICTIONS = "predictions"
PREPARATION = "preparation"
WEIGHTS = "weights"
OPTIMIZER = "optimizer"
OPTIMIZER_PREFIX = "optimizer/"

TOLERANCE = 1e-4
"""How far a value may be off by default, relative to the value or to the largest of its array.

It lies between what rounding does and what a change does. With sums in another order, as another
engine has them, weights came out within 3e-5 after 8,000 steps and losses within 1e-6; with a
learning rate that is 1 % higher, weights were off by 4e-2 and losses by 1e-2 after 288 steps.
"""

_Read = Callable[[Unsealed], Leaves]


def _of(read: Callable[[Unsealed, str], Leaves], name: str) -> _Read:
    return lambda run: read(run, name)


# In the order in which one leads to the next.
_FILES = {
    layout.PREPARATION: (PREPARATION, _of(unsealed.document, layout.PREPARATION)),
    layout.METRICS: (METRICS, _of(unsealed.document, layout.METRICS)),
    layout.PREDICTIONS: (PREDICTIONS, _of(unsealed.arrays, layout.PREDICTIONS)),
    layout.CONFUSION: (PREDICTIONS, _of(unsealed.lines, layout.CONFUSION)),
    layout.REPORT: (PREDICTIONS, _of(unsealed.document, layout.REPORT)),
}


@dataclass(frozen=True)
class Judged:
    """All comparisons of a run with its repetition.

    Args:
        tolerance: the largest relative difference that is not called different.
        damaged: files of the run that are not as it wrote them.
    """

    comparisons: tuple[Comparison, ...]
    damaged: tuple[Damage, ...]
    tolerance: float

    @property
    def verdict(self) -> str:
        """The worst of all comparisons; a damaged file is as bad as a different one."""
        found = {each.verdict(self.tolerance) for each in self.comparisons}
        if DIFFERENT in found or self.damaged:
            return DIFFERENT
        return WITHIN if WITHIN in found else IDENTICAL

    def of(self, what: str) -> list[Comparison]:
        """The comparisons of one kind."""
        return [each for each in self.comparisons if each.what == what]


@dataclass(frozen=True)
class Pair:
    """A part of a run and the same part of its repetition."""

    part: str
    kept: Unsealed
    repeated: Unsealed

    @property
    def is_whole(self) -> bool:
        """Whether it came to its end, so that all its files count."""
        return bool(self.kept.record()["status"] == layout.FINISHED)


def pairs(kept: Path, repeated: Path) -> Iterator[Pair]:
    """A run beside its repetition, then part by part, as far as the run has them."""
    yield Pair("", Unsealed(kept), Unsealed(repeated))
    for path in files.parts(Unsealed(kept)):
        if (path / layout.RUN).is_file():
            yield Pair(path.name, Unsealed(path), Unsealed(repeated / path.name))


def compare(pair: Pair) -> Iterator[Comparison]:
    """Compares what both hold; of a run that did not end its epochs alone.

    The model of a run that was stopped is that of the moment, perhaps in the middle of an epoch.
    """
    yield from _history(pair)
    if pair.is_whole:
        for name, (what, read) in _FILES.items():
            yield from _file(pair, what, name, read)
        yield from _model(pair)


def _history(pair: Pair) -> Iterator[Comparison]:
    epochs = _epochs(pair)
    yield from _file(pair, HISTORY, layout.JOURNAL, lambda run: unsealed.history(run, epochs))
    yield from _file(pair, HISTORY, layout.HISTORY, lambda run: unsealed.history_again(run, epochs))


def _epochs(pair: Pair) -> int | None:
    """How many epochs count: of a run that did not end those there are."""
    if pair.is_whole:
        return None
    try:
        return len(pair.kept.history())
    except RunError:
        return None


def _file(pair: Pair, what: str, name: str, read: _Read) -> Iterator[Comparison]:
    """A file that not every run has; one that is missing beside the repetition's differs."""
    if not pair.kept.holds(name) and not (pair.is_whole and pair.repeated.holds(name)):
        return
    try:
        kept, repeated = read(pair.kept), read(pair.repeated)
        found = comparing.compare(kept, repeated, by_value=name != layout.PREDICTIONS)
    except NnrunError as error:
        yield _unreadable(pair, what, name, error)
        return
    yield Comparison(pair.part, what, name, _extent(what, name, repeated), *found)


def _unreadable(pair: Pair, what: str, name: str, error: NnrunError) -> Comparison:
    reason = str(error).removeprefix(f"{pair.kept.path}/")
    return Comparison(pair.part, what, name, "-", 0, error=reason)


def _extent(what: str, name: str, leaves: Leaves) -> str:
    if what == HISTORY:
        epochs = max((len(column) for column in leaves.values()), default=0)
        return f"{_count(epochs, 'epoch')} × {_count(len(leaves), 'metric')}"
    if name == layout.PREDICTIONS and "output" in leaves:
        return f"{len(leaves['output']):,} rows"
    return _count(len(leaves), "value")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _model(pair: Pair) -> Iterator[Comparison]:
    if not pair.repeated.holds(layout.MODEL):
        return
    try:
        with (
            weights.opened(pair.kept.path / layout.MODEL) as kept,
            weights.opened(pair.repeated.path / layout.MODEL) as repeated,
        ):
            for what in (WEIGHTS, OPTIMIZER):
                yield _of_model(pair, what, _own(kept, what), _own(repeated, what))
    except RunError as error:
        yield _unreadable(pair, WEIGHTS, layout.MODEL, error)


def _own(leaves: Leaves, what: str) -> Leaves:
    """Those of the optimizer, or all others."""
    return {
        name: leaf
        for name, leaf in leaves.items()
        if name.startswith(OPTIMIZER_PREFIX) == (what == OPTIMIZER)
    }


def _of_model(pair: Pair, what: str, kept: Leaves, repeated: Leaves) -> Comparison:
    found = comparing.compare(kept, repeated, by_value=False)
    extent = f"{_count(len(repeated), 'array')}, {_count(found[0], 'number')}"
    return Comparison(pair.part, what, layout.MODEL, extent, *found)


def judge(
    kept: Path, repeated: Path, damaged: Sequence[Damage], *, tolerance: float = TOLERANCE
) -> Judged:
    """Compares a run with its repetition.

    Args:
        kept: the folder of the run.
        repeated: that of the repetition, finished or ended as the run did.
        damaged: what `files.check` found.
        tolerance: as of `Judged`.
    """
    found = tuple(each for pair in pairs(kept, repeated) for each in compare(pair))
    return Judged(found, tuple(damaged), tolerance)
