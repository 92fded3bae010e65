"""Rows as a person brings them, not yet prepared."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnrun.errors import CommandError
from nnrun.runs import files
from nnrun.spec.text import format_size, quote
from nnrun.types import Array, Inputs

LARGEST = {".npz": 1_000 * files.MEGABYTE}
"""Bytes of a file of rows by its ending; what is larger would fill the memory."""
LARGEST_OTHER = 250 * files.MEGABYTE
"""Likewise, of files of text and pictures, which take many times as much once they are read."""


@dataclass(frozen=True)
class Raw:
    """Rows to be predicted.

    Args:
        names: by what each row is called, such as the name of a picture's file.
        x: as the data set would have loaded them.
        y: class numbers or values, where the rows have labels.
        texts: what each row says, where it is a text.
        notices: what a person should know of them.
    """

    names: tuple[str, ...]
    x: Inputs
    y: Array | None = None
    texts: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)


def content(path: Path) -> bytes:
    """What a file of a person's holds.

    Raises:
        CommandError: it cannot be read, is no file, or too large.
    """
    most = LARGEST.get(path.suffix.lower(), LARGEST_OTHER)
    try:
        with files.opened(path) as file:
            if os.fstat(file.fileno()).st_size > most:
                raise CommandError(f"{path}: is larger than {format_size(most)}")
            return file.read(most)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CommandError(f"{path}: cannot be read: {reason}") from error


def text(path: Path, found: bytes) -> str:
    """What a file of text says.

    Raises:
        CommandError: it is not UTF-8.
    """
    try:
        return found.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = found[: error.start].count(b"\n") + 1
        raise CommandError(f"{path}:{line}: is not UTF-8 text") from error


def labels(cells: Sequence[str], classes: Sequence[str], place: Sequence[str]) -> Array:
    """Labels as they are written, in numbers.

    Args:
        cells: a class by its name or number; or a value.
        classes: their names; empty for a regression.
        place: of each cell, for what is said of it.

    Returns:
        Ints or floats of shape `(rows,)`.

    Raises:
        CommandError: a cell is no label.
    """
    if not classes:
        return np.array([_value(*each) for each in zip(cells, place, strict=True)])
    known = {str(number): number for number in range(len(classes))}
    # Spaces at the ends of a cell are not kept.
    known |= {name.strip(): number for number, name in enumerate(classes)}
    for cell, where in zip(cells, place, strict=True):
        if cell not in known:
            some = ", ".join(classes[:5]) + (", …" if len(classes) > 5 else "")
            raise CommandError(f"{where}: {quote(cell)} is none of the classes: {some}")
    return np.array([known[cell] for cell in cells], dtype=np.int64)


def _value(cell: str, where: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise CommandError(f"{where}: {quote(cell)} is no number")
    return value
