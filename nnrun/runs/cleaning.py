"""Selects runs to delete, and deletes them: a run is hidden at once, then deleted."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from nnrun.errors import CommandError, RunError
from nnrun.runs import layout
from nnrun.runs.folder import reason, take
from nnrun.runs.making import find
from nnrun.runs.record import local_time
from nnrun.runs.run import Run
from nnrun.spec.text import count, format_size

# Prefix of a run that is being deleted: hidden folders are never runs, so half of one is not taken
# for a whole.
_REMOVING = ".nnrun-removing-"


@dataclass(frozen=True)
class RunInfo:
    """The properties of a run that filters look at.

    Args:
        status: `running` also if only a fold is.
        ended: its end, or its start if it has none; None if it has neither.
    """

    run: Run
    status: str
    ended: datetime | None
    bytes: int


Filter = Callable[[RunInfo], str | None]
"""Gives the reason to delete a run, or None if the run does not match."""


@dataclass(frozen=True)
class Standing:
    """The rank of a run among those of its name.

    Args:
        place: from 1, the best; None if it cannot be ranked.
        metric: by which `compare` ranks them.
    """

    place: int | None
    of: int
    metric: str


@dataclass(frozen=True)
class Removal:
    """A run to delete, with a reason from each filter."""

    subject: RunInfo
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """The runs to delete, oldest first; number and bytes of those that stay."""

    removals: tuple[Removal, ...]
    staying: int
    left: int

    @property
    def freed(self) -> int:
        """The bytes of the runs to delete."""
        return sum(removal.subject.bytes for removal in self.removals)


def age(text: str) -> timedelta:
    """Parses hours, days or weeks.

    Example:
        >>> age("36h"), age("2w")
        (datetime.timedelta(days=1, seconds=43200), datetime.timedelta(days=14))
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?) *([hdw])", text.strip())
    with suppress(OverflowError):
        if match:
            return timedelta(hours=float(match[1]) * {"h": 1, "d": 24, "w": 24 * 7}[match[2]])
    message = "must be hours, days or weeks, such as 36h, 30d or 2w"
    raise CommandError(f"--older-than {text}: {message}")


