"""NumPy archives that load without pickle, and of which equal arrays make equal bytes."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from nnrun.types import Array

# Of every member, so that neither the clock nor a clock before 1980 makes a difference.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
# More bytes than these are believed only of an archive that is not packed much smaller.
_MUCH, _MOST_PACKED = 100_000_000, 100
# What a damaged archive makes of itself, depending on where it is damaged.
_DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
    OverflowError,
    SyntaxError,
    zipfile.BadZipFile,
    zlib.error,
)


def save(path: Path, values: Mapping[str, Array], *, compressed: bool = True) -> None:
    """Writes an archive, as `numpy.savez` does but for the time in it.

    Raises:
        OSError: it cannot be written.
        ValueError: an array holds objects, which could only be written as a pickle.
    """
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in values.items():
            member = zipfile.ZipInfo(f"{name}.npy", _NO_TIME)
            member.compress_type = method
            with archive.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)


def _check_size(content: bytes) -> None:
    """Refuses what would fill the memory once it is unpacked.

    Raises:
        ValueError: it is no archive of arrays, or says to hold more than it can.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        total = sum(member.file_size for member in members)
        if total > max(_MUCH, _MOST_PACKED * len(content)):
            raise ValueError(f"it holds {total:,} bytes in {len(content):,}")
        for member in members:
            with archive.open(member) as file:
                _check_header(file, member.file_size)


def _check_header(file: IO[bytes], size: int) -> None:
    """NumPy makes room for what a header says before it looks for it."""
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
        version, np.lib.format.read_array_header_2_0
    )
    try:
        shape, _, dtype = read(file)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        # NumPy's own words name an address in memory, or how to take less care.
        raise ValueError("an array in it has no header that can be read") from None
    if dtype.hasobject:
        raise ValueError("it holds objects, which would be code")
    if math.prod(shape) * max(dtype.itemsize, 1) > size:
        raise ValueError(f"an array of shape {shape} is not there")


def load(content: bytes) -> dict[str, Array]:
    """Reads an archive; each array has a checksum in it.

    Raises:
        ValueError: it is damaged, or holds objects.
    """
    try:
        _check_size(content)
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return dict(archive)
    except _DAMAGE as error:
        raise ValueError(str(error)) from error
