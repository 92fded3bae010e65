"""`nnrun data`: list, download, import and verify the files of data sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from nnrun.cli import console
from nnrun.cli.verb import Json, exit_codes
from nnrun.errors import CommandError, DataError

if TYPE_CHECKING:
    from nnrun.data.published import File
    from nnrun.spec.dataset import DatasetBase

app = typer.Typer(
    help="List, download, import and verify data set files.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

EMBEDDED = "comes with an installed library"


@app.command("list")
def list_data(json: Json = False) -> None:
    """List all data sets: rows, kind, size, and whether their files are cached.

    Example: nnrun data list
    """
    with exit_codes():
        from nnrun.data.published import folder

        datasets = [_summary(name, cls) for name, cls in registered().items()]
        if json:
            console.print_json({"schema_version": 1, "folder": str(folder()), "datasets": datasets})
        else:
            _print_table(datasets)


@app.command()
def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Data sets.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All data sets.")] = False,
    json: Json = False,
) -> None:
    """Download the missing files of data sets, and check the others.

    Example: nnrun data fetch mnist imdb
    """
    with exit_codes():
        if bool(names) == everything:
            raise CommandError("name data sets, or give --all; `nnrun data list` lists them")
        _check_names(names or [])
        files = [file for name in names or registered() for file in _fetch(name, quiet=json)]
        if json:
            console.print_json({"schema_version": 1, "files": files})
        raise typer.Exit(1 if any(file["state"] == "failed" for file in files) else 0)


@app.command("import")
def import_file(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file, under any name.")],
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="The data set; by default found by checksum."),
    ] = None,
    json: Json = False,
) -> None:
    """Put a file that was downloaded elsewhere where Keras and nnrun look for it.

    Example: nnrun data import ~/Downloads/cifar-10-python.tar.gz
    """
    with exit_codes():
        from nnrun.data import cache, published

        _check_names([name] if name else [])
        candidates = published.of(name) if name else published.FILES
        if not candidates:
            raise CommandError(f"{name} {EMBEDDED}; there is nothing to import")
        file = cache.identify(path, candidates)
        copied = cache.import_file(path, file)
        if json:
            state = "imported" if copied else "cached"
            console.print_json({"schema_version": 1, "file": _as_json(file, state=state)})
            return
        result = "imported as" if copied else "there already, with the published hash:"
        console.stdout().print(f"{file.dataset}: {result} {file.path}", markup=False)


@app.command()
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

        _check_names(names or [])
        wanted = [
            file for file in published.FILES if (file.dataset in names if names else file.exists)
        ]
        files = [_verify(file, quiet=json) for file in wanted]
        if json:
            console.print_json({"schema_version": 1, "files": files})
        else:
            _print_without_files(names or [], wanted)
        raise typer.Exit(0 if all(file["state"] == "right" for file in files) else 1)


def registered() -> dict[str, type[DatasetBase]]:
    """Every published data set by its name in a spec, in the order of the documentation."""
    from nnrun.spec import dataset, keys

    return {
        get_args(cls.model_fields["name"].annotation)[0]: cls
        for cls in keys.nested(dataset.Dataset)
        if issubclass(cls, dataset.DatasetBase) and not issubclass(cls, dataset.UserData)
    }


def _check_names(names: Sequence[str]) -> None:
    from nnrun.spec.suggest import nearest
    from nnrun.spec.text import join_words

    known = list(registered())
    errors = []
    for name in names:
        if name not in known:
            guess = nearest(name, known)
            hint = f"did you mean '{guess}'?" if guess else f"there are {join_words(known, 'and')}"
            errors.append(f"there is no data set '{name}'; {hint}")
    if errors:
        raise CommandError("\n".join(errors))


def _as_json(file: File, **facts: Any) -> dict[str, Any]:
    return {"dataset": file.dataset, "name": file.name, "path": str(file.path), **facts}


def _summary(name: str, cls: type[DatasetBase]) -> dict[str, Any]:
    from nnrun.data import published

    known, files = cls(name=name).profile(), published.of(name)
    states = {str(file.state) for file in files}
    return {
        "name": name,
        "rows": (known.train or 0) + (known.test or 0),
        "kind": known.kind,
        "bytes": sum(file.bytes for file in files),
        "state": "embedded" if not states else "partly cached" if len(states) > 1 else states.pop(),
        "files": [
            _as_json(file, bytes=file.bytes, state=file.state, url=file.url, hash=file.hash)
            for file in files
        ],
    }


def _print_table(datasets: Sequence[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table("data set", "rows", "kind", "size", "where")
    for number in (1, 3):
        table.columns[number].justify = "right"
    table.columns[4].overflow = "fold"
    for data in datasets:
        size = f"{data['bytes'] / 1e6:.1f} MB" if data["files"] else ""
        table.add_row(data["name"], f"{data['rows']:,}", data["kind"], size, _location(data))
    console.stdout().print(table)


def _location(data: dict[str, Any]) -> str:
    """The state, with the path of a single file, the folder of several, or the files at fault."""
    from rich.markup import escape

    state, files = data["state"], data["files"]
    if state in ("embedded", "not cached"):
        return str(state)
    wrong = [file for file in files if file["state"] != "cached"]
    if wrong:
        return "\n".join(f"{file['state']}: {escape(file['path'])}" for file in wrong)
    path = Path(files[0]["path"])
    return f"{state}: {escape(str(path.parent if len(files) > 1 else path))}"


def _fetch(name: str, *, quiet: bool) -> list[dict[str, Any]]:
    """Downloads the files of one data set up to the first that fails."""
    from nnrun.data import cache, published

    out = console.stderr() if quiet else console.stdout()
    if not published.of(name):
        out.print(f"{name}: {EMBEDDED}, there is nothing to download", markup=False)
    files: list[dict[str, Any]] = []
    for file in published.of(name):
        existed = file.exists
        try:
            cache.fetch(file)
        except DataError as error:
            console.print_error(error)
            # The other files would fail too, each after a wait.
            return [*files, _as_json(file, state="failed", error=str(error))]
        files.append(_as_json(file, state="cached" if existed else "downloaded"))
        result = "there already, with the published hash" if existed else "downloaded"
        out.print(f"{name}: {result}: {file.path}", markup=False)
    return files


def _verify(file: File, *, quiet: bool) -> dict[str, Any]:
    from nnrun.data import cache

    state, message = "right", f"{file.dataset}: {file.path} is the published file"
    if not file.exists:
        state = "absent"
        message = (
            f"{file.dataset}: {file.path} is not there; `nnrun data fetch {file.dataset}` "
            "downloads it"
        )
    else:
        try:
            cache.check(file)
        except DataError as error:
            state, message = "wrong", str(error)
    if not quiet:
        console.stdout().print(message, markup=False, style=None if state == "right" else "red")
    return _as_json(file, state=state, message=message)


def _print_without_files(names: Sequence[str], files: Sequence[File]) -> None:
    from nnrun.data.published import folder

    for name in names:
        if name not in {file.dataset for file in files}:
            console.stdout().print(f"{name}: {EMBEDDED}, there is no file to verify", markup=False)
    if not names and not files:
        console.stderr().print(f"no data set has a file in {folder()}", markup=False)
