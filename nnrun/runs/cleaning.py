"""Which runs may go, and why. Deletes nothing: that is `remove`."""

from __future__ import annotations

import math
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from nnrun.errors import CommandError, NnrunError, RunError
from nnrun.runs import layout
from nnrun.runs.folder import reason, take
from nnrun.runs.making import find
from nnrun.runs.run import Run
from nnrun.spec.text import format_size

_AGE = re.compile(r"(\d+(?:\.\d+)?) *([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 24 * 7}
_LONGEST = timedelta.max / timedelta(hours=1)
_SIZE = re.compile(r"(\d+(?:\.\d+)?) *([kmgt]?)b?", re.IGNORECASE)
_BYTES = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}


@dataclass(frozen=True)
class Rules:
    """Which runs may go: those of which every given rule says so. None is given by default.

    Args:
        named: the folders of these runs.
        statuses: runs that ended so.
        age: runs that ended longer ago.
        keep_best: all but so many of each experiment's name.
        max_size: the oldest of those that the other rules agree on, until all runs together take
            so many bytes.
    """

    named: frozenset[Path] | None = None
    statuses: frozenset[str] | None = None
    age: timedelta | None = None
    keep_best: int | None = None
    max_size: int | None = None

    @property
    def are_given(self) -> bool:
        """Whether there is any."""
        return any(rule is not None for rule in vars(self).values())


@dataclass(frozen=True)
class RunInfo:
    """What the rules look at.

    Args:
        status: `running` also while only a fold of it is.
        ended: when it ended; when it began where it did not say; None where it says neither.
        bytes: what it takes on the disk.
    """

    run: Run
    status: str
    ended: datetime | None
    bytes: int


@dataclass(frozen=True)
class Standing:
    """The place of a run among those of its name.

    Args:
        place: counted from 1, the best; None where it cannot be judged.
        of: how many can.
        metric: what `compare` judges them by.
    """

    place: int | None
    of: int
    metric: str


@dataclass(frozen=True)
class Removal:
    """A run that may go, with what each rule says of it."""

    subject: RunInfo
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """Which runs may go, oldest first.

    Args:
        staying: how many runs stay.
        left: the bytes that these take.
    """

    removals: tuple[Removal, ...]
    staying: int
    left: int

    @property
    def freed(self) -> int:
        """The bytes of those that may go."""
        return sum(removal.subject.bytes for removal in self.removals)


def age(text: str) -> timedelta:
    """Reads hours, days or weeks.

    Raises:
        CommandError: it is none.

    Example:
        >>> age("36h"), age("2w")
        (datetime.timedelta(days=1, seconds=43200), datetime.timedelta(days=14))
    """
    found = _AGE.fullmatch(text.strip())
    hours = float(found[1]) * _HOURS[found[2]] if found else math.inf
    if hours > _LONGEST:
        message = "must be hours, days or weeks, such as 36h, 30d or 2w"
        raise CommandError(f"--older-than {text}: {message}")
    return timedelta(hours=hours)


def bytes_of(text: str) -> int:
    """Reads a size; each unit is a thousand times the one before.

    Raises:
        CommandError: it is none.

    Example:
        >>> bytes_of("2G"), bytes_of("1.5 MB")
        (2000000000, 1500000)
    """
    found = _SIZE.fullmatch(text.strip())
    amount = float(found[1]) * _BYTES[found[2].lower()] if found else math.inf
    if not math.isfinite(amount):
        raise CommandError(f"--max-size {text}: must be a size, such as 500M or 2G")
    return int(amount)


def read(run: Run) -> RunInfo:
    """Reads what the rules look at.

    Raises:
        NotARun: the folder holds no run.
        RunError: its record cannot be read.
    """
    record, status = run.record(), run.status()
    ended = _time(record.ended) or _time(record.started)
    return RunInfo(run, layout.RUNNING if is_at_work(run) else status, ended, disk_usage(run.path))


def _time(written: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(written))
        return found.astimezone().replace(tzinfo=None) if found.tzinfo else found
    except (ValueError, OverflowError):
        return None


def plan(
    subjects: Sequence[RunInfo],
    rules: Rules,
    *,
    now: datetime,
    standings: Mapping[Path, Standing] | None = None,
) -> Plan:
    """Applies the rules.

    Args:
        subjects: all runs there are; a running one may not go, whatever the rules say.
        rules: at least one; without any all runs would agree with all of them.
        now: from which ages are counted.
        standings: of all runs that `keep_best` may let go; another stays.
    """
    judged = ((subject, _reasons(subject, rules, now, standings or {})) for subject in subjects)
    removals = [Removal(subject, reasons) for subject, reasons in judged if reasons is not None]
    removals.sort(key=lambda removal: removal.subject.ended or datetime.max)
    if rules.max_size is not None:
        total = sum(subject.bytes for subject in subjects)
        removals = list(_until_it_fits(removals, total, rules.max_size))
    going = {id(removal.subject) for removal in removals}
    staying = [subject.bytes for subject in subjects if id(subject) not in going]
    return Plan(tuple(removals), len(staying), sum(staying))


