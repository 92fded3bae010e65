"""Which files of a run are not as the run wrote them. Trains nothing, loads nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nnrun import layout
from nnrun.errors import NotARun, RunError
from nnrun.runs import Run

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
            names = [layout.RUN, *each.record()["files"]]
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
    except RunError:
        record = {}
    folds = record.get("folds") if record.get("status") == layout.FINISHED else None
    # A stranger's record may say anything.
    known = folds if isinstance(folds, list) else []
    numbers = [fold.get("number") for fold in known if isinstance(fold, dict)]
    meant = [run.path / layout.fold(number) for number in numbers if isinstance(number, int)]
    return sorted({*there, *meant}, key=_in_order)


def _in_order(path: Path) -> tuple[int, str]:
    """`fold-2` before `fold-10`."""
    return len(path.name), path.name
