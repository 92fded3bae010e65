"""Rows of the test set that a run was tested on."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from nnrun import datasets
from nnrun.errors import CommandError, DataError
from nnrun.prediction.raw import Raw
from nnrun.prediction.subject import Subject
from nnrun.records import Array, Dataset, Inputs, Sequences

_RANGE = re.compile(r"(\d{0,9})(:?)(\d{0,9})", re.ASCII)


@dataclass(frozen=True)
class Range:
    """Some rows, as a slice of Python takes them: from `start` up to but without `stop`."""

    start: int
    stop: int | None

    @classmethod
    def of(cls, text: str) -> Range:
        """A range as it is written, `0:20`, `20:`, or `7` for one row.

        Raises:
            CommandError: it is none, or an empty one.
        """
        found = _RANGE.fullmatch(text)
        if not found or text == "":
            raise CommandError(f"--rows '{text}': must look like 0:20, or 7 for one row")
        start = int(found[1] or 0)
        stop = int(found[3]) if found[3] else None if found[2] else start + 1
        if stop is not None and stop <= start:
            raise CommandError(f"--rows '{text}': holds no row, as the first comes after the last")
        return cls(start, stop)


def read(subject: Subject, wanted: Range) -> Raw:
    """Rows of the test set with their labels.

    Raises:
        DataError: the data cannot be had, or are not those of the run.
        CommandError: there are no such rows.
    """
    dataset = _same(subject)
    test = dataset.test
    if wanted.start >= len(test):
        raise CommandError(f"the test set ends with row {len(test) - 1:,}")
    rows = np.arange(len(test))[wanted.start : wanted.stop]
    texts = tuple(datasets.decoded(dataset, test.x, rows)) if isinstance(test.x, Sequences) else ()
    return Raw(tuple(map(str, rows)), _taken(test.x, rows), test.y[rows], texts)


def everything(subject: Subject) -> Raw:
    """The whole test set; errors as of `read`."""
    test = _same(subject).test
    return Raw(tuple(map(str, range(len(test)))), test.x, test.y)


def _same(subject: Subject) -> Dataset:
    """The data set, being the one that the run was trained on."""
    dataset = datasets.load(subject.spec.dataset)
    if datasets.digest(dataset) != subject.run.record().get("data_digest"):
        raise DataError(
            f"{subject.name}: its rows are not those that {subject.run.path} was trained and "
            "tested on"
        )
    return dataset


def _taken(x: Inputs, rows: Array) -> Inputs:
    """A stretch of rows."""
    if not isinstance(x, Sequences):
        return x[rows]
    offsets = x.offsets[rows[0] : rows[-1] + 2]
    return Sequences(x.values[offsets[0] : offsets[-1]], offsets - offsets[0])
