"""Compares a run with its repetition, file by file, and gives a verdict."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import h5py
import numpy as np

from nnrun.errors import NnrunError, RunError
from nnrun.runs import layout
from nnrun.runs.verify import files
from nnrun.runs.verify.files import Damage, Leaves, UnverifiedRun, flat
from nnrun.spec.files import opened
from nnrun.spec.text import count
from nnrun.types import Array

IDENTICAL = "identical"
WITHIN = "within tolerance"
DIFFERENT = "different"

HISTORY = "history"
PREDICTIONS = "predictions"
WEIGHTS = "weights"
OPTIMIZER = "optimizer"

TOLERANCE = 1e-4
"""Default tolerance, relative to the value or to the largest value of its array.

It lies between rounding errors and real changes. With another order of summation, as in another
engine, weights were within 3e-5 after 8,000 steps and losses within 1e-6; with a learning rate 1 %
higher, weights were off by 4e-2 and losses by 1e-2 after 288 steps.
"""

# Each file of a run with its kind, in the order in which one leads to the next.
_KINDS = {
    layout.JOURNAL: HISTORY,
    layout.HISTORY: HISTORY,
    layout.PREPARATION: "preparation",
    layout.METRICS: "metrics",
    layout.PREDICTIONS: PREDICTIONS,
    layout.CONFUSION: PREDICTIONS,
    layout.REPORT: PREDICTIONS,
    layout.VALUES: PREDICTIONS,
}

WEIGHTS_FILE = "model.weights.h5"
CONFIG_FILE = "config.json"
_MAX_CONFIG_BYTES = 50_000_000  # more than a model of thousands of layers needs
_UNREADABLE = (OSError, ValueError, KeyError, RuntimeError, TypeError, zipfile.BadZipFile)


@dataclass(frozen=True)
class First:
    """The first value that differs.

    Args:
        name: of the column, the value or the array.
        index: in the array; empty for a single value.
        kept, repeated: the value in the run and in its repetition; None if it is missing.
    """

    name: str
    index: tuple[int, ...]
    kept: object
    repeated: object


class Difference(NamedTuple):
    """Number of compared and of differing values; arguments as of `Comparison`."""

    values: int
    differing: int = 0
    largest: float = 0.0
    first: First | None = None


@dataclass(frozen=True)
class Comparison:
    """One file of a run, or a part of it, compared with that of the repetition.

    Args:
        part: the folder inside the run, such as `fold-1`; empty for the run itself.
        what: the kind, such as `weights`.
        extent: how much was compared, such as `2 epochs × 4 metrics`.
        differing: how many of them are not bit-identical.
        largest: the largest relative difference; infinite if something is missing, has another
            shape, or is not finite.
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
class Judged:
    """All comparisons of a run with its repetition, and the damaged files of the run."""

    comparisons: tuple[Comparison, ...]
    damaged: tuple[Damage, ...]
    tolerance: float

    @property
    def verdict(self) -> str:
        """The worst verdict of all comparisons; a damaged file counts as different."""
        verdicts = {comparison.verdict(self.tolerance) for comparison in self.comparisons}
        if DIFFERENT in verdicts or self.damaged:
            return DIFFERENT
        return WITHIN if WITHIN in verdicts else IDENTICAL

    def of(self, what: str) -> list[Comparison]:
        """The comparisons of one kind."""
        return [comparison for comparison in self.comparisons if comparison.what == what]


@dataclass(frozen=True)
class Pair:
    """A run, or a part of it, and its repetition."""

    part: str
    kept: UnverifiedRun
    repeated: UnverifiedRun

    @property
    def is_whole(self) -> bool:
        """Whether the run is finished, so that all its files count."""
        return self.kept.record().status == layout.FINISHED


def judge(
    kept: Path, repeated: Path, damaged: Sequence[Damage], *, tolerance: float = TOLERANCE
) -> Judged:
    """Compares a run with its repetition.

    Args:
        tolerance: the largest relative difference that counts as equal.
    """
    comparisons = tuple(each for pair in pairs(kept, repeated) for each in _compare(pair))
    return Judged(comparisons, tuple(damaged), tolerance)


