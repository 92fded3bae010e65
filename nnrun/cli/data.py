"""The verbs of `nnrun data`: one module each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnrun.cli import console
from nnrun.cli.verb import Json, exit_codes
from nnrun.errors import CommandError, DataError

if TYPE_CHECKING:
    from nnrun.data.published import File
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from nnrun.data.published import File, State
    from nnrun.spec.profile import Profile
from collections.abc import Iterable
from typing import TYPE_CHECKING, get_args

if TYPE_CHECKING:
    from nnrun.data.published import File
    from nnrun.spec.dataset import DatasetBase
from typing import TYPE_CHECKING

# `nnrun data fetch NAME…`.


def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Data sets.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that there are.")] = False,
    json: Json = False,
) -> None:
    """Download the files of data sets that are not there yet, and check the others.

    Example: nnrun data fetch mnist imdb
    """
    with exit_codes():
        wanted = _wanted(names or [], everything=everything)
        files: list[dict[str, Any]] = []
        fine = [_fetch(name, files, quiet=json) for name in wanted]
        if json:
            console.print_json({"schema_version": 1, "files": files})
        raise typer.Exit(0 if all(fine) else 1)


def _wanted(names: list[str], *, everything: bool) -> list[str]:

    if bool(names) == everything:
        raise CommandError("name data sets, or give --all; `nnrun data list` lists them")
    check(names)
    return names or list(registered())


def _fetch(name: str, files: list[dict[str, Any]], *, quiet: bool) -> bool:
    """Sees to one data set and says how it went; returns whether all of it is there."""
    from nnrun.data import published
    from nnrun.data.cache import fetch as download
    from nnrun.data.cache import sweep

    out = console.stderr() if quiet else console.stdout()
    if not published.of(name):
        out.print(f"{name}: {EMBEDDED_REASON}, there is nothing to download", markup=False)
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


# `nnrun data import FILE [NAME]`.


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
    """Put a file that was downloaded elsewhere where Keras and nnrun look for it.

    Example: nnrun data import ~/Downloads/cifar-10-python.tar.gz
    """
    with exit_codes():
        from nnrun.data.cache import identify, import_file

        file = identify(path, _candidates(name))
        state = "imported" if import_file(path, file) else "cached"
        if json:
            console.print_json({"schema_version": 1, "file": as_json(file, state=state)})
            return
        said = "imported as" if state == "imported" else "there already, with the published hash:"
        console.stdout().print(f"{file.dataset}: {said} {file.path}", markup=False)


def _candidates(name: str | None) -> tuple[File, ...]:
    from nnrun.data import published

    if name is None:
        return published.FILES
    check([name])
    if not published.of(name):
        raise CommandError(f"{name} {EMBEDDED_REASON}; there is nothing to import")
    return published.of(name)


# `nnrun data list`.

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
    """List all data sets: rows, kind, size, and whether their files are there.

    Example: nnrun data list
    """
    with exit_codes():
        rows = _rows()
        if json:
            from nnrun.data.published import folder

            datasets = [_as_json(row) for row in rows]
            document = {"schema_version": 1, "folder": str(folder()), "datasets": datasets}
            console.print_json(document)
        else:
            console.stdout().print(_table(rows))


def _rows() -> list[Row]:
    from nnrun.data import published
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

    from nnrun.data.published import State

    if row.state in {EMBEDDED, State.ABSENT}:
        return row.state
    wrong = {file: state for file, state in row.files.items() if state is not State.CACHED}
    if wrong:
        return "\n".join(f"{state}: {escape(str(file.path))}" for file, state in wrong.items())
    [first, *others] = row.files
    return f"{row.state}: {escape(str(first.path.parent if others else first.path))}"


def _as_json(row: Row) -> dict[str, Any]:

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


# The data sets that a person can name, and the files that a command means.

EMBEDDED_REASON = "comes with an installed library"


def registered() -> dict[str, type[DatasetBase]]:
    """Every published data set by its name in a spec, in the order of the documentation."""
    from nnrun.spec import dataset, keys
    from nnrun.spec.dataset import DatasetBase, UserData

    return {
        get_args(cls.model_fields["name"].annotation)[0]: cls
        for cls in keys.nested(dataset.Dataset)
        if issubclass(cls, DatasetBase) and not issubclass(cls, UserData)
    }


def check(names: Iterable[str]) -> None:
    """Refuses names that no data set has.

    Raises:
        CommandError: with all of them, and the nearest that there is.
    """
    from nnrun.spec.text import listed, nearest

    known = list(registered())
    said = []
    for name in names:
        if name not in known:
            guess = nearest(name, known)
            hint = f"did you mean '{guess}'?" if guess else f"there are {listed(known, 'and')}"
            said.append(f"there is no data set '{name}'; {hint}")
    if said:
        raise CommandError("\n".join(said))


def as_json(file: File, **facts: Any) -> dict[str, Any]:
    """A file as every verb's `--json` gives it, with what the verb found."""
    return {"dataset": file.dataset, "name": file.name, "path": str(file.path), **facts}


# `nnrun data verify [NAME…]`.


def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help="Data sets that must be there; by default all that are."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Read every cached file and compare its hash with the published one; change nothing.

    Example: nnrun data verify
    """
    with exit_codes():
        from nnrun.data import published

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
    state, message = _judged(file)
    if not quiet:
        style = None if state == "right" else "red"
        console.stdout().print(message, markup=False, style=style)
    return as_json(file, state=state, message=message)


def _judged(file: File) -> tuple[str, str]:
    from nnrun.data.published import check

    about = f"{file.dataset}: {file.path}"
    if not file.is_there:
        return "absent", f"{about} is not there; `nnrun data fetch {file.dataset}` downloads it"
    try:
        check(file)
    except DataError as error:
        return "wrong", str(error)
    return "right", f"{about} is the published file"


def _say_what_has_no_file(names: list[str] | None, found: list[dict[str, Any]]) -> None:
    from nnrun.data.published import folder

    verified = {each["dataset"] for each in found}
    for name in names or ():
        if name not in verified:
            console.stdout().print(
                f"{name}: {EMBEDDED_REASON}, there is no file to verify", markup=False
            )
    if not names and not found:
        console.stderr().print(f"no data set has a file in {folder()}", markup=False)


app = typer.Typer(
    help="List, download, import and verify data set files.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("list")(list_data)
app.command("fetch")(fetch)
app.command("import")(import_file)
app.command("verify")(verify)
