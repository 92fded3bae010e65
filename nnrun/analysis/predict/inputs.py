"""Rows given for prediction, before they are prepared."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nnrun.errors import CommandError
from nnrun.runs import files
from nnrun.spec.files import opened
from nnrun.spec.labels import are_numbers
from nnrun.spec.text import format_size, quote
from nnrun.types import Array, Input, Inputs, NamedInputs

LARGEST_ARCHIVE = 1_000 * files.MEGABYTE
UNKNOWN = -1
"""Class number of a row whose label is not known."""
LARGEST_OTHER = 250 * files.MEGABYTE
"""Bytes of a file of text or images, which takes many times as much once it is read."""


@dataclass(frozen=True)
class Raw:
    """Rows to be predicted.

    Args:
        names: of each row, such as the name of an image file.
        x: as the data set would have loaded them.
        y: class numbers or values, if the rows have labels; `UNKNOWN` or NaN where one has none.
        texts: of each row, for rows of texts.
        notices: remarks for the user.
        others: cells of the columns of a table that the model does not use, by name.
        test_sets: positions of the rows of each of several test sets.
    """

    names: tuple[str, ...]
    x: Inputs
    y: Array | None = None
    texts: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    others: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    test_sets: Mapping[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def with_inputs_as_labels(self) -> Raw:
        """The rows for an autoencoder, whose labels are its prepared inputs."""
        return replace(self, y=np.zeros((len(self), 0), np.float32))

    @property
    def known(self) -> Array:
        """Whether the label of each row is known, bools."""
        if self.y is None:
            return np.zeros(len(self), bool)
        labels = self.y.reshape(len(self), -1)
        known = ~np.isnan(labels) if labels.dtype.kind == "f" else labels > UNKNOWN
        return np.asarray(known.all(axis=1))

    @property
    def labelled(self) -> Raw:
        """The rows whose label is known."""
        if self.y is None or self.known.all():
            return self
        rows = np.flatnonzero(self.known)
        names = tuple(self.names[row] for row in rows)
        return Raw(names, self.x[rows], self.y[rows], notices=self.notices)

    @property
    def single(self) -> Input:
        """The rows of the only input."""
        assert not isinstance(self.x, NamedInputs)
        return self.x


def check_size(path: Path) -> None:
    """Refuses a table that is too large to predict; errors as of `content`."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise CommandError(f"{path}: cannot be read: {error.strerror}") from error
    if size > LARGEST_ARCHIVE:
        raise CommandError(f"{path}: is larger than {format_size(LARGEST_ARCHIVE)}")


def content(path: Path) -> bytes:
    """The content of a file.

    Raises:
        CommandError: it cannot be read, is no file, or is too large.
    """
    limit = LARGEST_ARCHIVE if path.suffix.lower() in (".npz", ".npy") else LARGEST_OTHER
    try:
        with opened(path) as file:
            if os.fstat(file.fileno()).st_size > limit:
                raise CommandError(f"{path}: is larger than {format_size(limit)}")
            return file.read(limit)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CommandError(f"{path}: cannot be read: {reason}") from error


def text(path: Path, content: bytes) -> str:
    """The content of a text file.

    Raises:
        CommandError: it is not UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise CommandError(f"{path}:{line}: is not UTF-8 text") from error


def parse_labels(
    cells: Sequence[str],
    classes: Sequence[str],
    place: Callable[[int], str],
    *,
    numbered: bool = True,
) -> Array:
    """Labels as numbers of classes.

    Args:
        cells: a class by its name, or by its number if no name is a number.
        classes: their names.
        place: the position of a row, for messages.
        numbered: whether numbers of classes are known to users.

    Returns:
        Ints of shape `(rows,)`.

    Raises:
        CommandError: a cell is no label.
    """
    # Cells have no surrounding spaces.
    numbers = {name.strip(): number for number, name in enumerate(classes)}
    if numbered and not are_numbers(classes):
        numbers |= {str(number): number for number in range(len(classes))}
    for row, cell in enumerate(cells):
        if cell not in numbers:
            names = ", ".join(classes[:5]) + (", …" if len(classes) > 5 else "")
            raise CommandError(f"{place(row)}: {quote(cell)} is none of the classes: {names}")
    return np.array([numbers[cell] for cell in cells], dtype=np.int64)
