"""`nnrun data fetch NAME…`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from nnrun.cli import console
from nnrun.cli.verb import Json, exit_codes
from nnrun.errors import CommandError, DataError

EXAMPLE = "Example: nnrun data fetch mnist imdb"


def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Data sets.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that there are.")] = False,
    json: Json = False,
) -> None:
    """Download the files of data sets that are not there yet, and check the others."""
    with exit_codes():
        wanted = _wanted(names or [], everything=everything)
        files: list[dict[str, Any]] = []
        fine = [_fetch(name, files, quiet=json) for name in wanted]
        if json:
            console.print_json({"schema_version": 1, "files": files})
        raise typer.Exit(0 if all(fine) else 1)


def _wanted(names: list[str], *, everything: bool) -> list[str]:
    from nnrun.cli.data.names import check, registered

    if bool(names) == everything:
        raise CommandError("name data sets, or give --all; `nnrun data list` lists them")
    check(names)
    return names or list(registered())


def _fetch(name: str, files: list[dict[str, Any]], *, quiet: bool) -> bool:
    """Sees to one data set and says how it went; returns whether all of it is there."""
    from nnrun.cache import published
    from nnrun.cache.download import fetch as download
    from nnrun.cache.placing import sweep
    from nnrun.cli.data.names import EMBEDDED, as_json

    out = console.stderr() if quiet else console.stdout()
    if not published.of(name):
        out.print(f"{name}: {EMBEDDED}, there is nothing to download", markup=False)
    for file in published.of(name):
        before = file.is_there
        sweep(file.path.parent)
        try:
            download(file)
        except DataError as error:
            console.print_error(error)
            files.append(as_json(file, state="failed", error=str(error)))
            # Its other files would fail alike, each after a wait.
            return False
        files.append(as_json(file, state="cached" if before else "downloaded"))
        said = "there already, with the published hash" if before else "downloaded"
        out.print(f"{name}: {said}: {file.path}", markup=False)
    return True
