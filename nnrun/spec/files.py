"""The file of a spec, which may be a stranger's: what it holds, if it is a file at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

LARGEST = 1_000_000  # bytes
ENDINGS = (".yaml", ".yml")


class NoFile(OSError):
    """What is there is no file that could hold a spec."""


def content(path: Path) -> bytes:
    """What a file holds, and a byte more than it may.

    Raises:
        NoFile: it is a pipe or a device, which would be waited for, or a link to anything.
        OSError: it cannot be read.
    """
    # `nnrun check /dev/stdin`, and what a shell makes of `<(…)`.
    is_piped = path.parts[:2] == ("/", "dev")
    # What a link leads to may be anything of this machine, and errors quote what they are about.
    if path.is_symlink() and not is_piped and path.resolve().suffix not in ENDINGS:
        raise NoFile("is a link to what is no YAML file")
    # A pipe that nobody writes to would be waited for.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(stream.fileno()).st_mode
        if stat.S_ISDIR(found):
            raise IsADirectoryError
        if not stat.S_ISREG(found) and not is_piped:
            raise NoFile("is a pipe or a device, not a file")
        if hasattr(os, "set_blocking"):
            os.set_blocking(stream.fileno(), True)
        return stream.read(LARGEST + 1)
