"""`nnrun schema`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from nnrun.cli import console
from nnrun.cli.saving import save
from nnrun.cli.verb import exit_codes

EXAMPLE = "Example: nnrun schema -o nnrun.schema.json"


def schema(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it to a file."),
    ] = None,
    header: Annotated[
        bool, typer.Option("--header", help="Print only the lines that a spec begins with.")
    ] = False,
) -> None:
    """Print the JSON Schema by which editors complete and check specs."""
    with exit_codes():
        from nnrun.spec import schema as language

        if output:
            text = language.text()
            save(output, lambda path: path.write_text(text, encoding="utf-8"))
        elif not header:
            sys.stdout.write(language.text())
            return
        lines = language.header(_address(output) if output else language.FILE)
        if header:
            sys.stdout.write("\n".join(lines) + "\n")
            return
        said = ["a spec in this folder finds it by these lines on top:", *lines]
        console.stderr().print("\n".join(said), markup=False)


def _address(path: Path) -> str:
    """A file as a spec in the current folder names it, with slashes on every system."""
    return Path(os.path.relpath(path)).as_posix()
