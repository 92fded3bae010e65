"""Makes run folders, and finds those there are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from nnrun.errors import RunError
from nnrun.runs import layout
from nnrun.runs.folder import reason, take
from nnrun.runs.run import Run, process


def create(root: Path, name: str, *, now: datetime, record: Mapping[str, Any]) -> Run:
    """A new run folder, locked, whose record says `running`.

    Args:
        root: the folder of all runs; made where it is missing.
        name: the experiment's.
        now: part of the folder's name.
        record: what `run.json` says from the start.

    Raises:
        RunError: the folder cannot be made.
    """
    stem = f"{now:%Y%m%d-%H%M%S}-{name}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        path = next(path for path in _candidates(root / stem) if _made(path))
    except OSError as error:
        raise RunError(f"{root}: no run folder can be made here: {reason(error)}") from error
    return _begun(path, name, now, record)


def create_part(
    whole: Run, part: str, name: str, *, now: datetime, record: Mapping[str, Any]
) -> Run:
    """A new run folder inside another, such as a fold's; what is left of an unfinished one goes.

    Args:
        whole: the run that it is a part of.
        part: the folder's name, from `layout`.
        name, now, record: as of `create`.

    Raises:
        RunError: the folder cannot be made.
    """
    path = whole.path / part
    try:
        if path.exists():
            shutil.rmtree(path)
        path.mkdir()
    except OSError as error:
        raise RunError(f"{path}: the folder cannot be made: {reason(error)}") from error
    return _begun(path, name, now, record)


def _begun(path: Path, name: str, now: datetime, record: Mapping[str, Any]) -> Run:
    try:
        run = Run(path, take(path))
    except OSError as error:
        raise RunError(f"{path}: cannot be opened: {reason(error)}") from error
    start = {"schema_version": layout.SCHEMA_VERSION, "name": name, "status": layout.RUNNING}
    times = {"started": now.isoformat(timespec="seconds"), "ended": None}
    known = {**start, **times, **record, "process": process(), "files": {}}
    try:
        run.write_record(known)
    except RunError:
        # Without its record it is no run; a disk that fails may keep it all the same.
        with suppress(OSError):
            path.rmdir()
        raise
    return run


def reopen(path: Path) -> Run:
    """A run that is there already, locked to be gone on with.

    Raises:
        NotARun: the folder holds no run.
        RunError: another process is at work on it.
    """
    known = Run(path).record()
    try:
        held = take(path)
    except OSError as error:
        raise RunError(f"{path}: cannot be opened: {reason(error)}") from error
    # Where the file system knows no locks, the number of the process has to do.
    if held is None or (not held.is_real and Run(path).status() == layout.RUNNING):
        raise RunError(f"{path} is still running, as process {known.pid}")
    return Run(path, held)


def find(root: Path) -> list[Run]:
    """All runs of a folder, oldest first; what is no run, or hidden, is passed over."""
    # Unlike `Path.is_dir`, this takes a name that no file system takes for no folder.
    if not os.path.isdir(root):  # noqa: PTH112
        return []
    shown = (path for path in root.iterdir() if not path.name.startswith("."))
    # Where another person lets nobody look in, looking for a file would fail.
    open_ = (path for path in sorted(shown) if os.access(path, os.X_OK))
    return [Run(path) for path in open_ if (path / layout.RUN).is_file()]


def _candidates(path: Path) -> Iterator[Path]:
    yield path
    number = 2
    while True:
        yield path.with_name(f"{path.name}-{number}")
        number += 1


def _made(path: Path) -> bool:
    """Makes a folder that was not there; two runs of one second cannot both succeed."""
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True
