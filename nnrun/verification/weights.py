"""What a `.keras` file holds, read without Keras: its arrays, and how the model is described.

The file may be a stranger's. Nothing in it is run, no other file is opened for it, and no array is
read that is larger than the one it is compared with.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import h5py

from nnrun.errors import RunError
from nnrun.verification.unsealed import flat

WEIGHTS = "model.weights.h5"
CONFIG = "config.json"
# A description of a model of thousands of layers is smaller.
_MOST_CONFIG_BYTES = 50_000_000
_DAMAGE = (OSError, ValueError, KeyError, RuntimeError, TypeError, zipfile.BadZipFile)


@contextmanager
def opened(path: Path) -> Iterator[Mapping[str, h5py.Dataset]]:
    """The arrays of a model by their names, such as `layers/dense/vars/0`; each read when asked for.

    Raises:
        RunError: it is no such file.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(h5py.File(stack.enter_context(_unpacked(path)), "r"))
            found = dict(_datasets(file))
        except _DAMAGE as error:
            raise RunError(f"{path}: cannot be read: {error}") from error
        yield found


@contextmanager
def _unpacked(path: Path) -> Iterator[Any]:
    """The weights as a file of their own: HDF5 jumps to and fro, which an archive is slow at."""
    with (
        zipfile.ZipFile(path) as archive,
        archive.open(_plain(archive, WEIGHTS)) as packed,
        tempfile.TemporaryFile() as file,
    ):
        shutil.copyfileobj(packed, file)
        yield file


def _plain(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """A member as Keras writes it; a packed one could be a thousand times as large as the file."""
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} in it is packed, as Keras does not do it")
    return member


def _datasets(file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    found: dict[str, h5py.Dataset] = {}
    # Follows no link into another file.
    file.visititems(lambda name, each: found.update({name: each}) and None)
    for name, each in found.items():
        if isinstance(each, h5py.Dataset):
            if each.external or each.is_virtual:
                raise ValueError(f"{name} in it lies in another file")
            yield name, each


def config(path: Path) -> dict[str, Any]:
    """How the model is described: layers, optimizer, loss; each value under its path.

    Raises:
        RunError: it is no such file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member = _plain(archive, CONFIG)
            if member.file_size > _MOST_CONFIG_BYTES:
                raise ValueError(f"{CONFIG} in it has {member.file_size:,} bytes")
            return dict(flat(json.loads(archive.read(member))))
    except (*_DAMAGE, RecursionError) as error:
        raise RunError(f"{path}: cannot be read: {error}") from error
