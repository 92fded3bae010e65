"""`nnrun data import FILE [NAME]`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnrun.cli import console
from nnrun.cli.verb import Json, exit_codes
from nnrun.errors import CommandError

if TYPE_CHECKING:
    from nnrun.cache.file import File

EXAMPLE = "Example: nnrun data import ~/Downloads/cifar-10-python.tar.gz"


def import_file(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="As it was downloaded, under any name.")
    ],
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="The data set; by default the hash tells."),
    ] = None,
    json: Json = False,
) -> None:
    """Put a file that was downloaded elsewhere where Keras and nnrun look for it."""
    with exit_codes():
        from nnrun.cache.importing import bring, recognise
        from nnrun.cli.data.names import as_json

        file = recognise(path, _candidates(name))
        state = "imported" if bring(path, file) else "cached"
        if json:
            console.print_json({"schema_version": 1, "file": as_json(file, state=state)})
            return
        said = "imported as" if state == "imported" else "there already, with the published hash:"
        console.stdout().print(f"{file.dataset}: {said} {file.path}", markup=False)


def _candidates(name: str | None) -> tuple[File, ...]:
    from nnrun.cache import published
    from nnrun.cli.data.names import EMBEDDED, check

    if name is None:
        return published.FILES
    check([name])
    if not published.of(name):
        raise CommandError(f"{name} {EMBEDDED}; there is nothing to import")
    return published.of(name)
