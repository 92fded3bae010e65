"""A run beside its repetition, file by file, and the verdict on all of it."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nnrun.errors import NnrunError, RunError
from nnrun.runs import layout
from nnrun.runs.verify import files
from nnrun.runs.verify.files import Damage, Leaves, UnverifiedRun, flat
from nnrun.types import Array

# How far what a run holds is from what its repetition holds.

IDENTICAL = "identical"
WITHIN = "within tolerance"
DIFFERENT = "different"


@dataclass(frozen=True)
class First:
    """The first value that differs.

    Args:
        name: of the column, the value or the array.
        index: where in it; empty for a single value.
        kept, repeated: the value in the run and in its repetition; None where one lacks it.
    """

    name: str
    index: tuple[int, ...]
    kept: Any
    repeated: Any


@dataclass(frozen=True)
class Comparison:
    """One file of a run, or a part of it, beside that of the repetition.

    Args:
        part: the folder inside the run, such as `fold-1`; empty for the run itself.
        what: the kind, such as `weights`.
        file: from `layout`.
        extent: how much was compared, such as `2 epochs × 4 metrics`.
        values: how many were compared.
        differing: how many of them are not equal to the bit.
        largest: the largest relative difference; infinite where something is missing, has another
            shape, or is no number.
        first: where the first difference is.
        error: why the file could not be read, if so.
    """

    part: str
    what: str
    file: str
    extent: str
    values: int
    differing: int = 0
    largest: float = 0.0
    first: First | None = None
    error: str | None = None

    def verdict(self, tolerance: float) -> str:
        """`identical`, `within tolerance` or `different`."""
        if self.error or self.largest > tolerance:
            return DIFFERENT
        return WITHIN if self.differing else IDENTICAL


@dataclass(frozen=True)
class _Distance:
    values: int
    differing: int
    largest: float
    first: First | None


def compare_values(
    kept: Leaves, repeated: Leaves, *, by_value: bool
) -> tuple[int, int, float, Any]:
    """Compares value by value.

    Args:
        kept: of the run.
        repeated: of its repetition.
        by_value: whether a difference is relative to the value itself; else to the largest of its
            array, because what a weight near zero is off by means nothing beside the others.

    Returns:
        As in `Comparison`: values, differing, largest and first.

    Raises:
        RunError: an array cannot be read.
    """
    names = dict.fromkeys((*kept, *repeated))
    found = [_distance(name, kept, repeated, by_value=by_value) for name in names]
    return (
        sum(each.values for each in found),
        sum(each.differing for each in found),
        max((each.largest for each in found), default=0.0),
        next((each.first for each in found if each.first), None),
    )


def _distance(name: str, kept: Leaves, repeated: Leaves, *, by_value: bool) -> _Distance:
    old, new = kept.get(name), repeated.get(name)
    if isinstance(old, str) or isinstance(new, str) or old is None or new is None:
        if isinstance(old, str) and old == new:
            return _Distance(1, 0, 0.0, None)
        return _Distance(1, 1, math.inf, First(name, (), _shown(old), _shown(new)))
    # Before it is read: a file can claim an array larger than the memory.
    if old.shape != new.shape or old.dtype != new.dtype:
        first = First(name, (), _kind(old), _kind(new))
        count = max(1, math.prod(new.shape))
        return _Distance(count, count, math.inf, first)
    return _of_arrays(name, np.asarray(old[()]), np.asarray(new[()]), by_value=by_value)


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    return float(value) if value.shape == () else _kind(value)


def _kind(value: Any) -> str:
    if len(value.shape) == 1:
        return f"{value.shape[0]:,} values"
    return f"{value.dtype} of shape {tuple(value.shape)}"


def _of_arrays(name: str, old: Array, new: Array, *, by_value: bool) -> _Distance:
    if old.tobytes() == new.tobytes():
        return _Distance(old.size, 0, 0.0, None)
    differs = _differs(old, new)
    at = tuple(int(index) for index in np.unravel_index(int(np.argmax(differs)), old.shape))
    first = First(name, at, old[at].item(), new[at].item())
    largest = _relative(old, new, differs, by_value=by_value)
    return _Distance(old.size, int(differs.sum()), largest, first)


def _differs(old: Array, new: Array) -> Array:
    """Which values are not equal to the bit, so that 0.0 and -0.0 differ and a NaN equals itself."""
    bits = (np.ascontiguousarray(each).reshape(-1).view(np.uint8) for each in (old, new))
    left, right = (each.reshape(old.size, old.dtype.itemsize) for each in bits)
    found: Array = (left != right).any(axis=1).reshape(old.shape)
    return found


def _relative(old: Array, new: Array, differs: Array, *, by_value: bool) -> float:
    if old.dtype.kind not in "biuf":
        return math.inf
    left, right = old[differs].astype(float), new[differs].astype(float)
    equal = (left == right) | (np.isnan(left) & np.isnan(right))
    left, right = left[~equal], right[~equal]
    if not np.isfinite(left).all() or not np.isfinite(right).all():
        return math.inf
    scale = np.maximum(abs(left), abs(right)) if by_value else _largest(old, new)
    return float((abs(left - right) / scale).max(initial=0.0))


def _largest(old: Array, new: Array) -> float:
    each = np.concatenate([old.reshape(-1), new.reshape(-1)]).astype(float)
    return float(abs(each[np.isfinite(each)]).max(initial=0.0)) or 1.0


# What a `.keras` file holds, read without Keras: its arrays, and how the model is described.
#
# The file may be a stranger's. Nothing in it is run, no other file is opened for it, and no array is
# read that is larger than the one it is compared with.

WEIGHTS_FILE = "model.weights.h5"
CONFIG_FILE = "config.json"
# A description of a model of thousands of layers is smaller.
_MOST_CONFIG_BYTES = 50_000_000
_DAMAGE = (OSError, ValueError, KeyError, RuntimeError, TypeError, zipfile.BadZipFile)


@contextmanager
def opened(path: Path) -> Iterator[Mapping[str, h5py.Dataset]]:
    """The arrays of a model by their names, such as `layers/dense/vars/0`; each read when asked for.

    Raises:
        RunError: it is no such file.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(h5py.File(stack.enter_context(_unpacked(path)), "r"))
            found = dict(_datasets(file))
        except _DAMAGE as error:
            raise RunError(f"{path}: cannot be read: {error}") from error
        yield found


