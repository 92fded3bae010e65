"""Reads NumPy archives: first the headers, which say what memory the arrays need.

NumPy takes 0.1 s to load, so import this module where an archive is read.
"""

from __future__ import annotations

import lzma
import math
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np

from nnrun.spec.files import check_memory, opened
from nnrun.spec.targets import Task
from nnrun.types import Array, Target

# All that NumPy and zipfile raise for damaged archives.
_DAMAGE = (
    *(ValueError, LookupError, TypeError, EOFError, NotImplementedError, RuntimeError),
    *(MemoryError, OverflowError, SyntaxError, AttributeError, struct.error),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)
_LONGEST = 200  # characters of a message
_PARTS = ("train", "val", "test")
MOST_CLASSES = 1000
"""More classes than this must have a row each."""
MOST_BYTES = 256
"""Classes whose numbers fit into a byte."""


@dataclass(frozen=True)
class Header:
    """The shape and type of an array that is not read yet."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]

    @property
    def bytes(self) -> int:
        """Its size in memory."""
        return math.prod(self.shape) * max(self.dtype.itemsize, 1)


@contextmanager
def archive(file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """An archive; whatever its damage, while it is open, is one ValueError or OSError."""
    try:
        with zipfile.ZipFile(file) as opened_archive:
            yield opened_archive
    except _DAMAGE as error:
        # zipfile quotes whole headers.
        message = " ".join(str(error).split())[:_LONGEST]
        raise ValueError(message or "it is damaged") from error
    except OSError as error:
        # An error of the system has a number, and one of damaged content has none.
        if error.errno is not None:
            raise
        raise ValueError(str(error)) from error


def headers(members: zipfile.ZipFile) -> dict[str, Header]:
    """The header of each array in an archive, by name.

    Raises:
        ValueError: a header cannot be read, or promises more than there is.
    """
    found = {}
    for member in members.infolist():
        if member.filename.endswith(".npy"):
            with members.open(member) as file:
                header = _header(file)
            if header.bytes > member.file_size and not header.dtype.hasobject:
                raise ValueError(f"an array of shape {header.shape} is not there")
            found[member.filename.removesuffix(".npy")] = header
    return found


def _header(file: IO[bytes]) -> Header:
    read = np.lib.format.read_array_header_2_0
    if np.lib.format.read_magic(file) == (1, 0):
        read = np.lib.format.read_array_header_1_0
    try:
        shape, _, dtype = read(file)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        # NumPy's own message contains an address, or advice to allow pickle.
        raise ValueError("an array in it has no header that can be read") from None
    if any(length < 0 for length in shape):
        raise ValueError(f"an array of shape {shape} is not there")
    return Header(shape, dtype)


def read(members: zipfile.ZipFile, name: str, header: Header) -> Array:
    """An array of an archive.

    Raises:
        ValueError: it holds objects.
    """
    if header.dtype.hasobject:
        raise ValueError(f"{name} holds objects, which would be code")
    # NumPy allocates memory for the shape in a header before it reads the values.
    with members.open(f"{name}.npy") as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


@dataclass(frozen=True)
class Rows:
    """The arrays `x` and `y` of some rows in a user's archive, which are not read yet."""

    path: Path
    suffix: str
    x: Header
    y: Header

    def read(self, name: Literal["x", "y"]) -> Array:
        """One of the arrays; labels have no last axis of length 1.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is damaged.
        """
        if name == "y" and not math.prod(self.y.shape):
            return np.zeros(self.y.shape, np.float32)
        with opened(self.path) as file, archive(file) as members:
            values = read(members, f"{name}{self.suffix}", self.x if name == "x" else self.y)
        if name == "x" or values.shape[1:] == () or values.shape[-1] > 1:
            return values
        return values.reshape(values.shape[:-1])


def rows(path: Path, *, single: bool = False, labelled: bool = True) -> dict[str, Rows]:
    """The rows in an archive: of `train`, and perhaps of `val` and `test`; or all as `train`.

    Args:
        path: of the file.
        single: whether it is a file of validation or test rows only.
        labelled: whether it must hold labels; otherwise each row has a label without values.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no such arrays, or larger ones than the memory; with the reason.
    """
    with opened(path) as file:
        if file.peek(6)[:6] == b"\x93NUMPY":
            raise ValueError(
                "holds one array, and must hold x and y; write both with numpy.savez('data.npz', x=x, y=y)"
            )
        try:
            with archive(file) as members:
                found = headers(members)
        except ValueError as error:
            raise ValueError(f"is no archive of plain arrays: {error}") from error
    names = [part for part in _PARTS if f"x_{part}" in found and not single]
    is_divided = "train" in names and len(names) > 1
    suffixes = {name: f"_{name}" for name in names} if is_divided else {"train": ""}
    parts = {
        name: _rows(path, found, suffix, labelled=labelled) for name, suffix in suffixes.items()
    }
    # As read, as float64, and once more when they are split.
    check_memory(
        sum(
            part.x.bytes + 2 * part.y.bytes + 2 * 8 * math.prod(part.x.shape)
            for part in parts.values()
        )
    )
    check_shapes(parts.values())
    return parts