def pairs(kept: Path, repeated: Path) -> Iterator[Pair]:
    """A run and its repetition, then each existing part of the run and its repetition."""
    yield Pair("", UnverifiedRun(kept), UnverifiedRun(repeated))
    for path in files.parts(UnverifiedRun(kept)):
        if (path / layout.RUN).is_file():
            yield Pair(path.name, UnverifiedRun(path), UnverifiedRun(repeated / path.name))


def _compare(pair: Pair) -> Iterator[Comparison]:
    """Compares all files, or only the epochs of a stopped run: its model may be within an epoch."""
    if pair.is_whole:
        for name in _KINDS:
            yield from _compare_file(pair, name, None)
        yield from _compare_models(pair)
        return
    try:
        epochs = len(pair.kept.history())
    except RunError:
        epochs = None
    for name in (layout.JOURNAL, layout.HISTORY):
        yield from _compare_file(pair, name, epochs)


def _compare_file(pair: Pair, name: str, epochs: int | None) -> Iterator[Comparison]:
    """Compares a file; one that is missing in the run but not in the repetition differs."""
    if not pair.kept.holds(name) and not (pair.is_whole and pair.repeated.holds(name)):
        return
    what = _KINDS[name]
    try:
        kept, repeated = pair.kept.leaves(name, epochs), pair.repeated.leaves(name, epochs)
        if not any(map(_is_later, kept)):
            repeated = {path: leaf for path, leaf in repeated.items() if not _is_later(path)}
        difference = compare_values(kept, repeated, by_value=name != layout.PREDICTIONS)
    except NnrunError as error:
        yield _unreadable(pair, what, name, error)
        return
    if what == HISTORY:
        rows = max((len(column) for column in repeated.values()), default=0)
        extent = f"{count(rows, 'epoch')} × {count(len(repeated), 'metric')}"
    elif name == layout.PREDICTIONS and "output" in repeated:
        extent = f"{len(repeated['output']):,} rows"
    else:
        extent = count(len(repeated), "value")
    yield Comparison(pair.part, what, name, extent, *difference)


def _is_later(path: str) -> bool:
    """Whether a value is one that older versions did not write."""
    return path.startswith("ensemble.")


def _unreadable(pair: Pair, what: str, name: str, error: NnrunError) -> Comparison:
    reason = str(error).removeprefix(f"{pair.kept.path}/")
    return Comparison(pair.part, what, name, "-", 0, error=reason)


def _compare_models(pair: Pair) -> Iterator[Comparison]:
    if not pair.repeated.holds(layout.MODEL):
        return
    try:
        with (
            _open_model(pair.kept.path / layout.MODEL) as kept,
            _open_model(pair.repeated.path / layout.MODEL) as repeated,
        ):
            for what in (WEIGHTS, OPTIMIZER):
                old, new = (
                    {
                        name: leaf
                        for name, leaf in leaves.items()
                        if name.startswith("optimizer/") == (what == OPTIMIZER)
                    }
                    for leaves in (kept, repeated)
                )
                difference = compare_values(old, new, by_value=False)
                extent = f"{count(len(new), 'array')}, {count(difference.values, 'number')}"
                yield Comparison(pair.part, what, layout.MODEL, extent, *difference)
    except RunError as error:
        yield _unreadable(pair, WEIGHTS, layout.MODEL, error)


def compare_values(kept: Leaves, repeated: Leaves, *, by_value: bool) -> Difference:
    """Compares value by value.

    Args:
        by_value: whether a difference is relative to the value itself; otherwise to the largest
            value of the array, because for a weight near zero the error matters only in proportion
            to the other weights.
    """
    names = dict.fromkeys((*kept, *repeated))
    all_of_them = [_difference(name, kept, repeated, by_value=by_value) for name in names]
    return Difference(
        sum(each.values for each in all_of_them),
        sum(each.differing for each in all_of_them),
        max((each.largest for each in all_of_them), default=0.0),
        next((each.first for each in all_of_them if each.first), None),
    )


