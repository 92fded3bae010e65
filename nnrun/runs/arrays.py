"""NumPy archives without pickle; equal arrays give equal bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nnrun.spec.arrays import archive, headers, read
from nnrun.types import Array

# The same for each member, so that the clock makes no difference.
_TIME = (1980, 1, 1, 0, 0, 0)
# A larger archive must not be compressed by more than this factor.
_MAX_BYTES, _MAX_FACTOR = 100_000_000, 100


def save(path: Path, values: Mapping[str, Array], *, compressed: bool = True) -> None:
    """Writes an archive like `numpy.savez`, but without the time.

    Raises:
        ValueError: an array holds objects, which would need pickle.
    """
    with zipfile.ZipFile(path, "w") as members:
        for name, array in values.items():
            member = zipfile.ZipInfo(f"{name}.npy", _TIME)
            member.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
            with members.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)


def load(content: bytes) -> dict[str, Array]:
    """Reads an archive; each array has a checksum in it.

    Raises:
        ValueError: it is damaged, holds objects, or would fill the memory.
    """
    with archive(io.BytesIO(content)) as members:
        total = sum(member.file_size for member in members.infolist())
        if total > max(_MAX_BYTES, _MAX_FACTOR * len(content)):
            raise ValueError(f"it holds {total:,} bytes in {len(content):,}")
        return {name: read(members, name, header) for name, header in headers(members).items()}
