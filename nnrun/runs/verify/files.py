"""Which files of a run are not as the run wrote them. Trains nothing, loads nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nnrun.errors import CommandError, NotARun, RunError
from nnrun.runs import Run, history_table, layout
from nnrun.types import History

EDITED = "was damaged or edited since the run wrote it"
GONE = "is not there any more"


@dataclass(frozen=True)
class Damage:
    """A file that is not as it was written.

    Args:
        part: the folder inside the run, such as `fold-1`; empty for the run itself.
        name: from `layout`.
        reason: what is wrong with it, in a sentence that begins with the verb.
    """

    part: str
    name: str
    reason: str

    @property
    def file(self) -> str:
        """Its path inside the run."""
        return f"{self.part}/{self.name}" if self.part else self.name


@dataclass(frozen=True)
class Checked:
    """What was found in a run folder: how many files were read, of how many bytes, and damage."""

    path: Path
    files: int
    bytes: int
    damaged: tuple[Damage, ...]


def check(run: Run) -> Checked:
    """Compares every file that a run lists with its digest; that of a cross-validation in each fold.

    The log has no digest, because it goes on after the end of a run.

    Raises:
        NotARun: the folder holds no run.
    """
    count = size = 0
    damaged: list[Damage] = []
    for part in (run.path, *parts(run)):
        inside = "" if part == run.path else part.name
        each = Run(part)
        try:
            names = [layout.RUN, *each.record().files]
        except NotARun:
            if not inside:
                raise
            damaged.append(Damage(inside, layout.RUN, GONE))
            continue
        except RunError:
            # Without the list nothing is known of the other files.
            damaged.append(Damage(inside, layout.RUN, EDITED))
            continue
        damaged += [
            Damage(inside, name, reason) for name, reason in _damaged(each, names, inside=inside)
        ]
        found = [part / name for name in names if (part / name).is_file()]
        count += len(found)
        size += sum(path.stat().st_size for path in found)
    return Checked(run.path, count, size, tuple(damaged))


def _damaged(run: Run, names: list[str], *, inside: str) -> Iterator[tuple[str, str]]:
    for name in names:
        path = run.path / name
        # A list that somebody has edited could name any file of the machine.
        if not path.resolve().is_relative_to(run.path.resolve()):
            yield name, "does not lie in the folder of the run"
        elif not path.is_file():
            yield name, GONE
        elif name != layout.RUN:
            yield from _reason(run, name)
    if layout.JOURNAL not in names:
        yield from _growing(run)


def _reason(run: Run, name: str) -> Iterator[tuple[str, str]]:
    try:
        run.whole(name)
    except RunError as error:
        reason = str(error).removeprefix(f"{run.path / name}: ")
        yield name, reason if "read" in reason else EDITED


def _growing(run: Run) -> Iterator[tuple[str, str]]:
    """The table of epochs of a run that did not end: each line has a checksum."""
    try:
        run.history()
    except (RunError, ValueError) as error:
        yield layout.JOURNAL, str(error).removeprefix(f"{run.path / layout.JOURNAL}: ")


def parts(run: Run) -> list[Path]:
    """The folders inside a cross-validation that are, or should be, runs themselves."""
    there = [path.parent for path in run.path.glob(f"*/{layout.RUN}")]
    try:
        record = run.record()
        folds = record.folds or [] if record.status == layout.FINISHED else []
    except RunError:
        folds = []
    return sorted({*there, *(run.path / layout.fold(fold.number) for fold in folds)}, key=_in_order)


def _in_order(path: Path) -> tuple[int, str]:
    """`fold-2` before `fold-10`."""
    return len(path.name), path.name


# A run folder read as it is, whether or not a digest is right: what it holds is compared anyway.

Leaves = Mapping[str, Any]
"""What a file holds, by name: arrays, or what has a shape and can be read like one; and texts."""

# Differ with the clock, not with what was computed.
_OF_TIME = ("seconds",)


class UnverifiedRun(Run):
    """A run whose digests are not asked for; `files.check` says which of them are wrong."""

    def _content(self) -> dict[str, Any]:
        found = self._parsed(layout.RUN, self._bytes(layout.RUN))
        return {"files": {}, **found} if isinstance(found, dict) else {}

    def holds(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self.path / name).is_file()

    def read_bytes(self, name: str) -> bytes:
        """What a file holds."""
        return self._bytes(name)

    def history(self) -> History:
        """The epochs that the table has.

        Raises:
            RunError: it is no such table.
        """
        if not self.holds(layout.JOURNAL):
            return History()
        text = self._bytes(layout.JOURNAL).decode("utf-8", errors="replace")
        growing = history_table.is_growing(text)
        try:
            return history_table.read_growing(text) if growing else history_table.read(text)
        except (ValueError, IndexError) as error:
            raise RunError(f"{self.path / layout.JOURNAL}: cannot be read: {error}") from error


def history(run: UnverifiedRun, epochs: int | None) -> Leaves:
    """A column per metric, floats of shape `(epochs,)`; no more epochs than asked for."""
    columns = run.history().epochs
    return {name: np.array(values[:epochs], dtype=float) for name, values in columns.items()}


def history_again(run: UnverifiedRun, epochs: int | None) -> Leaves:
    """The same out of `history.json`, where there is one."""
    found = run.read_json(layout.HISTORY) if run.holds(layout.HISTORY) else {}
    if not isinstance(found, dict) or not all(isinstance(each, list) for each in found.values()):
        raise RunError(f"{run.path / layout.HISTORY}: holds no history")
    try:
        # None, which stands for what is no number, becomes NaN.
        return {name: np.array(values[:epochs], dtype=float) for name, values in found.items()}
    except (TypeError, ValueError) as error:
        raise RunError(f"{run.path / layout.HISTORY}: holds no history: {error}") from error


def document(run: UnverifiedRun, name: str) -> Leaves:
    """Every value of a file of JSON under its path, but for what the clock has a part in."""
    found = run.read_json(name)
    if not isinstance(found, dict):
        raise RunError(f"{run.path / name}: is no mapping")
    known = {key: value for key, value in found.items() if key not in _OF_TIME}
    return {path: _leaf(value) for path, value in flat(known)}


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in mappings and lists, with its path.

    Example:
        >>> dict(flat({"a": {"b": 1, "c": [2, None]}}))
        {'a.b': 1, 'a.c[0]': 2, 'a.c[1]': None}
    """
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flat(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from flat(item, f"{path}[{at}]")
    else:
        yield path, value


def _leaf(value: Any) -> Any:
    """A number as an array of no dimension; all else as a text."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return np.array(value, dtype=float) if is_number else str(value)


def lines(run: UnverifiedRun, name: str) -> Leaves:
    """The lines of a file of text."""
    text = run.read_bytes(name).decode("utf-8", errors="replace")
    return {f"line {at}": line for at, line in enumerate(text.splitlines(), start=1)}


def arrays(run: UnverifiedRun, name: str) -> Leaves:
    """The arrays of a NumPy archive."""
    return run.read_arrays(name)


# What is to be verified, and whether it can be.


@dataclass(frozen=True)
class VerifyTarget:
    """A run that can be repeated.

    Args:
        run: read as it is.
        status: with `crashed` for one whose process is gone.
        epochs: how many there are; of a cross-validation in its longest fold.
        damaged: its files that are not as it wrote them.
    """

    run: UnverifiedRun
    status: str
    epochs: int
    damaged: tuple[Damage, ...]

    @property
    def has_folds(self) -> bool:
        """Whether it is a cross-validation."""
        return self.run.record().kind == "kfold"

    @property
    def overrides(self) -> list[str]:
        """What is left out of the repetition of a run that did not come to its end.

        No callback and no schedule of a spec asks how many epochs there are to be, so the first
        ones are the same whatever their number.
        """
        if self.status == layout.FINISHED:
            return []
        if not self.has_folds:
            return [f"training.epochs={self.epochs}"]
        final = UnverifiedRun(self.run.path / layout.FINAL)
        return [] if final.holds(layout.RUN) else ["validation.kfold.final=false"]


def verify_target(path: Path) -> VerifyTarget:
    """Looks at a run before it is repeated.

    Raises:
        NotARun: the folder holds no run.
        CommandError: it is a part of one, or at work, or there is nothing to repeat or compare.
    """
    run = UnverifiedRun(path)
    try:
        record, status = run.record(), run.status()
    except RunError as error:
        raise CommandError(f"{path} cannot be verified: {error}") from error
    if record.kind == "fold":
        raise CommandError(f"{path} is a fold; `nnrun verify {path.resolve().parent}` verifies all")
    if record.verb not in ("train", "kfold"):
        raise CommandError(f"{path} is no training, but of `nnrun {record.verb}`")
    if status == layout.RUNNING:
        raise CommandError(f"{path} is still running, as process {record.pid}")
    if not run.holds(layout.SPEC):
        raise CommandError(f"{path} has no {layout.SPEC} to be repeated from")
    epochs = _epochs(run)
    if not epochs and status != layout.FINISHED:
        raise CommandError(f"{path}: {status} before its first epoch ended; nothing to compare")
    return VerifyTarget(run, status, epochs, check(run).damaged)


def _epochs(run: UnverifiedRun) -> int:
    """Of a run, or of its longest fold; what cannot be read counts as none."""
    counts = [0]
    for path in (run.path, *parts(run)):
        try:
            counts.append(len(UnverifiedRun(path).history()))
        except RunError:
            continue
    return max(counts)
