"""`nnrun data verify [NAME…]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnrun.cli import console
from nnrun.cli.verb import Json, exit_codes
from nnrun.errors import DataError

if TYPE_CHECKING:
    from nnrun.cache.file import File

EXAMPLE = "Example: nnrun data verify"


def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help="Data sets that must be there; by default all that are."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Read every cached file and compare its hash with the published one; change nothing."""
    with exit_codes():
        from nnrun.cache import published
        from nnrun.cli.data.names import check

        check(names or [])
        files = [
            file for file in published.FILES if (file.dataset in names if names else file.is_there)
        ]
        found = [_verified(file, quiet=json) for file in files]
        if json:
            console.print_json({"schema_version": 1, "files": found})
        else:
            _say_what_has_no_file(names, found)
        raise typer.Exit(0 if all(each["state"] == "right" for each in found) else 1)


def _verified(file: File, *, quiet: bool) -> dict[str, Any]:
    """Reads one file and says at once what it is, because the next may take a second."""
    from nnrun.cli.data.names import as_json

    state, message = _judged(file)
    if not quiet:
        style = None if state == "right" else "red"
        console.stdout().print(message, markup=False, style=style)
    return as_json(file, state=state, message=message)


def _judged(file: File) -> tuple[str, str]:
    from nnrun.cache.file import check

    about = f"{file.dataset}: {file.path}"
    if not file.is_there:
        return "absent", f"{about} is not there; `nnrun data fetch {file.dataset}` downloads it"
    try:
        check(file)
    except DataError as error:
        return "wrong", str(error)
    return "right", f"{about} is the published file"


def _say_what_has_no_file(names: list[str] | None, found: list[dict[str, Any]]) -> None:
    from nnrun.cache.file import folder
    from nnrun.cli.data.names import EMBEDDED

    verified = {each["dataset"] for each in found}
    for name in names or ():
        if name not in verified:
            console.stdout().print(f"{name}: {EMBEDDED}, there is no file to verify", markup=False)
    if not names and not found:
        console.stderr().print(f"no data set has a file in {folder()}", markup=False)
