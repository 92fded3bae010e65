"""`nnrun show RUN`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnrun.cli import console
from nnrun.cli.verb import Json, exit_codes

EXAMPLE = "Example: nnrun show runs/20260101-120000-digits"


def show(
    path: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    json: Json = False,
) -> None:
    """Show one run: metrics, best epoch, seed, versions and files."""
    with exit_codes():
        from rich.markup import escape
        from rich.table import Table

        from nnrun import layout
        from nnrun.cli import closing
        from nnrun.runs import Run

        run = Run(path)
        record = run.record()
        if json:
            console.print_json(closing.as_json(run) | {"record": record})
            return
        closing.show(run, console.stdout())
        table = Table(show_header=False)
        for name in ("started", "ended", "seed", "overrides", "rows", "commit", "versions"):
            table.add_row(name, escape(_plain(record.get(name))))
        meanings = layout.MEANING | layout.MEANING_OF_TEXTS
        meanings |= layout.MEANING_OF_FOLDS | layout.MEANING_OF_UNFINISHED
        for name, meaning in meanings.items():
            if any(path.glob(name)):
                table.add_row(name, meaning)
        console.stdout().print(table)


def _plain(value: object) -> str:
    match value:
        case dict():
            return ", ".join(f"{key} {item}" for key, item in value.items())
        case list():
            return ", ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
