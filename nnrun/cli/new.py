"""`nnrun new NAME`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnrun.cli import console, shipped
from nnrun.cli.verb import Json, exit_codes
from nnrun.errors import CommandError
from nnrun.spec.language import FILES
from nnrun.spec.suggest import nearest

if TYPE_CHECKING:
    from nnrun.spec.experiment import Experiment
    from nnrun.spec.loading import Loaded

EXAMPLE = "Example: nnrun new my-net --from mnist"

SUFFIXES = (".yaml", ".yml")
HINT = "# Keys with a '#' before them are not in use; their defaults are shown. To use one take '# ' away."


def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The experiment's name, or the file to write.")
    ],
    source: Annotated[
        str, typer.Option("--from", metavar="WHAT", help="A shipped spec, or a data set.")
    ] = "digits",
    json: Json = False,
) -> None:
    """Write a spec to start from, with a comment on every key."""
    with exit_codes():
        from nnrun.spec.commented import commented
        from nnrun.spec.loading import load

        path = Path(name if name.endswith(SUFFIXES) else f"{name}.yaml")
        start = _start(source)
        experiment = _renamed(load(start), path.name.removesuffix(path.suffix))
        header = list(_header(start, path))
        text = "\n".join((*_editor(path.parent), *header, HINT, "", commented(experiment)))
        _write(path, text)
        command = next(line for line in header if line.startswith("#   ")).removeprefix("#   ")
        if json:
            console.print_json({"schema_version": 1, "path": str(path), "command": command})
            return
        console.stderr().print(f"wrote {path}; now run\n  {command}", markup=False)


def _start(source: str) -> Path:
    """The shipped spec of that name, or else the plainest one of the data set of that name.

    Raises:
        CommandError: there is neither.
    """
    if source in shipped.names():
        return shipped.folder() / f"{source}.yaml"
    from nnrun.spec.loading import load

    datasets: dict[str, Path] = {}
    for name in sorted(shipped.names(), key=len, reverse=True):
        path = shipped.folder() / f"{name}.yaml"
        datasets[load(path).experiment.dataset.name] = path
    if source in datasets:
        return datasets[source]
    if source.rpartition(".")[2].lower() in FILES:
        message = f"files of your own, such as '{source}', cannot be read yet"
        raise CommandError(f"{message}; start from one of {', '.join(shipped.names())}")
    words = sorted({*shipped.names(), *datasets})
    guess = nearest(source, words)
    hint = f"did you mean '{guess}'?" if guess else f"there are {', '.join(words)}"
    raise CommandError(f"there is no spec or data set '{source}'; {hint}")


def _renamed(loaded: Loaded, name: str) -> Experiment:
    """The experiment under another name.

    Raises:
        CommandError: no run can have that name.
    """
    from pydantic import ValidationError

    from nnrun.spec import messages
    from nnrun.spec.experiment import Experiment

    raw = {**loaded.root.plain(), "name": name}
    try:
        return Experiment.model_validate(raw)
    except ValidationError as error:
        [finding] = messages.findings(error, raw)
        raise CommandError(f"NAME {finding.message}") from None


def _editor(folder: Path) -> tuple[str, ...]:
    """The lines by which an editor finds the schema, where it lies beside the new file."""
    from nnrun.spec import schema

    return schema.header() if (folder / schema.FILE).is_file() else ()


def _header(start: Path, path: Path) -> Iterator[str]:
    """What the spec to start from says of itself, with the commands that run the new file."""
    from nnrun.spec import schema

    lines = start.read_text(encoding="utf-8").splitlines()[len(schema.header()) :]
    for line in takewhile(lambda line: line.startswith("#"), lines):
        yield line.replace(f"configs/{start.name}", shlex.quote(str(path)))


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