def check_shapes(parts: Iterable[Rows]) -> None:
    """Refuses validation or test rows of another shape than the training rows.

    Raises:
        ValueError: with the shapes.
    """
    shapes = dict.fromkeys(str(part.x.shape[1:]) for part in parts)
    if len(shapes) > 1:
        raise ValueError(f"training rows and test rows differ in shape: {' and '.join(shapes)}")


def _rows(path: Path, found: Mapping[str, Header], suffix: str, *, labelled: bool) -> Rows:
    names = f"x{suffix}", f"y{suffix}"
    if not labelled and names[0] in found:
        count = found[names[0]].shape[:1]
        found = {**found, names[1]: Header((*count, 0), np.dtype(np.float32))}
    if not {*names} <= found.keys():
        raise ValueError(
            "must hold the arrays x_train, y_train, x_test, y_test, or x and y; there are "
            f"{', '.join(sorted(found)) or 'none'}"
        )
    for name in names:
        if found[name].dtype.kind not in "biuf":
            raise ValueError(f"{name} holds {found[name].dtype}, and must hold numbers")
    x, y = (found[name] for name in names)
    if not y.shape or len(x.shape) < 2 or x.shape[0] != y.shape[0]:
        raise ValueError(
            f"x{suffix} has the shape {x.shape} and y{suffix} {y.shape}; each row of x needs one "
            "label"
        )
    for array, header in ((f"x{suffix}", x), (f"y{suffix}", y))[: 1 + labelled]:
        if not math.prod(header.shape):
            raise ValueError(f"{array} has the shape {header.shape}, which holds no values")
    return Rows(path, suffix, x, y)


def meaning(y: Array, task: Task | None) -> Target:
    """The meaning of labels of shape `(rows, ...)`.

    Whole numbers are classes: of a row, or of each position of a row, such as the pixels of a mask.
    A few columns of 0 and 1 are labels, and all other columns are values.

    Raises:
        ValueError: the labels are not what `task` says.
    """
    shape = y.shape[1:]
    are_whole = y.dtype.kind in "biu"
    is_binary = bool(((y == 0) | (y == 1)).all())
    if task == "labels" and (len(shape) != 1 or not is_binary):
        raise ValueError("task: labels needs y of shape (rows, labels), which holds 0 and 1")
    if task == "labels" or (task is None and len(shape) == 1 and are_whole and is_binary):
        return Target("labels", "labels", _numbered(shape[0]), shape)
    if task is None and len(shape) == 1:
        task = "regression"
    count = class_count(y, task)
    if count:
        return Target("class", "class", _numbered(count), shape)
    if not shape:
        return Target("values")
    return Target("values", "value", _numbered(shape[0]) if len(shape) == 1 else (), shape)


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))


def encode(y: Array, target: Target) -> Array:
    """Labels in the type in which they are kept.

    Raises:
        ValueError: there are classes or labels that the training rows lack.
    """
    if target.kind == "labels":
        if not ((y == 0) | (y == 1)).all():
            raise ValueError("y must hold 0 and 1 only, one column per label")
        return y.astype(np.uint8)
    if target.kind == "inputs":
        return y
    if target.kind != "class":
        is_compact = target.shape and y.dtype in (np.uint8, np.float32)
        return y if is_compact else y.astype(np.float64)
    if not np.isin(y, np.arange(len(target.names))).all():
        raise ValueError("y has classes that the training rows lack")
    # Masks have a label for each pixel.
    return y.astype(np.uint8 if target.shape and len(target.names) <= MOST_BYTES else np.int64)


def class_count(y: Array, task: Task | None) -> int:
    """The number of classes, which are numbered from 0; 0 for a regression.

    Raises:
        ValueError: labels are no numbers of classes.
    """
    if task == "regression" or (task is None and y.dtype.kind not in "biu"):
        return 0
    if not np.isfinite(y).all() or (y != np.floor(y)).any() or y.min() < 0:
        raise ValueError("classes are whole numbers from 0")
    highest = int(y.max())
    if highest == 0 and len(y) > 1:
        raise ValueError("all labels are 0, and a classification has two classes or more")
    if highest >= max(MOST_CLASSES, len(y)):
        raise ValueError(
            f"the labels of {len(y):,} rows go up to {highest}, and classes are numbered from 0; "
            "write task: regression if they are values"
        )
    return highest + 1
