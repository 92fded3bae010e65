"""`nnrun data`: list, download, import and verify the files of data sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnrun.cli import console
from nnrun.cli.verb import Json
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
    from nnrun.data import published

    if json:
        datasets = [_as_json(name, cls) for name, cls in registered().items()]
        folder = str(published.folder())
        console.print_json({"folder": folder, "datasets": datasets})
        return
    headings = ("data set", "rows", "kind", "size", "where")
    rows = [_row(name, cls) for name, cls in registered().items()]
    table = console.make_table(headings, rows, right=["rows", "size"])
    table.columns[4].overflow = "fold"
    console.stdout().print(table)


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
    if bool(names) == everything:
        raise CommandError("name data sets, or give --all; `nnrun data list` lists them")
    _check_names(names or [])
    files = [file for name in names or registered() for file in _fetch(name, quiet=json)]
    if json:
        console.print_json({"files": files})
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
    from nnrun.data import cache, published

    _check_names([name] if name else [])
    candidates = published.of(name) if name else published.FILES
    if not candidates:
        raise CommandError(f"{name} {EMBEDDED}; there is nothing to import")
    file = cache.identify(path, candidates)
    is_new = cache.import_file(path, file)
    if json:
        entry = _entry(file, state="imported" if is_new else "cached")
        console.print_json({"file": entry})
        return
    state = "imported as" if is_new else "already cached, with the published hash:"
    console.stdout().print(f"{file.dataset}: {state} {file.path}")


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
    from nnrun.data import published

    names = names or []
    _check_names(names)
    files = [f for f in published.FILES if (f.dataset in names if names else f.exists)]
    entries = [_verify(file, quiet=json) for file in files]
    if json:
        console.print_json({"files": entries})
    elif not names and not files:
        console.stderr().print(f"no data set has a file in {published.folder()}")
    else:
        for name in names:
            if not published.of(name):
                console.stdout().print(f"{name}: {EMBEDDED}, there is no file to verify")
    raise typer.Exit(0 if all(entry["state"] == "right" for entry in entries) else 1)


def registered() -> dict[str, type[DatasetBase]]:
    """Every published data set by its name in a spec, in the order of the documentation."""
    from nnrun.spec.dataset import DATASETS, UserData

    return {name: cls for name, cls in DATASETS.items() if not issubclass(cls, UserData)}


def _check_names(names: Sequence[str]) -> None:
    from nnrun.spec.suggest import known_names

    allowed = list(registered())
    if errors := [
        f"there is no data set '{name}'; {known_names(name, allowed, most=len(allowed))}"
        for name in names
        if name not in allowed
    ]:
        raise CommandError("\n".join(errors))


def _entry(file: File, **facts: object) -> dict[str, object]:
    return {"dataset": file.dataset, "name": file.name, "path": str(file.path), **facts}


def _state(files: Sequence[File]) -> str:
    states = {str(file.state) for file in files}
    return "embedded" if not states else "partly cached" if len(states) > 1 else states.pop()


def _as_json(name: str, cls: type[DatasetBase]) -> dict[str, object]:
    from nnrun.data import published

    profile, files = cls(name=name).profile(), published.of(name)
    return {
        "name": name,
        "rows": (profile.train or 0) + (profile.test or 0),
        "kind": profile.kind,
        "bytes": sum(file.bytes for file in files),
        "state": _state(files),
        "files": [
            _entry(file, bytes=file.bytes, state=file.state, url=file.url, hash=file.hash)
            for file in files
        ],
    }


def _row(name: str, cls: type[DatasetBase]) -> tuple[str, ...]:
    from nnrun.data import published

    data, files = _as_json(name, cls), published.of(name)
    size = f"{sum(file.bytes for file in files) / 1e6:.1f} MB" if files else ""
    return name, f"{data['rows']:,}", str(data["kind"]), size, _location(files)


def _location(files: Sequence[File]) -> str:
    """The state, with the path of a single file, the folder of several, or the files at fault."""
    state = _state(files)
    if state in ("embedded", "not cached"):
        return state
    if wrong := [file for file in files if file.state != "cached"]:
        return "\n".join(f"{file.state}: {file.path}" for file in wrong)
    path = files[0].path
    return f"{state}: {path.parent if len(files) > 1 else path}"


def _fetch(name: str, *, quiet: bool) -> list[dict[str, object]]:
    """Downloads the files of one data set up to the first that fails."""
    from nnrun.data import cache, published

    out = console.stderr() if quiet else console.stdout()
    if not published.of(name):
        out.print(f"{name}: {EMBEDDED}, there is nothing to download")
    files: list[dict[str, object]] = []
    for file in published.of(name):
        existed = file.exists
        try:
            cache.fetch(file)
        except DataError as error:
            console.print_error(error)
            # The other files would fail too, each after a wait.
            return [*files, _entry(file, state="failed", error=str(error))]
        files.append(_entry(file, state="cached" if existed else "downloaded"))
        state = "already cached, with the published hash" if existed else "downloaded"
        out.print(f"{name}: {state}: {file.path}")
    return files


def _verify(file: File, *, quiet: bool) -> dict[str, object]:
    from nnrun.data import cache

    place, fetch = f"{file.dataset}: {file.path}", f"nnrun data fetch {file.dataset}"
    state, message = "right", f"{place} is the published file"
    if not file.exists:
        state, message = "absent", f"{place} is missing; `{fetch}` downloads it"
    else:
        try:
            cache.check(file)
        except DataError as error:
            state, message = "wrong", str(error)
    if not quiet:
        console.stdout().print(message, style=None if state == "right" else "red")
    return _entry(file, state=state, message=message)
