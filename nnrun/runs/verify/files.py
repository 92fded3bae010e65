"""Finds damaged files of a run, and reads them anyway to compare them. Trains nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnrun.errors import CommandError, NotARun, RunError
from nnrun.runs import Run, history_table, layout
from nnrun.types import Array, History

EDITED = "was damaged or edited since the run wrote it"
GONE = "is missing"

Leaves = Mapping[str, Array | str]
"""The content of a file by name: arrays (or HDF5 data sets, read when indexed) and text."""


@dataclass(frozen=True)
class Damage:
    """A file that differs from what the run wrote.

    Args:
        part: the folder inside the run, such as `fold-1`; empty for the run itself.
        reason: a sentence that begins with the verb.
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
    """The checked files of a run folder: their number, their bytes, and the damaged ones."""

    path: Path
    files: int
    bytes: int
    damaged: tuple[Damage, ...]


def check(run: Run) -> Checked:
    """Compares every listed file of a run, and of each fold, with its digest.

    The log has no digest, because it is still written to after the end of a run.
    """
    if not (run.path / layout.RUN).exists():
        raise NotARun(f"{run.path} is no run: it has no {layout.RUN}")
    paths: list[Path] = []
    damaged: list[Damage] = []
    for folder in (run.path, *parts(run)):
        part = "" if folder == run.path else folder.name
        listed = Run(folder)
        try:
            names = [layout.RUN, *listed.record().files]
        except NotARun:
            damaged.append(Damage(part, layout.RUN, GONE))
            continue
        except RunError:
            # Without the digests nothing is known of the other files.
            damaged.append(Damage(part, layout.RUN, EDITED))
            continue
        paths += [folder / name for name in names if (folder / name).is_file()]
        checked = dict.fromkeys([*names, layout.JOURNAL])
        reasons = ((name, _damage(listed, name)) for name in checked)
        damaged += [Damage(part, name, reason) for name, reason in reasons if reason]
    return Checked(run.path, len(paths), sum(path.stat().st_size for path in paths), tuple(damaged))


def _damage(run: Run, name: str) -> str:
    """The reason why a file is damaged, or nothing."""
    path = run.path / name
    is_growing = name == layout.JOURNAL and not run.is_listed(name)
    # An edited record could list any file of the machine.
    if not path.resolve().is_relative_to(run.path.resolve()):
        return "is not in the folder of the run"
    if not path.is_file() and not is_growing:
        return GONE
    try:
        if is_growing:
            run.history()
        elif name != layout.RUN:
            run.whole(name)
    except RunError as error:
        return str(error).removeprefix(f"{path}: ")
    return ""


def parts(run: Run) -> list[Path]:
    """The folders of all folds that exist, or that a finished cross-validation should have."""
    folders = {part.path for part in run.parts()}
    try:
        record = run.record()
    except RunError:
        record = None
    if record and record.folds and record.status == layout.FINISHED:
        folders |= {run.path / layout.fold(fold.number) for fold in record.folds}
    # `fold-2` before `fold-10`.
    return sorted(folders, key=lambda path: (len(path.name), path.name))


class UnverifiedRun(Run):
    """A run that is read without comparing digests; `check` does that."""

    def _content(self) -> dict[str, object]:
        content = self._parsed(layout.RUN, self._bytes(layout.RUN))
        return content if isinstance(content, dict) else {}

    def holds(self, name: str) -> bool:
        """Whether the file exists."""
        return (self.path / name).is_file()

    def read_bytes(self, name: str) -> bytes:
        """The content of a file."""
        return self._bytes(name)

    def history(self) -> History:
        """All epochs of the table."""
        if not self.holds(layout.JOURNAL):
            return History()
        text = self._bytes(layout.JOURNAL).decode("utf-8", errors="replace")
        read = history_table.read_growing if history_table.is_growing(text) else history_table.read
        try:
            return read(text)
        except (ValueError, IndexError) as error:
            raise RunError(f"{self.path / layout.JOURNAL}: cannot be read: {error}") from error

    def leaves(self, name: str, epochs: int | None) -> Leaves:
        """Everything to compare in a file, by its path inside the file.

        Args:
            epochs: how many epochs of a history count; None for all.
        """
        match name:
            case layout.PREDICTIONS:
                return self.read_arrays(name)
            case layout.CONFUSION:
                lines = self.read_bytes(name).decode("utf-8", errors="replace").splitlines()
                return {f"line {number}": line for number, line in enumerate(lines, start=1)}
            case layout.JOURNAL:
                content: object = self.history().epochs
            case _:
                content = self.read_json(name)
        if not isinstance(content, dict):
            raise RunError(f"{self.path / name}: is not a mapping")
        if name not in (layout.JOURNAL, layout.HISTORY):
            # Seconds depend on the clock, not on the computation.
            values = {key: value for key, value in content.items() if key != "seconds"}
            return {
                path: np.array(value, float) if type(value) in (int, float) else str(value)
                for path, value in flat(values)
            }
        try:
            # None, which stands for NaN, becomes NaN.
            return {key: np.array(values[:epochs], float) for key, values in content.items()}
        except (TypeError, ValueError) as error:
            raise RunError(f"{self.path / name}: holds no history: {error}") from error


def flat(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every value in nested mappings and lists, with its path.

    Example:
        >>> dict(flat({"a": {"b": 1, "c": [2, None]}}))
        {'a.b': 1, 'a.c[0]': 2, 'a.c[1]': None}
    """
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flat(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from flat(item, f"{path}[{index}]")
    else:
        yield path, value


@dataclass(frozen=True)
class VerifyTarget:
    """A run to repeat.

    Args:
        status: `crashed` if its process is gone.
        epochs: number of epochs; for a cross-validation that of its longest fold.
    """

    run: UnverifiedRun
    status: str
    epochs: int
    damaged: tuple[Damage, ...]

    @property
    def has_folds(self) -> bool:
        """Whether the run is a cross-validation."""
        return self.run.record().kind == "kfold"

    @property
    def overrides(self) -> list[str]:
        """Overrides that shorten the repetition of an unfinished run.

        No callback and no schedule of a spec depends on the number of epochs to come, so the first
        epochs are the same for any number.
        """
        if self.status == layout.FINISHED:
            return []
        if not self.has_folds:
            return [f"training.epochs={self.epochs}"]
        has_final = (self.run.path / layout.FINAL / layout.RUN).is_file()
        return [] if has_final else ["validation.kfold.final=false"]


def verify_target(path: Path) -> VerifyTarget:
    """Reads a run before it is repeated; refuses folds, running runs and those without epochs."""
    run = UnverifiedRun(path)
    try:
        record, status = run.record(), run.status()
    except RunError as error:
        raise CommandError(f"{path} cannot be verified: {error}") from error
    if record.kind == "fold":
        raise CommandError(f"{path} is a fold; `nnrun verify {path.resolve().parent}` verifies all")
    if record.verb not in ("train", "kfold"):
        raise CommandError(f"{path} is a run of `nnrun {record.verb}`, which cannot be repeated")
    if status == layout.RUNNING:
        raise CommandError(f"{path} is still running, as process {record.pid}")
    if not run.holds(layout.SPEC):
        raise CommandError(f"{path} has no {layout.SPEC} to be repeated from")
    epochs = 0
    for folder in (path, *parts(run)):
        try:
            epochs = max(epochs, len(UnverifiedRun(folder).history()))
        except RunError:
            continue
    if not epochs and status != layout.FINISHED:
        raise CommandError(f"{path}: {status} before its first epoch ended; nothing to compare")
    return VerifyTarget(run, status, epochs, check(run).damaged)
