"""Opens files of users, and estimates memory: what is opened is a regular file and fits."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from functools import cache
from io import BufferedReader
from pathlib import Path

from nnrun.spec.text import format_size

_CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def opened(path: Path) -> BufferedReader:
    """Opens a regular file to read it.

    Raises:
        OSError: it cannot be read, or is a folder, a pipe or a device.
    """
    # Without O_NONBLOCK, opening a pipe waits until a process writes to it.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        _check_regular(os.fstat(descriptor).st_mode, path)
    except OSError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def regular_size(path: Path) -> int:
    """The size of a file for a library that opens it by its path; errors as of `opened`."""
    status = path.stat()
    _check_regular(status.st_mode, path)
    return status.st_size


def _check_regular(mode: int, path: Path) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device", str(path))


def content(path: Path) -> bytes:
    """The content of a regular file.

    Raises:
        OSError: as of `opened`.
        ValueError: it is larger than the memory.
    """
    with opened(path) as file:
        check_memory(os.fstat(file.fileno()).st_size)
        return file.read()


@cache
def memory() -> int:
    """Bytes of memory of this machine or container."""
    limits = []
    with suppress(AttributeError, OSError, ValueError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for name in _CGROUPS:
        with suppress(OSError, ValueError):
            limits.append(int(Path(name).read_text("ascii")))
    return min(limits, default=2**63)


def check_memory(needed: int) -> None:
    """Refuses what the machine can never hold.

    Raises:
        ValueError: with the estimate.
    """
    if needed > memory():
        sizes = format_size(needed), format_size(memory())
        raise ValueError(f"needs about {sizes[0]} of memory, and there are {sizes[1]}")