@contextmanager
def _unpacked(path: Path) -> Iterator[Any]:
    """The weights as a file of their own: HDF5 jumps to and fro, which an archive is slow at."""
    with (
        zipfile.ZipFile(path) as archive,
        archive.open(_plain(archive, WEIGHTS_FILE)) as packed,
        tempfile.TemporaryFile() as file,
    ):
        shutil.copyfileobj(packed, file)
        yield file


def _plain(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """A member as Keras writes it; a packed one could be a thousand times as large as the file."""
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} in it is packed, as Keras does not do it")
    return member


def _datasets(file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    found: dict[str, h5py.Dataset] = {}
    # Follows no link into another file.
    file.visititems(lambda name, each: found.update({name: each}) and None)
    for name, each in found.items():
        if isinstance(each, h5py.Dataset):
            if each.external or each.is_virtual:
                raise ValueError(f"{name} in it lies in another file")
            yield name, each


def config(path: Path) -> dict[str, Any]:
    """How the model is described: layers, optimizer, loss; each value under its path.

    Raises:
        RunError: it is no such file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member = _plain(archive, CONFIG_FILE)
            if member.file_size > _MOST_CONFIG_BYTES:
                raise ValueError(f"{CONFIG_FILE} in it has {member.file_size:,} bytes")
            return dict(flat(json.loads(archive.read(member))))
    except (*_DAMAGE, RecursionError) as error:
        raise RunError(f"{path}: cannot be read: {error}") from error


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

_Read = Callable[[UnverifiedRun], Leaves]


def _of(read: Callable[[UnverifiedRun, str], Leaves], name: str) -> _Read:
    return lambda run: read(run, name)


# In the order in which one leads to the next.
_FILES = {
    layout.PREPARATION: (PREPARATION, _of(files.document, layout.PREPARATION)),
    layout.METRICS: (METRICS, _of(files.document, layout.METRICS)),
    layout.PREDICTIONS: (PREDICTIONS, _of(files.arrays, layout.PREDICTIONS)),
    layout.CONFUSION: (PREDICTIONS, _of(files.lines, layout.CONFUSION)),
    layout.REPORT: (PREDICTIONS, _of(files.document, layout.REPORT)),
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
    kept: UnverifiedRun
    repeated: UnverifiedRun

    @property
    def is_whole(self) -> bool:
        """Whether it came to its end, so that all its files count."""
        return self.kept.record().status == layout.FINISHED


def pairs(kept: Path, repeated: Path) -> Iterator[Pair]:
    """A run beside its repetition, then part by part, as far as the run has them."""
    yield Pair("", UnverifiedRun(kept), UnverifiedRun(repeated))
    for path in files.parts(UnverifiedRun(kept)):
        if (path / layout.RUN).is_file():
            yield Pair(path.name, UnverifiedRun(path), UnverifiedRun(repeated / path.name))


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
    yield from _file(pair, HISTORY, layout.JOURNAL, lambda run: files.history(run, epochs))
    yield from _file(pair, HISTORY, layout.HISTORY, lambda run: files.history_again(run, epochs))


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
        found = compare_values(kept, repeated, by_value=name != layout.PREDICTIONS)
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
            opened(pair.kept.path / layout.MODEL) as kept,
            opened(pair.repeated.path / layout.MODEL) as repeated,
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
    found = compare_values(kept, repeated, by_value=False)
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
