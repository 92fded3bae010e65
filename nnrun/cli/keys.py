"""`nnrun keys [WORD]…`."""

from __future__ import annotations

from typing import Annotated

import typer

from nnrun.cli import console
from nnrun.cli.verb import Json, exit_codes

EXAMPLE = "Example: nnrun keys training"


def keys(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORD]...",
            help="A part (training), steps, datasets, layers, losses, …, or a name (Dense, epochs).",
        ),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Tables for a document.")] = False,
    json: Json = False,
) -> None:
    """Say what may stand in a spec: keys, data sets, prepare steps, and all that Keras offers."""
    with exit_codes():
        from nnrun.cli import key_tables
        from nnrun.spec import glossary

        found = [section for word in words or () for section in glossary.look_up(word)]
        found = found or list(glossary.everything())
        out = console.stdout()
        if json:
            sections = [key_tables.plain(section) for section in found]
            console.print_json({"schema_version": 1, "sections": sections})
        elif markdown:
            print("\n".join(map(key_tables.markdown, found)))
        else:
            for section in found:
                key_tables.show(section, out)
                out.print()
