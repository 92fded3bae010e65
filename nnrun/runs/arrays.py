"""NumPy archives that load without pickle, and of which equal arrays make equal bytes."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nnrun.records import Array

# Of every member, so that neither the clock nor a clock before 1980 makes a difference.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
# What a damaged archive makes of itself, depending on where it is damaged.
_DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    NotImplementedError,
    RuntimeError,
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


def load(content: bytes) -> dict[str, Array]:
    """Reads an archive; each array has a checksum in it.

    Raises:
        ValueError: it is damaged, or holds objects.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return dict(archive)
    except _DAMAGE as error:
        raise ValueError(str(error)) from error
