"""Hostile archives are refused without code execution or a full memory."""

from __future__ import annotations

import io
import os
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.runs import arrays


def member(shape: str, descr: str = "<f8", data: bytes = b"") -> bytes:
    """An array in NumPy's format, with any header."""
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    padded = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode() + data


def archive(*members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for number, content in enumerate(members):
            file.writestr(f"{number}.npy", content)
    return out.getvalue()


class Pickled:
    """Creates a folder when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("canary",)


def objects() -> bytes:
    out = io.BytesIO()
    np.savez(out, row=np.array([Pickled()], dtype=object))
    return out.getvalue()


HOSTILE = {
    "10**12 numbers": archive(member("(1000000000000,)")),
    "10**12 empty strings": archive(member("(1000000000000,)", "<U0")),
    "many dimensions": archive(member("(" + "9," * 40 + ")")),
    "a negative length": archive(member("(-1,)")),
    "a length that is code": archive(member("(__import__('os').getpid(),)")),
    "an unknown type": archive(member("(1,)", "os")),
    "too few bytes": archive(member("(3,)", data=bytes(8))),
    "compressed zeros": archive(member("(300000000,)", "|u1", bytes(300_000_000))),
    "objects": objects(),
    "objects in a record": archive(member("(1,)", "O", pickle.dumps([Pickled()]))),
    "a pickle": pickle.dumps(Pickled()),
    "a lone array": member("(1,)", data=bytes(8)),
    "no array": archive(b"hello"),
    "another version": archive(b"\x93NUMPY\x09\x00" + bytes(300)),
    "a long header": archive(b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + b"(" * 90_000),
    "half": objects()[:100],
    "nothing": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_in_little_memory(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"."):
        arrays.load(HOSTILE[name])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 10_000_000
    assert not Path("canary").exists()


def test_an_archive_that_compresses_well_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    arrays.save(path, {"row": np.ones(5_000_000), "none": np.zeros((0, 3))})

    assert arrays.load(path.read_bytes())["row"].sum() == 5_000_000


@pytest.mark.parametrize(
    "header",
    [b"__import__('os').system('true')", b"(" * 60_000, b"{'descr': '<f8', 'shape': (10**12,)}", b"", b" " * 60_000],
    ids=["a call", "deep", "a sum", "nothing", "long"],
)  # fmt: skip
def test_a_wrong_header_is_refused_with_a_short_message(header: bytes) -> None:
    """NumPy's own messages contain an address, or advice to trust the file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        length = len(header).to_bytes(2, "little")
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + length + header)

    with pytest.raises(ValueError, match="an array in it has no header that can be read"):
        arrays.load(packed.getvalue())
