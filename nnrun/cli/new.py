"""`nnrun new NAME`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnrun.cli import console, shipped
from nnrun.cli.verb import Json, exit_codes
from nnrun.errors import CommandError
from nnrun.spec.suggest import nearest

if TYPE_CHECKING:
    from nnrun.spec.experiment import Experiment

EXAMPLE = "Example: nnrun new my-net --from mnist"

SUFFIXES = (".yaml", ".yml")
HINT = "# Keys with a '#' before them are not in use; their defaults are shown. To use one take '# ' away."


def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The experiment's name, or the file to write.")
    ],
    source: Annotated[
        str,
        typer.Option(
            "--from", metavar="WHAT", help="A shipped spec, a data set, or data of your own."
        ),
    ] = "digits",
    target: Annotated[
        str | None,
        typer.Option(
            "--target", metavar="COLUMN", help="Of a table of your own; by default the last one."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Write a spec to start from, with a comment on every key."""
    with exit_codes():
        from nnrun.cli import fresh
        from nnrun.spec.commented import commented
        from nnrun.spec.language import data_sets
        from nnrun.spec.loading import load

        path = Path(name if name.endswith(SUFFIXES) else f"{name}.yaml")
        named = source in shipped.names() or source in data_sets()
        own = None if named else fresh.of_file(source, target, beside=path.parent)
        if target is not None and not (own and "target" in own.raw["dataset"]):
            raise CommandError("--target: only a table of your own has a column to be chosen")
        if own:
            raw, header = own.raw, [*_own_header(own.raw["description"], path)]
        else:
            start = _start(source)
            raw, header = load(start).root.plain(), [*_header(start, path)]
        experiment = _renamed(raw, path.name.removesuffix(path.suffix))
        command = next(line for line in header if line.startswith("#   ")).removeprefix("#   ")
        text = "\n".join((*_editor(path.parent), *header, HINT, "", commented(experiment)))
        _write(path, text)
        if json:
            console.print_json({"schema_version": 1, "path": str(path), "command": command})
            return
        for note in own.notes if own else ():
            console.stderr().print(note, markup=False)
        console.stderr().print(f"wrote {path}; now run\n  {command}", markup=False)


def _start(source: str) -> Path:
    """The shipped spec of that name, or else the plainest one of the data set of that name.

    Raises:
        CommandError: there is neither.
    """
    from nnrun.spec.language import data_sets
    from nnrun.spec.loading import load

    paths = {name: shipped.folder() / f"{name}.yaml" for name in shipped.names()}
    if source in paths:
        return paths[source]
    for name in sorted(paths, key=len):
        if source in data_sets() and load(paths[name]).experiment.dataset.name == source:
            return paths[name]
    words = sorted({*paths, *data_sets()})
    guess = nearest(source, words)
    hint = f"did you mean '{guess}'?" if guess else f"there are {', '.join(words)}"
    raise CommandError(f"there is no spec or data set '{source}'; {hint}")


def _renamed(raw: dict[str, Any], name: str) -> Experiment:
    """The experiment under another name.

    Raises:
        CommandError: no run can have that name.
    """
    from pydantic import ValidationError

    from nnrun.spec import messages
    from nnrun.spec.experiment import Experiment

    raw = {**raw, "name": name}
    try:
        return Experiment.model_validate(raw)
    except ValidationError as error:
        [finding] = messages.findings(error, raw)
        raise CommandError(f"NAME {finding.message}") from None


def _editor(folder: Path) -> tuple[str, ...]:
    """The lines by which an editor finds the schema, where it lies beside the new file."""
    from nnrun.spec import schema

    return schema.header() if (folder / schema.FILE).is_file() else ()


def _own_header(description: str, path: Path) -> Iterator[str]:
    """What the spec is for; names in a person's data may hold anything, and stay on the line."""
    line = "".join(letter if letter.isprintable() else " " for letter in description)
    yield f"# {line}."
    yield f"#   nnrun train {shlex.quote(str(path))}"


def _header(start: Path, path: Path) -> Iterator[str]:
    """What the spec to start from says of itself, with the commands that run the new file."""
    from nnrun.spec import schema

    lines = start.read_text(encoding="utf-8").splitlines()[len(schema.header()) :]
    shipped_as = f"configs/{start.relative_to(shipped.folder()).as_posix()}"
    for line in takewhile(lambda line: line.startswith("#"), lines):
        yield line.replace(shipped_as, shlex.quote(str(path)))


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        message = f"there is a file '{path}' already, and it is left as it is; take another name"
        raise CommandError(message) from None
    except FileNotFoundError:
        raise CommandError(f"there is no folder '{path.parent}' to write {path.name} in") from None
    except OSError as error:
        raise CommandError(f"'{path}' cannot be written: {error.strerror}") from None
