"""NumPy archives without pickle; equal arrays give equal bytes."""

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

# The same for each member, so that the clock makes no difference.
_TIME = (1980, 1, 1, 0, 0, 0)
# A larger archive must not be compressed by more than this factor.
_MAX_BYTES, _MAX_FACTOR = 100_000_000, 100
# All that NumPy and zipfile raise for damaged archives.
_DAMAGE = (
    *(OSError, ValueError, KeyError, TypeError, EOFError, NotImplementedError, RuntimeError),
    *(MemoryError, OverflowError, SyntaxError, zipfile.BadZipFile, zlib.error),
)


def save(path: Path, values: Mapping[str, Array], *, compressed: bool = True) -> None:
    """Writes an archive like `numpy.savez`, but without the time.

    Raises:
        ValueError: an array holds objects, which would need pickle.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in values.items():
            member = zipfile.ZipInfo(f"{name}.npy", _TIME)
            member.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
            with archive.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)


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


def _check_size(content: bytes) -> None:
    """Refuses archives that would fill the memory when they are unpacked."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        total = sum(member.file_size for member in members)
        if total > max(_MAX_BYTES, _MAX_FACTOR * len(content)):
            raise ValueError(f"it holds {total:,} bytes in {len(content):,}")
        for member in members:
            with archive.open(member) as file:
                _check_header(file, member.file_size)


def _check_header(file: IO[bytes], size: int) -> None:
    """NumPy allocates memory for the shape in a header before it reads the values."""
    read = np.lib.format.read_array_header_2_0
    if np.lib.format.read_magic(file) == (1, 0):
        read = np.lib.format.read_array_header_1_0
    try:
        shape, _, dtype = read(file)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        # NumPy's own message contains an address, or advice to allow pickle.
        raise ValueError("an array in it has no header that can be read") from None
    if dtype.hasobject:
        raise ValueError("it holds objects, which would be code")
    if math.prod(shape) * max(dtype.itemsize, 1) > size:
        raise ValueError(f"an array of shape {shape} is not there")
