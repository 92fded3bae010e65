"""Creates, reopens and finds run folders."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from nnrun.errors import RunError
from nnrun.runs import layout
from nnrun.runs.folder import reason, take
from nnrun.runs.run import Run, process


def create(root: Path, name: str, *, now: datetime, record: Mapping[str, object]) -> Run:
    """Creates a run folder, locked, with a record of status `running`.

    Args:
        root: the folder of all runs; created if it is missing.
    """
    stem = f"{now:%Y%m%d-%H%M%S}-{name}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        path = root / stem
        for number in itertools.count(2):
            # Two runs of one second cannot both create the folder.
            with suppress(FileExistsError):
                path.mkdir()
                break
            path = root / f"{stem}-{number}"
    except OSError as error:
        raise RunError(f"{root}: cannot create a run folder: {reason(error)}") from error
    return _start(path, name, now, record)


def create_part(
    whole: Run, part: str, name: str, *, now: datetime, record: Mapping[str, object]
) -> Run:
    """Creates a run folder inside another, such as a fold's; replaces one that is there."""
    path = whole.path / part
    try:
        if path.exists():
            shutil.rmtree(path)
        path.mkdir()
    except OSError as error:
        raise RunError(f"{path}: cannot be created: {reason(error)}") from error
    return _start(path, name, now, record)


def _start(path: Path, name: str, now: datetime, record: Mapping[str, object]) -> Run:
    try:
        run = Run(path, take(path))
    except OSError as error:
        raise RunError(f"{path}: cannot be opened: {reason(error)}") from error
    try:
        run.write_record(
            {
                "schema_version": layout.SCHEMA_VERSION,
                "name": name,
                "status": layout.RUNNING,
                "started": now.isoformat(timespec="seconds"),
                "ended": None,
                **record,
                "process": process(),
                "files": {},
            }
        )
    except RunError:
        # Without its record it is no run; a disk that fails may keep it all the same.
        with suppress(OSError):
            path.rmdir()
        raise
    return run


def reopen(path: Path) -> Run:
    """Locks an existing run, to resume it, unless another process works on it."""
    record = Run(path).record()
    try:
        lock = take(path)
    except OSError as error:
        raise RunError(f"{path}: cannot be opened: {reason(error)}") from error
    # Without locks in the file system, the process number must do.
    has_no_locks = lock and lock.descriptor is None
    if lock is None or (has_no_locks and Run(path).status() == layout.RUNNING):
        raise RunError(f"{path} is still running, as process {record.pid}")
    return Run(path, lock)


def find(root: Path) -> list[Run]:
    """All runs in a folder, oldest first, without hidden ones."""
    # Unlike `Path.is_dir`, this returns False for names that no file system allows.
    if not os.path.isdir(root):  # noqa: PTH112
        return []
    shown = (path for path in root.iterdir() if not path.name.startswith("."))
    # In a folder that may not be entered, looking for a file would fail.
    accessible = (path for path in sorted(shown) if os.access(path, os.X_OK))
    return [Run(path) for path in accessible if (path / layout.RUN).is_file()]
