"""How a file gets into the cache: beside its place first, and into it whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nnrun.cache.file import File, check
from nnrun.errors import DataError

try:
    import fcntl
except ImportError:  # Windows: without the lock both download, and the second finds the file there
    fcntl = None  # type: ignore[assignment]

_PREFIX = ".nnrun-download-"
_OLD = 24 * 60 * 60
"""Seconds without a byte, after which a workplace is taken for that of a killed process."""


def workplace(file: File) -> tempfile.TemporaryDirectory[str]:
    """A folder beside a file's place, so that a finished file need only be renamed.

    Its name is drawn, so no two processes share one. Those that killed processes left behind are
    removed when they are old.

    Raises:
        OSError: it cannot be made.
    """
    parent = file.path.parent
    parent.mkdir(parents=True, exist_ok=True)
    sweep(parent)
    return tempfile.TemporaryDirectory(dir=parent, prefix=_PREFIX)


def sweep(parent: Path) -> None:
    """Removes from a folder what downloads that were killed a day ago have left."""
    for left in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            newest = max(path.stat().st_mtime for path in (left, *left.glob("*")))
            if time.time() - newest > _OLD:
                shutil.rmtree(left)


@contextmanager
def alone(file: File) -> Iterator[None]:
    """Waits while another process downloads the same file, so that it is downloaded once.

    This only saves the traffic: what lands in the cache is whole without it, because workplaces
    are not shared. So where the file system knows no locks, nobody waits. The lock is the
    kernel's and ends with its holder, however that ends; a file that only by being there means
    `locked` would outlive a killed one.
    """
    path = file.path.with_name(f".nnrun-lock-{file.path.name}")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        yield
        return
    try:
        _wait(descriptor, file)
        try:
            yield
        finally:
            # Who waits at the removed file goes on when it is closed, and finds the download.
            with suppress(OSError):
                path.unlink()
    finally:
        os.close(descriptor)


def _wait(descriptor: int, file: File) -> None:
    if fcntl is None:
        return
    with suppress(OSError):  # a file system without locks
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{file.name}: waiting for another process that downloads it", file=sys.stderr)
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def put(complete: Path, file: File) -> None:
    """Gives a file its name in the cache; where another has come meanwhile, that one stays.

    Args:
        complete: in a `workplace`, with the published hash.
        file: which one it is.

    Raises:
        DataError: the folder cannot be written, or another file has come.
    """
    try:
        # A link is refused where the name is taken; a rename would replace a person's file.
        os.link(complete, file.path)
    except FileExistsError:
        check(file)
    except OSError:
        _rename(complete, file)


def _rename(complete: Path, file: File) -> None:
    """For file systems that know no links, such as those of memory cards."""
    if file.is_there:
        check(file)
        return
    try:
        complete.rename(file.path)
    except OSError as error:
        raise DataError(
            f"{file.dataset}: {file.path} cannot be written: {error.strerror or error}"
        ) from error
