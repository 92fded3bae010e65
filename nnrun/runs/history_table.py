"""The table of epochs, and how it looks while it grows.

Each line of a growing table ends in a checksum of all lines so far, so that a line that was cut
off, changed or lost is never taken for an epoch. The table of an ended run has none: by then the
record of the run holds the digest of the whole file.
"""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nnrun.types import History

CHECKSUM = "crc32"
# Enough for the last line of any table.
_TAIL_BYTES = 2**13


def table(history: History) -> list[list[Any]]:
    """The header, and a row per epoch, counted from 1."""
    return [["epoch", *history.epochs], *(_row(history, at) for at in range(len(history)))]


def _row(history: History, epoch: int) -> list[Any]:
    return [epoch + 1, *history.row(epoch).values()]


def text(rows: Iterable[Sequence[Any]]) -> str:
    """Rows as comma-separated values."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def growing(history: History) -> str:
    """The table as it looks while it grows."""
    header, *lines = text(table(history)).splitlines()
    checksum = zlib.crc32(header.encode())
    parts = [f"{header},{CHECKSUM}\n"]
    for line in lines:
        checksum = zlib.crc32(line.encode(), checksum)
        parts.append(f"{line},{checksum:08x}\n")
    return "".join(parts)


def next_line(path: Path, history: History) -> str | None:
    """The line of the last epoch of a history, to be added to a growing table.

    None where the table has to be written anew: it has other columns, or ends in half a line.

    Raises:
        OSError: the table cannot be read.
    """
    last = _last_line(path)
    cells, _, before = last.removesuffix("\n").rpartition(",")
    at = len(history) - 1
    if not last.endswith("\n") or cells.count(",") != len(history.epochs):
        return None
    if at == 0 or not cells.startswith(f"{at},"):
        return None
    line = text([_row(history, at)]).removesuffix("\n")
    return f"{line},{zlib.crc32(line.encode(), int(before, 16)):08x}\n"


def _last_line(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, io.SEEK_END) - _TAIL_BYTES))
        lines = file.read().splitlines(keepends=True)
    return lines[-1].decode("utf-8", errors="replace") if lines else ""


def is_growing(content: str) -> bool:
    """Whether it is a table of which each line has a checksum."""
    return content.partition("\n")[0].endswith(f",{CHECKSUM}")


def read_growing(content: str) -> History:
    """The epochs of a table that was growing when its run was looked at, or was killed.

    Half a line at the end is no epoch: a full disk or a power cut leaves it.

    Raises:
        ValueError: a line is not as it was written.
    """
    header, *lines = [line for line in content.splitlines(keepends=True) if line.endswith("\n")]
    checksum = zlib.crc32(header.removesuffix(f",{CHECKSUM}\n").encode())
    cells = []
    for number, line in enumerate(lines, start=2):
        cell, _, told = line.removesuffix("\n").rpartition(",")
        checksum = zlib.crc32(cell.encode(), checksum)
        if told != f"{checksum:08x}":
            raise ValueError(f"line {number} is not as it was written")
        cells.append(cell)
    return _history([header.removesuffix(f",{CHECKSUM}\n"), *cells])


def read(content: str) -> History:
    """The epochs of a table whose digest is right."""
    return _history(content.splitlines())


def _history(lines: Sequence[str]) -> History:
    history = History()
    names, *rows = list(csv.reader(lines)) or [[]]
    for row in rows:
        # The first column counts the epochs.
        history.append(dict(zip(names[1:], map(float, row[1:]), strict=True)))
    return history
