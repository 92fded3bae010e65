"""The table of epochs, as CSV.

While it grows, each line ends in a checksum of all lines so far, so that a line that was cut off,
changed or lost is noticed. The final table has none, because the record has a digest of the file.
"""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from nnrun.types import History

CHECKSUM = "crc32"
# Enough for the last line of any table.
_TAIL_BYTES = 2**13


def table(history: History) -> list[list[object]]:
    """The header, and a row per epoch, counted from 1."""
    return [["epoch", *history.epochs], *(_row(history, at) for at in range(len(history)))]


def _row(history: History, epoch: int) -> list[object]:
    return [epoch + 1, *history.row(epoch).values()]


def text(rows: Iterable[Sequence[object]]) -> str:
    """Rows as comma-separated values."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def growing(history: History) -> str:
    """The growing table."""
    header, *lines = text(table(history)).splitlines()
    checksum = zlib.crc32(header.encode())
    parts = [f"{header},{CHECKSUM}\n"]
    for line in lines:
        checksum = zlib.crc32(line.encode(), checksum)
        parts.append(f"{line},{checksum:08x}\n")
    return "".join(parts)


def next_line(path: Path, history: History) -> str | None:
    """The last epoch of a history as a line to append to a growing table.

    None if the table must be rewritten: it has other columns, or ends in half a line.
    """
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, io.SEEK_END) - _TAIL_BYTES))
        lines = file.read().splitlines(keepends=True)
    last = lines[-1].decode("utf-8", errors="replace") if lines else ""
    cells, _, before = last.removesuffix("\n").rpartition(",")
    at = len(history) - 1
    has_previous = at > 0 and cells.startswith(f"{at},") and last.endswith("\n")
    if not has_previous or cells.count(",") != len(history.epochs):
        return None
    line = text([_row(history, at)]).removesuffix("\n")
    return f"{line},{zlib.crc32(line.encode(), int(before, 16)):08x}\n"


def is_growing(content: str) -> bool:
    """Whether each line of the table has a checksum."""
    return content.partition("\n")[0].endswith(f",{CHECKSUM}")


def read_growing(content: str) -> History:
    """The epochs of a growing table; half a line at the end, as a full disk leaves it, is ignored.

    Raises:
        ValueError: a line is damaged.
    """
    header, *lines = [line for line in content.splitlines(keepends=True) if line.endswith("\n")]
    rows = [header.removesuffix(f",{CHECKSUM}\n")]
    checksum = zlib.crc32(rows[0].encode())
    for number, line in enumerate(lines, start=2):
        row, _, end = line.removesuffix("\n").rpartition(",")
        checksum = zlib.crc32(row.encode(), checksum)
        if end != f"{checksum:08x}":
            raise ValueError(f"line {number} is not as it was written")
        rows.append(row)
    return _history(rows)


def read(content: str) -> History:
    """The epochs of a final table.

    Raises:
        ValueError: it has another form.
    """
    return _history(content.splitlines())


def _history(lines: Sequence[str]) -> History:
    history = History()
    names, *rows = list(csv.reader(lines)) or [[]]
    for row in rows:
        # The first column counts the epochs.
        history.append(dict(zip(names[1:], map(float, row[1:]), strict=True)))
    return history
