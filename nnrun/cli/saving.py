"""A file that a person asked for, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from nnrun.errors import RunError


def save(path: Path, write: Callable[[Path], object]) -> None:
    """Has a file written; what stood there stays until the new one is whole.

    Args:
        path: as the person named it.
        write: is given a passing name beside it.

    Raises:
        RunError: it cannot be written.
    """
    # A link stays one: what it points at is exchanged. So does a device, which is written to.
    path, named = path.resolve(), path
    passing = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        if path.exists() and not path.is_file():
            write(path)
            return
        write(passing)
        passing.replace(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunError(f"{named}: cannot be written: {reason}") from error
    finally:
        with suppress(OSError):
            passing.unlink()