def _difference(name: str, kept: Leaves, repeated: Leaves, *, by_value: bool) -> Difference:
    old, new = kept.get(name), repeated.get(name)
    if isinstance(old, str) or isinstance(new, str) or old is None or new is None:
        if isinstance(old, str) and old == new:
            return Difference(1)
        return Difference(1, 1, math.inf, First(name, (), _shown(old), _shown(new)))
    # Before it is read: a file can claim an array larger than the memory.
    if old.shape != new.shape or old.dtype != new.dtype:
        size = max(1, math.prod(new.shape))
        return Difference(size, size, math.inf, First(name, (), _form(old), _form(new)))
    old, new = np.asarray(old[()]), np.asarray(new[()])
    if old.tobytes() == new.tobytes():
        return Difference(old.size)
    # Bitwise, so that 0.0 and -0.0 differ and NaN equals itself.
    bits = (np.ascontiguousarray(array).reshape(-1).view(np.uint8) for array in (old, new))
    left, right = (array.reshape(old.size, old.dtype.itemsize) for array in bits)
    differs = (left != right).any(axis=1).reshape(old.shape)
    at = tuple(int(index) for index in np.unravel_index(int(np.argmax(differs)), old.shape))
    first = First(name, at, old[at].item(), new[at].item())
    largest = _relative(old, new, differs, by_value=by_value)
    return Difference(old.size, int(differs.sum()), largest, first)


def _shown(leaf: Array | str | None) -> object:
    if leaf is None or isinstance(leaf, str):
        return leaf
    return float(leaf) if leaf.shape == () else _form(leaf)


def _form(array: Array) -> str:
    if len(array.shape) == 1:
        return f"{array.shape[0]:,} values"
    return f"{array.dtype} of shape {tuple(array.shape)}"


def _relative(old: Array, new: Array, differs: Array, *, by_value: bool) -> float:
    """The largest relative difference."""
    if old.dtype.kind not in "biuf":
        return math.inf
    left, right = old[differs].astype(float), new[differs].astype(float)
    equal = (left == right) | (np.isnan(left) & np.isnan(right))
    left, right = left[~equal], right[~equal]
    if not np.isfinite(left).all() or not np.isfinite(right).all():
        return math.inf
    if by_value:
        scale = np.maximum(abs(left), abs(right))
    else:
        every = np.concatenate([old.reshape(-1), new.reshape(-1)]).astype(float)
        scale = abs(every[np.isfinite(every)]).max(initial=0.0) or 1.0
    return float((abs(left - right) / scale).max(initial=0.0))


# A `.keras` file is read without Keras. It may come from another user: none of its code is run, no
# other file is opened for it, and no array is read that is larger than the one it is compared with.


@contextmanager
def _open_model(path: Path) -> Iterator[Leaves]:
    """The arrays of a model by name, such as `layers/dense/vars/0`; each is read when indexed."""
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(opened(path))))
            # HDF5 seeks a lot, which an archive is slow at.
            unpacked = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(_open_member(archive, WEIGHTS_FILE), unpacked)
            datasets = _datasets(stack.enter_context(h5py.File(unpacked, "r")))
        except _UNREADABLE as error:
            raise RunError(f"{path}: cannot be read: {error}") from error
        yield datasets


def _open_member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """Opens a member; a compressed one could be a thousand times as large as the file."""
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} in it is packed, as Keras does not do it")
    if name == CONFIG_FILE and member.file_size > _MAX_CONFIG_BYTES:
        raise ValueError(f"{CONFIG_FILE} in it has {member.file_size:,} bytes")
    return archive.open(member)


def _datasets(file: h5py.File) -> Mapping[str, h5py.Dataset]:
    items: dict[str, h5py.Dataset] = {}
    # Follows no link into another file.
    file.visititems(lambda name, item: items.update({name: item}) and None)
    items = {name: item for name, item in items.items() if isinstance(item, h5py.Dataset)}
    for name, item in items.items():
        if item.external or item.is_virtual:
            raise ValueError(f"{name} in it lies in another file")
    return items


def config(path: Path) -> dict[str, object]:
    """The configuration of a model (layers, optimizer, loss), each value under its path."""
    try:
        with opened(path) as file, zipfile.ZipFile(file) as archive:
            return dict(flat(json.load(_open_member(archive, CONFIG_FILE))))
    except (*_UNREADABLE, RecursionError) as error:
        raise RunError(f"{path}: cannot be read: {error}") from error
