"""`nnrun data list`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nnrun.cli import console
from nnrun.cli.verb import Json, exit_codes

if TYPE_CHECKING:
    from rich.table import Table

    from nnrun.cache.file import File, State
    from nnrun.spec.profile import Profile

EXAMPLE = "Example: nnrun data list"
EMBEDDED = "embedded"


@dataclass(frozen=True)
class Row:
    """A data set, with a look at its files."""

    known: Profile
    files: dict[File, State]

    @property
    def bytes(self) -> int:
        """Of all files together, as they are published."""
        return sum(file.bytes for file in self.files)

    @property
    def state(self) -> str:
        """That of all files together; `embedded` where there are none."""
        states = Counter(self.files.values())
        if len(states) == 1:
            return str(*states)
        return "partly cached" if states else EMBEDDED

    @property
    def rows(self) -> int:
        """To train and to test on."""
        return (self.known.train or 0) + (self.known.test or 0)


def list_data(json: Json = False) -> None:
    """List all data sets: rows, kind, size, and whether their files are there."""
    with exit_codes():
        rows = _rows()
        if json:
            from nnrun.cache.file import folder

            datasets = [_as_json(row) for row in rows]
            document = {"schema_version": 1, "folder": str(folder()), "datasets": datasets}
            console.print_json(document)
        else:
            console.stdout().print(_table(rows))


def _rows() -> list[Row]:
    from nnrun.cache import published
    from nnrun.cli.data.names import registered
    from nnrun.spec.profile import profile

    return [
        Row(profile(cls(name=name)), {file: file.look() for file in published.of(name)})
        for name, cls in registered().items()
    ]


def _table(rows: list[Row]) -> Table:
    from rich.table import Table

    table = Table("data set", "rows", "kind", "size", "where")
    for number in (1, 3):
        table.columns[number].justify = "right"
    table.columns[4].overflow = "fold"
    for row in rows:
        size = f"{row.bytes / 1e6:.1f} MB" if row.files else ""
        table.add_row(row.known.name, f"{row.rows:,}", row.known.kind, size, _where(row))
    return table


def _where(row: Row) -> str:
    """The state; the path of a single file, or the folder of several; each that is not cached."""
    from rich.markup import escape

    from nnrun.cache.file import State

    if row.state in {EMBEDDED, State.ABSENT}:
        return row.state
    wrong = {file: state for file, state in row.files.items() if state is not State.CACHED}
    if wrong:
        return "\n".join(f"{state}: {escape(str(file.path))}" for file, state in wrong.items())
    [first, *others] = row.files
    return f"{row.state}: {escape(str(first.path.parent if others else first.path))}"


def _as_json(row: Row) -> dict[str, Any]:
    from nnrun.cli.data.names import as_json

    return {
        "name": row.known.name,
        "rows": row.rows,
        "kind": row.known.kind,
        "bytes": row.bytes,
        "state": row.state,
        "files": [
            as_json(file, bytes=file.bytes, state=state, url=file.url, hash=file.hash)
            for file, state in row.files.items()
        ],
    }
