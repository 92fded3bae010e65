"""What run folders take on the disk, and how one goes: hidden at once, then deleted."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from nnrun import layout
from nnrun.errors import NnrunError, RunError
from nnrun.runs import lock
from nnrun.runs.folder import reason
from nnrun.runs.making import find
from nnrun.runs.run import Run

# Before the name of a run that is being deleted. What starts with a dot is no run, so half of one
# is never taken for a whole.
_GOING = ".nnrun-removing-"


def size(path: Path) -> int:
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
    if not os.path.isdir(root):  # noqa: PTH112 - also of a name that is too long
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
        held = lock.take(run.path)
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