def _reasons(
    subject: RunInfo, rules: Rules, now: datetime, standings: Mapping[Path, Standing]
) -> tuple[str, ...] | None:
    """Why each given rule lets a run go; None where one of them does not."""
    if subject.status == layout.RUNNING:
        return None
    found = []
    if rules.named is not None:
        found.append("named" if subject.run.path in rules.named else None)
    if rules.statuses is not None:
        found.append(subject.status if subject.status in rules.statuses else None)
    if rules.age is not None:
        found.append(_too_old(subject, rules.age, now))
    if rules.keep_best is not None:
        found.append(_not_best(subject, rules.keep_best, standings.get(subject.run.path)))
    reasons = tuple(reason for reason in found if reason is not None)
    return reasons if len(reasons) == len(found) else None


def _too_old(subject: RunInfo, limit: timedelta, now: datetime) -> str | None:
    if subject.ended is None or now - subject.ended <= limit:
        return None
    days, rest = divmod(now - subject.ended, timedelta(days=1))
    amount, unit = (days, "day") if days else (rest // timedelta(hours=1), "hour")
    return f"{amount} {unit}{'' if amount == 1 else 's'} old"


def _not_best(subject: RunInfo, keep: int, standing: Standing | None) -> str | None:
    if standing is None:
        return None
    if standing.place is None:
        # A finished run without a number for the metric is no candidate for the best either.
        lacking = standing.metric or "metrics"
        state = f"no {lacking}" if subject.status == layout.FINISHED else subject.status
        return f"not ranked: {state}"
    if standing.place <= keep:
        return None
    return f"number {standing.place} of {standing.of} by {standing.metric}"


def _until_it_fits(removals: Iterable[Removal], total: int, limit: int) -> Iterator[Removal]:
    for removal in removals:
        if total <= limit:
            return
        reason = f"{format_size(total)} in all, above {format_size(limit)}"
        yield replace(removal, reasons=(*removal.reasons, reason))
        total -= removal.subject.bytes


# What run folders take on the disk, and how one goes: hidden at once, then deleted.

# Before the name of a run that is being deleted. What starts with a dot is no run, so half of one
# is never taken for a whole.
_GOING = ".nnrun-removing-"


def disk_usage(path: Path) -> int:
    """Bytes of all files of a folder; a link counts as itself, what cannot be read as nothing."""
    if path.is_symlink():
        return path.lstat().st_size
    total, waiting = 0, [str(path)]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    total += _bytes(entry)
    return total


def _bytes(file: os.DirEntry[str]) -> int:
    """Those of a passing file that is gone by now are none."""
    try:
        return file.stat(follow_symlinks=False).st_size
    except OSError:
        return 0


def removable(root: Path) -> list[Run]:
    """The runs that lie in a folder themselves, oldest first; a link to one is none of them."""
    return [run for run in find(root) if not _is_linked(run)]


def _is_linked(run: Run) -> bool:
    return run.path.is_symlink() or (run.path / layout.RUN).is_symlink()


def leftovers(root: Path) -> list[Path]:
    """What is left of runs whose removal was cut short."""
    if not os.path.isdir(root):  # noqa: PTH112
        return []
    with os.scandir(root) as entries:
        return sorted(
            root / entry.name
            for entry in entries
            if entry.name.startswith(_GOING) and entry.is_dir(follow_symlinks=False)
        )


def is_at_work(run: Run) -> bool:
    """Whether it is running, or a fold of it: workers outlive a killed process for some seconds.

    Raises:
        RunError: its record cannot be read.
    """
    parts = (Run(found.parent) for found in run.path.glob(f"*/{layout.RUN}"))
    return run.status() == layout.RUNNING or any(map(_is_running, parts))


def _is_running(part: Run) -> bool:
    try:
        return part.status() == layout.RUNNING
    except NnrunError:
        # Each record is moved into place as a whole, so a broken one is an old one.
        return False


def remove(run: Run) -> None:
    """Deletes a run. Whatever ends this half way, what is left is no run any more.

    Raises:
        RunError: it is running, or it may not be deleted; then nothing of it is gone, or what is
            left is one of the `leftovers`.
    """
    if is_at_work(run):
        raise RunError(f"{run.path} cannot be removed: it is running")
    if locked := _locked(run.path):
        raise RunError(f"{run.path} cannot be removed: {locked} is read-only")
    hidden = run.path.with_name(f"{_GOING}{run.path.name}")
    try:
        held = take(run.path)
        if held is None:
            raise RunError(f"{run.path} cannot be removed: it is running")
        run.path.rename(hidden)
    except OSError as error:
        raise RunError(f"{run.path} cannot be removed: {reason(error)}") from error
    held.release()
    remove_leftover(hidden)


def remove_leftover(hidden: Path) -> None:
    """Deletes what is left of a run.

    Raises:
        RunError: some of it may not be deleted.
    """
    while hidden.is_dir():
        try:
            shutil.rmtree(hidden)
        except FileNotFoundError:
            continue  # another process is at the same work
        except OSError as error:
            message = f"{hidden} is removed only in part: {reason(error)}; the next clean goes on"
            raise RunError(message) from error


def _locked(path: Path) -> Path | None:
    """A folder without which the run cannot be deleted as a whole, and that may not be changed."""
    folders = (path.parent, *(Path(folder) for folder, _, _ in os.walk(path)))
    needed = os.R_OK | os.W_OK | os.X_OK
    return next((folder for folder in folders if not os.access(folder, needed)), None)
