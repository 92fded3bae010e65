"""`nnrun new NAME`."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnrun.cli import console, specs
from nnrun.cli.verb import Json
from nnrun.errors import CommandError
from nnrun.spec.suggest import known_names
from nnrun.spec.text import join_words, quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnrun.spec.component import Component
    from nnrun.spec.experiment import Experiment
    from nnrun.spec.tables import Column, Table

SUFFIXES = (".yaml", ".yml")
HINT = "# Keys behind a '#' are not in use and show their defaults. To use one, delete '# '."

IMAGE_SIZE = 64
"""Height and width to which images are scaled, in pixels."""
IMAGE_SIDE = 224
"""A length that a model leaves open, such as the height of its images."""


@dataclass(frozen=True)
class Draft:
    """A spec as plain values, its first comments with the command, and notes for the user."""

    raw: dict[str, Any]
    header: tuple[str, ...]
    notes: tuple[str, ...] = ()


def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the experiment, or of the file.")
    ],
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="SOURCE",
            help="A shipped spec, a data set, data of yours, or a model of Keras.",
        ),
    ] = "digits",
    target: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column to predict; by default the last one."),
    ] = None,
    json: Json = False,
) -> None:
    """Write a spec to start from, with a comment on every key.

    Example: nnrun new my-net --from mnist
    """
    from nnrun.spec import schema
    from nnrun.spec.dataset import DATASETS
    from nnrun.spec.dumping import dump_commented

    path = Path(name if name.endswith(SUFFIXES) else f"{name}.yaml")
    is_name = source in specs.shipped_names() or source in DATASETS
    draft = None if is_name else _from_user_data(source, target, path)
    if target is not None and not (draft and "target" in draft.raw["dataset"]):
        raise CommandError("--target: only a table has a column to predict")
    draft = draft or _from_shipped(source, path)
    experiment = _validated(draft, path.stem)
    command = next(line for line in draft.header if line.startswith("#   "))[4:]
    first = schema.header() if (path.parent / schema.FILE).is_file() else ()
    _write(path, "\n".join((*first, *draft.header, HINT, "", dump_commented(experiment))))
    if json:
        console.print_json({"path": str(path), "command": command})
        return
    for line in (*draft.notes, f"wrote {path}; now run\n  {command}"):
        console.stderr().print(line)


def _validated(draft: Draft, name: str) -> Experiment:
    from pydantic import ValidationError

    from nnrun.spec import messages
    from nnrun.spec.experiment import Experiment

    raw = {**draft.raw, "name": name}
    try:
        return Experiment.model_validate(raw)
    except ValidationError as error:
        [problem] = messages.problems(error, raw)
        raise CommandError(f"NAME {problem.message}") from None


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise CommandError(f"file '{path}' exists and is not changed; use another name") from None
    except FileNotFoundError:
        raise CommandError(f"there is no folder '{path.parent}' to write {path.name} in") from None
    except OSError as error:
        raise CommandError(f"'{path}' cannot be written: {error.strerror}") from None


def _from_shipped(source: str, path: Path) -> Draft:
    """A copy of a shipped spec, with its first comments."""
    from nnrun.spec import schema
    from nnrun.spec.loading import load

    start = _shipped_spec(source)
    lines = start.read_text(encoding="utf-8").splitlines()[len(schema.header()) :]
    shipped_as = f"configs/{start.relative_to(specs.shipped_folder()).as_posix()}"
    comments = takewhile(lambda line: line.startswith("#"), lines)
    header = tuple(line.replace(shipped_as, shlex.quote(str(path))) for line in comments)
    return Draft(load(start).root.plain(), header)


def _shipped_spec(source: str) -> Path:
    """The shipped spec of that name, or else the one with the shortest name for that data set."""
    from nnrun.spec.dataset import DATASETS
    from nnrun.spec.loading import load

    paths = {name: specs.shipped_folder() / f"{name}.yaml" for name in specs.shipped_names()}
    if source in paths:
        return paths[source]
    for name in sorted(paths, key=len):
        if source in DATASETS and load(paths[name]).experiment.dataset.name == source:
            return paths[name]
    words = sorted({*paths, *DATASETS})
    hint = known_names(source, words, most=len(words))
    raise CommandError(f"there is no spec or data set '{source}'; {hint}")


def _from_user_data(source: str, target: str | None, path: Path) -> Draft | None:
    """A shipped spec adapted to a file or a folder, or a model; None for a name that is neither."""
    from nnrun.spec import architecture
    from nnrun.spec.csv_format import has_csv_name
    from nnrun.spec.files import regular_size
    from nnrun.spec.language import FILES, UNREADABLE

    data = Path(source).expanduser()
    suffix = data.suffix.removeprefix(".").lower()
    is_model = data.suffix in architecture.SUFFIXES
    if data.is_dir():
        return _from_folder(data, path)
    if suffix in ("h5", "hdf5"):
        raise CommandError(f"{quote(source)}: save the model as a .keras file, or its to_json()")
    if suffix in UNREADABLE and not is_model:
        reason = f"{suffix} is not supported; save it as csv, parquet or npz"
        raise CommandError(f"{quote(source)}: {reason}")
    is_csv = has_csv_name(data)
    if suffix not in FILES and not is_csv and not is_model:
        return None
    try:
        regular_size(data)
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError)
        message = "does not exist" if is_missing else f"cannot be read: {error.strerror}"
        raise CommandError(f"file {quote(source)} {message}") from None
    if is_model:
        return _from_model(data, path)
    if is_csv or FILES[suffix] != "npz":
        return _from_table(data, target, path)
    raw = _adapted("arrays", data, path)
    raw["validation"] = _holdout(stratify=False)
    return _draft(
        raw, f"From {data.name}", path, "check target, layers and loss: nnrun did not read the file"
    )


def _from_model(model: Path, path: Path) -> Draft:
    """A spec with the layers of a model that Keras has saved, for data of your own."""
    from nnrun.check.shapes import trace
    from nnrun.spec import architecture, catalogue

    try:
        read = architecture.read(model)
    except OSError as error:
        raise CommandError(f"{quote(str(model))} cannot be read: {error.strerror}") from None
    except architecture.UnreadableArchitecture as error:
        raise CommandError(f"{quote(str(model))}: {error}") from None
    shape = tuple(IMAGE_SIDE if length is None else length for length in read.shape)
    layers = [catalogue.parse_component("layers", layer) for layer in read.layers]
    known = trace(layers, shape)
    size = "unknown" if known.parameters is None else f"{known.parameters:,}"
    notes = [f"{len(layers)} layers, {size} parameters, for rows of shape {shape}", *read.notes]
    loss, metrics = _loss_of(layers[-1])
    raw: dict[str, Any] = {
        "dataset": _rows_for(shape, known.shape or ()),
        "model": read.layers,
        "training": {"optimizer": "adam", "loss": loss, "metrics": metrics, "epochs": 10},
        "validation": _holdout(stratify=False),
    }
    scales = any(layer.name in ("Rescaling", "Normalization") for layer in layers[:3])
    if raw["dataset"]["name"] == "images" and not scales:
        raw["dataset"]["prepare"] = ["rescale"]
    notes.append("check dataset, loss and metrics: a model does not say them")
    return _draft(raw, f"The layers of {model.name}", path, *notes)


def _rows_for(shape: tuple[int, ...], output: Sequence[int | None]) -> dict[str, Any]:
    """A data set with rows of a shape: images, or an npz file."""
    match shape:
        case height, width, 1 | 3 as channels:
            classes = {"classes": output[0]} if len(output) == 1 and (output[0] or 0) > 1 else {}
            color = {"color_mode": "rgb" if channels == 3 else "grayscale"}
            size = {"image_size": [height, width]}
            return {"name": "images", "path": "images/train", **size, **color, **classes}
    return {"name": "npz", "path": "data.npz"}


def _loss_of(last: Component) -> tuple[str, list[str]]:
    """The loss and the metrics that suit the last layer."""
    activation = "softmax" if last.name == "Softmax" else last.arguments.get("activation")
    if activation == "softmax":
        return "sparse_categorical_crossentropy", ["accuracy"]
    if activation == "sigmoid":
        return "binary_crossentropy", ["accuracy"]
    return "mse", ["mae"]


def _draft(raw: dict[str, Any], description: str, path: Path, *notes: str) -> Draft:
    raw["description"] = description
    # Names in the data may contain any character; the comment must stay on one line.
    line = "".join(letter if letter.isprintable() else " " for letter in description)
    return Draft(raw, (f"# {line}.", f"#   nnrun train {shlex.quote(str(path))}"), notes)


def _from_folder(data: Path, path: Path) -> Draft:
    from nnrun.spec import profile

    try:
        source, test = profile.row_folders(data)
        if problem := profile.class_folders_problem(source):
            raise CommandError(f"{quote(str(source))} {problem}")
        names = profile.class_folders(source)
        files = (file for name in names for file in profile.files_within(source / name))
        endings = {file.suffix.lower() for file in files}
    except OSError as error:
        raise CommandError(f"{quote(str(data))} cannot be read: {error.strerror}") from None
    has_images = bool(endings & profile.IMAGE_ENDINGS)
    if not has_images and ".txt" not in endings:
        kinds = f"images ({profile.IMAGE_FORMATS}) or .txt files"
        raise CommandError(f"{quote(str(source))} holds no {kinds} in its class folders")
    raw = _adapted("pictures" if has_images else "functions", source, path, outputs=len(names))
    if test:
        raw["dataset"]["test"] = _relative(test, path)
    if has_images:
        raw["dataset"] |= {"image_size": [IMAGE_SIZE, IMAGE_SIZE], "color_mode": "rgb"}
    else:
        # Keys for columns of a table.
        del raw["dataset"]["text"], raw["dataset"]["target"]
    note = f"{len(names)} classes: {join_words(names[:10], 'and')}"
    return _draft(raw, f"{join_words(names[:3], 'or')}, from {data.name}", path, note)


def _from_table(data: Path, target: str | None, path: Path) -> Draft:
    from nnrun.spec import tables
    from nnrun.spec.csv_format import CsvFormat

    form = CsvFormat()
    try:
        if data.suffix.lower() == ".parquet":
            table = tables.read_parquet(data)
        else:
            form = tables.guess_format(data)
            table = tables.read_csv(data, form)
    except (ImportError, OSError, ValueError) as error:
        raise CommandError(f"{quote(str(data))} cannot be read: {error}") from None
    if target is None:
        target = list(table.columns)[-1]
    elif target not in table.columns:
        present = join_words([quote(name) for name in table.columns], "and")
        raise CommandError(f"--target: {data.name} has no column {quote(target)}; it has {present}")
    draft = _adapted_to_table(table, target, data, path)
    if data.suffix.lower() == ".parquet":
        draft.raw["dataset"]["name"] = "parquet"
    draft.raw["dataset"] |= form.model_dump(exclude_defaults=True)
    return draft


def _adapted_to_table(table: Table, target: str, data: Path, path: Path) -> Draft:
    """A spec for the features of a table."""
    from nnrun.check.lint import LARGE_TARGET, power_of_ten

    column = table.columns[target]
    classes, is_binary = column.categories or (), _is_binary(column)
    if len(classes) == 1:
        raise CommandError(f"{quote(target)} is {quote(classes[0])} in every row")
    if column.problem and not classes:
        raise CommandError(f"{quote(target)} {column.problem}")
    others = {name: values for name, values in table.columns.items() if name != target}
    ignored = {name: reason for name, values in others.items() if (reason := _reason(name, values))}
    features = [name for name in others if name not in ignored]
    if classes and len(ignored) == 1 and not features:
        [text] = ignored
        raw = _adapted("functions", data, path, outputs=len(classes))
        raw["dataset"] |= {"target": target, "text": text}
        note = f"{quote(target)} is predicted from {quote(text)}"
        return _draft(raw, f"{target}, by {text}, from {data.name}", path, note)
    if not features:
        reasons = "".join(f"; {quote(name)} {reason}" for name, reason in ignored.items())
        raise CommandError(f"{data.name} has no column to predict {quote(target)} from{reasons}")
    outputs = 2 if is_binary else len(classes) or 1
    raw = _adapted("cars" if outputs == 1 else "flowers", data, path, outputs=outputs)
    if (values := column.numbers) is not None and outputs == 1:
        scale = float((values**2).mean()) ** 0.5
        if scale >= LARGE_TARGET:
            raw["model"].append({"Rescaling": {"scale": power_of_ten(scale)}})
    has_gaps = any(len(others[name].missing) for name in features)
    raw["dataset"]["target"] = target
    if is_binary:
        raw["dataset"]["task"] = "classification"
    raw["dataset"]["prepare"] = [*([{"impute": "median"}] if has_gaps else []), "standardize"]
    raw["validation"] = _holdout(stratify=outputs > 1)
    kind = f"{outputs} classes" if outputs > 1 else "a number"
    notes = [f"target: {quote(target)}, {kind}; --target selects another column"]
    if ignored:
        raw["dataset"]["features"] = features
        notes += [
            # The spec leaves the column out already.
            f"ignored: {quote(name)} {reason.partition('; leave it out')[0]}"
            for name, reason in ignored.items()
        ]
    return _draft(raw, f"{target}, from {data.name}", path, *notes)


def _is_binary(column: Column) -> bool:
    """Whether a column of numbers holds only 0 and 1."""
    return column.numbers is not None and {*column.numbers.tolist()} == {0.0, 1.0}


def _reason(name: str, column: Column) -> str:
    """Why a column is left out; empty if it is a feature."""
    from nnrun.spec.tables import UNNAMED

    if column.counts or name.startswith(UNNAMED):
        return "numbers the rows"
    return column.problem


def _holdout(*, stratify: bool) -> dict[str, object]:
    """A hold-out: after a cross-validation there would be no model to predict with."""
    return {"holdout": {"size": 0.2, "take": "random", **({"stratify": True} if stratify else {})}}


def _relative(data: Path, path: Path) -> str:
    """The path of data as a spec at `path` names it."""
    relative = data if data.is_absolute() else Path(os.path.relpath(data, path.parent))
    return relative.as_posix()


def _adapted(name: str, data: Path, path: Path, *, outputs: int | None = None) -> dict[str, Any]:
    """A shipped spec with other data and, if given, other units of the last layer."""
    from nnrun.spec.loading import load

    raw: dict[str, Any] = load(specs.shipped_folder() / "own" / f"{name}.yaml").root.plain()
    raw.pop("expect", None)
    raw["dataset"]["path"] = _relative(data, path)
    if outputs is not None:
        dense = raw["model"][-1]["Dense"]
        arguments = dense if isinstance(dense, dict) else {}
        raw["model"][-1]["Dense"] = {**arguments, "units": outputs}
    return raw
