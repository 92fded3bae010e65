"""A person's own pictures: a folder per class."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from nnrun import pictures
from nnrun.datasets.drawing import draw
from nnrun.errors import DataError
from nnrun.records import Array, Dataset, Inputs, Split, Streamed
from nnrun.spec import folders
from nnrun.spec.own import Images

ENDINGS = frozenset((".png", ".jpg", ".jpeg"))
IN_MEMORY = 512 * 2**20
"""Bytes of pixels up to which all rows of a split are read at once; more are streamed."""
# File managers leave them in any folder.
_LITTER = frozenset(("thumbs.db", "desktop.ini"))


def images(spec: Images) -> Dataset:
    """Pictures of shape `(rows, height, width, channels)`, uint8 from 0 to 255.

    Raises:
        DataError: a folder cannot be read, or what is in it is no picture.
    """
    folder = Path(spec.path)
    names = _classes(folder)
    files, y = _listed(folder, names)
    if spec.test is None:
        train, test = draw(np.arange(len(files)), y, spec, classes=True)
        parts = [([files[row] for row in np.asarray(part.x)], part.y) for part in (train, test)]
    else:
        # As they lie in folders, a class would come after the other.
        order = np.random.default_rng(spec.seed).permutation(len(files))
        parts = [([files[row] for row in order], y[order]), _listed(Path(spec.test), names)]
    channels = 3 if spec.color_mode == "rgb" else 1
    shape = (*spec.image_size, channels)
    train, test = (Split(_rows(Reader(tuple(paths), shape)), y) for paths, y in parts)
    source = f"{shape} {_fingerprint([path for paths, _ in parts for path in paths])}"
    return Dataset(spec.name, train, test, classes=names, highest=255.0, source=source)


@dataclass(frozen=True)
class Reader:
    """Reads pictures by their numbers.

    Args:
        paths: of all of them.
        shape: to which each is brought.
    """

    paths: tuple[Path, ...]
    shape: tuple[int, ...]

    def __call__(self, rows: Array) -> Array:
        """Pictures of shape `(rows, *shape)`, uint8.

        Raises:
            DataError: a file cannot be read, or is no picture.
        """
        found = _threads().map(self._read, rows.tolist())
        return np.stack([*found]) if len(rows) else np.empty((0, *self.shape), np.uint8)

    def _read(self, row: int) -> Array:
        path = self.paths[row]
        try:
            return pictures.pixels(path.read_bytes(), self.shape)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
        except ValueError as error:
            raise DataError(f"{path}: {error}") from error


@cache
def _threads() -> ThreadPoolExecutor:
    # Pillow lets go of Python's lock while it unpacks.
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="pictures")


def _rows(reader: Reader) -> Inputs:
    shape = (len(reader.paths), *reader.shape)
    if math.prod(shape) > IN_MEMORY:
        return Streamed(shape, reader)
    return reader(np.arange(len(reader.paths)))


def _classes(folder: Path) -> tuple[str, ...]:
    try:
        names = folders.classes(folder)
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror or error}") from error
    if not folder.exists():
        raise DataError(f"{folder} is not there")
    if len(names) < 2:
        raise DataError(f"{folder}: holds {len(names)} folders, and each class needs one")
    return names


def _listed(folder: Path, names: Sequence[str]) -> tuple[list[Path], Array]:
    """The pictures of a folder per class, in the order of their names, and their classes.

    Raises:
        DataError: a file is no picture by its name, or there is none.
    """
    paths: list[Path] = []
    y: list[int] = []
    for number, name in enumerate(names):
        found = _in(folder / name)
        paths += found
        y += [number] * len(found)
    if not paths:
        raise DataError(f"{folder}: holds no PNG and no JPEG in a folder of a class")
    return paths, np.asarray(y, np.int64)


def _in(folder: Path) -> list[Path]:
    """The pictures of a class; a class may be missing among those to test on."""
    if not folder.exists():
        return []
    try:
        inside = sorted(each for each in folder.rglob("*") if not each.is_dir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror or error}") from error
    kept = [each for each in inside if each.name[0] != "." and each.name.lower() not in _LITTER]
    if others := [each for each in kept if each.suffix.lower() not in ENDINGS]:
        raise DataError(f"{others[0]}: is no PNG and no JPEG; leave only pictures in the folder")
    return kept


def _fingerprint(paths: Sequence[Path]) -> str:
    """SHA-256 over the content of files, in order."""
    total = hashlib.sha256()
    for found in _threads().map(_digest, paths):
        total.update(found)
    return total.hexdigest()


def _digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
