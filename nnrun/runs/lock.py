"""A lock on a run folder, which ends with the process that holds it, however that ends."""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

# Whoever only asks whether a folder is locked holds it for a moment, which is not meant.
_GLIMPSES = 40
_GLIMPSE_SECONDS = 0.01
_TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


class Lock:
    """Held from its making on, until `release` or until nobody refers to it any more.

    The lock is the kernel's, on the folder itself: there is no file that a killed process leaves
    behind, and no process number that another process may have by now.

    Args:
        descriptor: of the locked folder; None where the file system knows no locks.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    @property
    def is_real(self) -> bool:
        """Whether it keeps anybody away."""
        return self._descriptor is not None

    def release(self) -> None:
        """Lets others have it."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with suppress(OSError):
                os.close(descriptor)

    def __del__(self) -> None:
        self.release()


def take(folder: Path) -> Lock | None:
    """Locks a folder; None where another process, or another part of this one, has locked it.

    Raises:
        OSError: the folder is not there, or may not be opened.
    """
    for _ in range(_GLIMPSES):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return Lock(descriptor)
        except OSError as error:
            os.close(descriptor)
            if error.errno not in _TAKEN:
                return Lock(None)
        time.sleep(_GLIMPSE_SECONDS)
    return None


def is_taken(folder: Path) -> bool | None:
    """Whether somebody has locked a folder; None where that cannot be told."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return True if error.errno in _TAKEN else None
    finally:
        os.close(descriptor)
    return False
