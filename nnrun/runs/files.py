"""Reads files of a run folder, which may be somebody else's: ordinary ones, of a bearable size.

A pipe would be waited for, a device may never end, and a link may lead to either.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import stat
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any

from nnrun.errors import RunError
from nnrun.runs import layout

MEGABYTE = 1_000_000
LARGEST = 4_000 * MEGABYTE
"""Bytes of a file that is read at once."""

_BINARY = getattr(os, "O_BINARY", 0)
_LARGEST_BY_NAME = {layout.RUN: 16 * MEGABYTE, layout.METRICS: 16 * MEGABYTE}
_LARGEST_BY_ENDING = {".json": 64 * MEGABYTE, ".csv": 64 * MEGABYTE, ".yaml": MEGABYTE}


def opened(path: Path) -> BufferedReader:
    """Opens a file to be read.

    Raises:
        OSError: it cannot be read, or is no file but a folder, a pipe or a device.
    """
    # Without this flag opening a pipe waits until somebody writes to it.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no file", str(path))
    return os.fdopen(descriptor, "rb")


def read(path: Path) -> bytes:
    """What a file holds.

    Raises:
        OSError: it cannot be read, is no file, or larger than one of its name can be.
    """
    most = _LARGEST_BY_NAME.get(path.name, _LARGEST_BY_ENDING.get(path.suffix, LARGEST))
    with opened(path) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise OSError(errno.EFBIG, f"it is larger than {most // MEGABYTE:,} MB", str(path))
        return file.read()


def check_all(folder: Path) -> None:
    """Looks at everything in a folder before it is written to.

    Raises:
        RunError: something in it is a link, a pipe or a device, through which what is meant for the
            folder would go elsewhere.
    """
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            found = Path(parent, name).lstat().st_mode
            if not (stat.S_ISREG(found) or stat.S_ISDIR(found)):
                what = "a link" if stat.S_ISLNK(found) else "a pipe or a device"
                raise RunError(f"{Path(parent, name)}: is {what}, so nothing is written here")


# Digests, by which a file that was damaged or edited is told from what nnrun wrote.

# Under which a record keeps its own digest.
CHECKSUM_KEY = "seal"


def checksum(content: bytes) -> str:
    """The SHA-256 of some bytes, in hexadecimal, as `sha256sum` prints it."""
    return hashlib.sha256(content).hexdigest()


def file_checksum(path: Path) -> str:
    """The SHA-256 of a file.

    Raises:
        OSError: it cannot be read, or is no file.
    """
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def with_checksum(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with its own digest as the last entry."""
    known = {key: value for key, value in record.items() if key != CHECKSUM_KEY}
    return {**known, CHECKSUM_KEY: _of_record(known)}


def checksum_matches(record: Mapping[str, Any]) -> bool:
    """Whether a record says what it said when it was sealed."""
    known = {key: value for key, value in record.items() if key != CHECKSUM_KEY}
    return record.get(CHECKSUM_KEY) == _of_record(known)


def _of_record(record: Mapping[str, Any]) -> str:
    # Of the values and not of the text, so that the way it is laid out does not matter.
    return checksum(json.dumps(finite(record), separators=(",", ":")).encode())


def finite(value: Any) -> Any:
    """The same for JSON, which knows neither NaN nor infinity: they become None."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: finite(item) for key, item in value.items()}
        case list() | tuple():
            return [finite(item) for item in value]
    return value
