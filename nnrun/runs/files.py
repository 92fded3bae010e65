"""Reads files of a run folder, and computes their digests.

A folder may come from another user, so only regular files of a limited size are read: a pipe would
block, a device may never end, and a link may lead to either.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from nnrun.errors import RunError
from nnrun.runs import layout
from nnrun.spec.files import opened

MEGABYTE = 1_000_000
MAX_BYTES = 4_000 * MEGABYTE
_MAX_BY_NAME = {layout.RUN: 16 * MEGABYTE, layout.METRICS: 16 * MEGABYTE}
_MAX_BY_SUFFIX = {".json": 64 * MEGABYTE, ".csv": 64 * MEGABYTE, ".yaml": MEGABYTE}

CHECKSUM_KEY = "seal"
"""The key of a record under which it keeps its own digest."""


def read(path: Path) -> bytes:
    """The content of a file."""
    limit = _MAX_BY_NAME.get(path.name, _MAX_BY_SUFFIX.get(path.suffix, MAX_BYTES))
    with opened(path) as file:
        if os.fstat(file.fileno()).st_size > limit:
            raise OSError(errno.EFBIG, f"it is larger than {limit // MEGABYTE:,} MB", str(path))
        return file.read()


def check_all(folder: Path) -> None:
    """Checks all files of a folder before it is written to.

    Raises:
        RunError: one is a link, a pipe or a device, which would lead the output elsewhere. A file
            to which lines are appended may also have another name, outside of the folder.
    """
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            status = Path(parent, name).lstat()
            mode = status.st_mode
            if stat.S_ISREG(mode) and status.st_nlink > 1:
                raise RunError(
                    f"{Path(parent, name)}: has another name elsewhere (a hard link), so nothing is "
                    "written here; make a copy of the folder"
                )
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                what = "a link" if stat.S_ISLNK(mode) else "a pipe or a device"
                raise RunError(f"{Path(parent, name)}: is {what}, so nothing is written here")


def checksum(content: bytes) -> str:
    """The SHA-256 in hexadecimal, as `sha256sum` prints it."""
    return hashlib.sha256(content).hexdigest()


def file_checksum(path: Path) -> str:
    """The SHA-256 of a file."""
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def with_checksum(record: Mapping[str, object]) -> dict[str, object]:
    """A record with its own digest as the last key."""
    content = {key: value for key, value in record.items() if key != CHECKSUM_KEY}
    # Of the values and not of the text, so that white space does not matter.
    text = json.dumps(finite(content), separators=(",", ":"))
    return {**content, CHECKSUM_KEY: checksum(text.encode())}


def checksum_matches(record: Mapping[str, object]) -> bool:
    """Whether the digest of a record is right."""
    return record.get(CHECKSUM_KEY) == with_checksum(record)[CHECKSUM_KEY]


def finite(value: object) -> object:
    """The value for JSON, which has neither NaN nor infinity: they become None."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: finite(item) for key, item in value.items()}
        case list() | tuple():
            return [finite(item) for item in value]
    return value
