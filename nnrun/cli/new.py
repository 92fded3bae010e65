"""`nnrun new NAME`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnrun.cli import console, specs
from nnrun.cli.verb import Json, exit_codes
from nnrun.errors import CommandError
from nnrun.spec.suggest import nearest

if TYPE_CHECKING:
    from nnrun.spec.experiment import Experiment
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnrun.spec.language import FILES, UNREADABLE
from nnrun.spec.text import join_words, quote

if TYPE_CHECKING:
    from nnrun.spec.profile import TableSummary


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
    """Write a spec to start from, with a comment on every key.

    Example: nnrun new my-net --from mnist
    """
    with exit_codes():
        from nnrun.spec.dumping import dump_commented
        from nnrun.spec.language import data_sets
        from nnrun.spec.loading import load

        path = Path(name if name.endswith(SUFFIXES) else f"{name}.yaml")
        named = source in specs.shipped_names() or source in data_sets()
        own = None if named else of_file(source, target, beside=path.parent)
        if target is not None and not (own and "target" in own.raw["dataset"]):
            raise CommandError("--target: only a table of your own has a column to be chosen")
        if own:
            raw, header = own.raw, [*_own_header(own.raw["description"], path)]
        else:
            start = _start(source)
            raw, header = load(start).root.plain(), [*_header(start, path)]
        experiment = _renamed(raw, path.name.removesuffix(path.suffix))
        command = next(line for line in header if line.startswith("#   ")).removeprefix("#   ")
        text = "\n".join((*_editor(path.parent), *header, HINT, "", dump_commented(experiment)))
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

    paths = {name: specs.shipped_folder() / f"{name}.yaml" for name in specs.shipped_names()}
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
        [finding] = messages.problems(error, raw)
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
    shipped_as = f"configs/{start.relative_to(specs.shipped_folder()).as_posix()}"
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


# What to start from with a file or a folder of one's own: a shipped spec, made to fit it.

Raw = dict[str, Any]

_SIZE = 64  # pixels on each side, which show what most pictures are of
_MOSTLY = 0.5  # share of rows with a word of their own, from which on a column is a name


@dataclass(frozen=True)
class Start:
    """A start for a person's own data.

    Args:
        raw: the spec, as YAML would be read.
        notes: what was decided, to be told.
    """

    raw: Raw
    notes: tuple[str, ...]


def of_file(name: str, target: str | None, *, beside: Path) -> Start | None:
    """The start for a file or a folder; None where the name is not that of one.

    Args:
        name: as typed, relative to the working directory.
        target: the column to predict, where it was said.
        beside: the folder in which the spec will stand.

    Raises:
        CommandError: it is not there, or nothing here reads it.
    """
    path = Path(name).expanduser()
    ending = path.suffix.removeprefix(".").lower()
    if path.is_dir():
        return _of_folder(path, beside)
    if ending in UNREADABLE:
        raise CommandError(f"{quote(name)}: save it as csv, parquet or npz; {ending} is not read")
    if ending not in FILES:
        return None
    if not path.is_file():
        raise CommandError(f"{quote(name)} is not there")
    if FILES[ending] in ("npz", "parquet"):
        return _unseen(path, FILES[ending], target, beside)
    return _of_table(path, target, beside)


def _of_folder(path: Path, beside: Path) -> Start:
    from nnrun.spec import profile

    try:
        names = profile.class_folders(path)
        files = (each for name in names for each in (path / name).iterdir())
        pictures = any(each.suffix.lower() in profile.IMAGE_ENDINGS for each in files)
    except OSError as error:
        raise CommandError(f"{quote(str(path))} cannot be read: {error.strerror}") from None
    if len(names) < 2:
        raise CommandError(f"{quote(str(path))} holds no folder for each of two classes or more")
    raw = _shipped("pictures" if pictures else "functions", path, beside, outputs=len(names))
    if pictures:
        raw["dataset"] |= {"image_size": [_SIZE, _SIZE], "color_mode": "rgb"}
    else:
        # Columns, which folders have not.
        del raw["dataset"]["text"], raw["dataset"]["target"]
    raw["description"] = f"{join_words(names[:3], 'or')}, from {path.name}"
    return Start(raw, (f"{len(names)} classes: {join_words(names[:10], 'and')}",))


def _of_table(path: Path, target: str | None, beside: Path) -> Start:
    from nnrun.spec import profile

    separator = _separator(path)
    try:
        found = profile.inspect_table(path, separator)
    except (OSError, ValueError) as error:
        raise CommandError(f"{quote(str(path))} cannot be read: {error}") from None
    target = _target(found, target, path)
    column = found.columns[target]
    classes = column.categories if column else None
    unnamed = [name for name in found.columns if name.startswith(profile.UNNAMED)]
    names = [*unnamed, *_names(found, target)]
    features = [each for each in found.columns if each not in (target, *names)]
    if classes and len(classes) < 2:
        raise CommandError(f"{quote(target)} is {quote(classes[0])} in every row")
    outputs = len(classes or "1")
    told = {"target": target, **({"separator": separator} if separator != "," else {})}
    if classes and len(names) == 1 and not features:
        raw = _shipped("functions", path, beside, outputs=outputs)
        raw["dataset"] |= {**told, "text": names[0]}
        raw["description"] = f"{target}, by {names[0]}, from {path.name}"
        return Start(raw, (f"{quote(target)} is predicted from {quote(names[0])}",))
    if not features:
        raise CommandError(
            f"{path.name} has no column that {quote(target)} could be predicted from"
        )
    raw = _shipped("flowers" if classes else "cars", path, beside, outputs=outputs)
    holes = any(held.missing for each in features if (held := found.columns[each]))
    prepare = [*([{"impute": "median"}] if holes else []), "standardize"]
    raw["dataset"] |= {**told, "prepare": prepare, **({"features": features} if names else {})}
    raw["description"] = f"{target}, from {path.name}"
    raw["validation"] = _holdout(stratify=bool(classes))
    return Start(raw, tuple(_decisions(target, classes, unnamed, names)))


def _decisions(
    target: str, classes: Sequence[str] | None, unnamed: list[str], names: list[str]
) -> Iterator[str]:
    """What a person may want otherwise."""
    what = f"{len(classes)} classes" if classes else "a number"
    yield f"{quote(target)} is what is predicted: {what}; --target takes another column"
    if unnamed:
        yield "left out, as it has no name: the number of the row, most likely"
    if own := [name for name in names if name not in unnamed]:
        yield f"left out, as almost every row has its own: {join_words(own, 'and')}"


def _unseen(path: Path, kind: str, target: str | None, beside: Path) -> Start:
    """A start for what only training reads."""
    raw = _shipped("arrays" if kind == "npz" else "wines", path, beside)
    if target is not None and kind == "parquet":
        raw["dataset"]["target"] = target
    raw["description"] = f"From {path.name}"
    raw["validation"] = _holdout(stratify=False)
    return Start(raw, ("look the target, the layers and the loss over",))


def _holdout(*, stratify: bool) -> Raw:
    """A cross-validation would leave no model to be asked."""
    return {"holdout": {"size": 0.2, "take": "random", **({"stratify": True} if stratify else {})}}


def _shipped(name: str, path: Path, beside: Path, *, outputs: int | None = None) -> Raw:
    """A shipped spec for other data, without what is expected of its own.

    Args:
        path: of the data, as typed.
        beside: the folder in which the spec will stand.
        outputs: width of the last layer; as it is where nobody knows.
    """
    from nnrun.spec.loading import load

    raw: Raw = load(specs.shipped_folder() / "own" / f"{name}.yaml").root.plain()
    raw.pop("expect", None)
    relative = path if path.is_absolute() else Path(os.path.relpath(path, beside))
    raw["dataset"]["path"] = relative.as_posix()
    if outputs is not None:
        raw["model"][-1]["Dense"] = {**_arguments(raw["model"][-1]["Dense"]), "units": outputs}
    return raw


def _arguments(given: Any) -> Raw:
    return given if isinstance(given, dict) else {}


def _separator(path: Path) -> str:
    """Of tabs, semicolons and commas the one that the header has most of."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline()
    except (OSError, UnicodeDecodeError):
        return ","
    return max(",;\t", key=header.count)


def _target(found: TableSummary, target: str | None, path: Path) -> str:
    if target is None:
        return list(found.columns)[-1]
    if target not in found.columns:
        there = join_words([quote(each) for each in found.columns], "and")
        raise CommandError(f"--target: {path.name} has no column {quote(target)}; it has {there}")
    return target


def _names(found: TableSummary, target: str) -> Iterator[str]:
    """Columns of words that name the rows, of which nothing can be learnt."""
    for name, column in found.columns.items():
        words = column.categories if column and name != target else None
        if words and found.rows and len(words) > max(2, _MOSTLY * found.rows):
            yield name