def bytes_of(text: str) -> int:
    """Parses a size; each unit is a thousand times the one before.

    Example:
        >>> bytes_of("2G"), bytes_of("1.5 MB")
        (2000000000, 1500000)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?) *([kmgt]?)b?", text.strip().lower())
    with suppress(OverflowError):
        if match:
            return int(float(match[1]) * {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}[match[2]])
    raise CommandError(f"--max-size {text}: must be a size, such as 500M or 2G")


def read(run: Run) -> RunInfo:
    """Reads the properties of a run."""
    record, status = run.record(), run.status()
    ended = local_time(record.ended) or local_time(record.started)
    return RunInfo(run, layout.RUNNING if is_at_work(run) else status, ended, disk_usage(run.path))


def named(paths: Collection[Path]) -> Filter:
    """Selects the runs in these folders."""
    return lambda run: "named" if run.run.path in paths else None


def ended_as(statuses: Collection[str]) -> Filter:
    """Selects the runs with one of these statuses."""
    return lambda run: run.status if run.status in statuses else None


def older_than(limit: timedelta, *, now: datetime) -> Filter:
    """Selects the runs that ended longer ago."""

    def reason(run: RunInfo) -> str | None:
        if run.ended is None or now - run.ended <= limit:
            return None
        days, rest = divmod(now - run.ended, timedelta(days=1))
        age = count(days, "day") if days else count(rest // timedelta(hours=1), "hour")
        return f"{age} old"

    return reason


def not_best(keep: int, standings: Mapping[Path, Standing]) -> Filter:
    """Selects the runs that are not among the best of their name; one without a standing stays."""

    def reason(run: RunInfo) -> str | None:
        standing = standings.get(run.run.path)
        if standing is None:
            return None
        if standing.place is None:
            # A finished run without a value of the metric is not among the best either.
            state = f"no {standing.metric or 'metrics'}"
            return f"not ranked: {state if run.status == layout.FINISHED else run.status}"
        if standing.place <= keep:
            return None
        return f"number {standing.place} of {standing.of} by {standing.metric}"

    return reason


def plan(runs: Sequence[RunInfo], filters: Sequence[Filter], max_size: int | None = None) -> Plan:
    """Selects the runs that match all filters; running ones always stay.

    Args:
        runs: all runs.
        max_size: only the oldest of those that match, until all runs together take so many bytes.
    """
    removals = []
    for run in runs:
        reasons = [reason for match in filters if (reason := match(run))]
        if run.status != layout.RUNNING and len(reasons) == len(filters):
            removals.append(Removal(run, tuple(reasons)))
    removals.sort(key=lambda removal: removal.subject.ended or datetime.max)
    if max_size is not None:
        removals = _until_it_fits(removals, sum(run.bytes for run in runs), max_size)
    deleted = {removal.subject.run.path for removal in removals}
    staying = [run.bytes for run in runs if run.run.path not in deleted]
    return Plan(tuple(removals), len(staying), sum(staying))


def _until_it_fits(removals: Sequence[Removal], total: int, limit: int) -> list[Removal]:
    needed = []
    for removal in removals:
        if total <= limit:
            break
        why = f"{format_size(total)} in all, above {format_size(limit)}"
        needed.append(replace(removal, reasons=(*removal.reasons, why)))
        total -= removal.subject.bytes
    return needed


def disk_usage(path: Path) -> int:
    """Bytes of all files of a folder; a link counts as itself, an unreadable file as nothing."""
    if path.is_symlink():
        return path.lstat().st_size
    total = 0
    for folder, folders, files in os.walk(path):
        for name in (*files, *folders):
            # A temporary file may be gone by now.
            with suppress(OSError):
                status = os.lstat(f"{folder}/{name}")
                total += 0 if stat.S_ISDIR(status.st_mode) else status.st_size
    return total


def removable(root: Path) -> list[Run]:
    """The runs in a folder, oldest first, without links to runs."""
    runs = find(root)
    return [r for r in runs if not (r.path.is_symlink() or (r.path / layout.RUN).is_symlink())]


def leftovers(root: Path) -> list[Path]:
    """Folders of interrupted deletions."""
    try:
        paths = sorted(root.glob(f"{_REMOVING}*"))
    except OSError:
        return []
    return [path for path in paths if path.is_dir() and not path.is_symlink()]


def is_at_work(run: Run) -> bool:
    """Whether the run or a fold is running: workers outlive a killed process for some seconds."""
    return run.status() == layout.RUNNING or any(part.is_running() for part in run.parts())


def remove(run: Run) -> None:
    """Deletes a run that is not running; after an interrupt the rest is one of the `leftovers`."""
    message = f"{run.path} cannot be deleted"
    if is_at_work(run):
        raise RunError(f"{message}: it is running")
    for folder in (run.path.parent, *(Path(folder) for folder, _, _ in os.walk(run.path))):
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise RunError(f"{message}: {folder} is read-only")
    hidden = run.path.with_name(f"{_REMOVING}{run.path.name}")
    try:
        lock = take(run.path)
        if lock is None:
            raise RunError(f"{message}: it is running")
        run.path.rename(hidden)
    except OSError as error:
        raise RunError(f"{message}: {reason(error)}") from error
    lock.release()
    remove_leftover(hidden)


def remove_leftover(hidden: Path) -> None:
    """Deletes the rest of a run."""
    while hidden.is_dir():
        try:
            shutil.rmtree(hidden)
        except FileNotFoundError:
            continue  # another process deletes it too
        except OSError as error:
            message = f"{hidden} is deleted only in part: {reason(error)}; the next `nnrun clean` continues"
            raise RunError(message) from error
