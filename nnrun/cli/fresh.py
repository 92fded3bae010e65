"""What to start from with a file or a folder of one's own: a shipped spec, made to fit it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnrun.cli import shipped
from nnrun.errors import CommandError
from nnrun.spec.language import FILES, UNREADABLE
from nnrun.spec.words import listed, shown

if TYPE_CHECKING:
    from nnrun.spec.table import Look

Raw = dict[str, Any]

_SIZE = 64  # pixels on each side, which show what most pictures are of
_MOSTLY = 0.5  # share of rows with a word of their own, from which on a column is a name


@dataclass(frozen=True)
class Own:
    """A start for a person's own data.

    Args:
        source: the shipped spec of such data.
        changes: sections of it, with what they become.
        notes: what was decided, to be told.
    """

    source: Path
    changes: Raw
    notes: tuple[str, ...] = ()


def of_file(name: str, target: str | None, *, beside: Path) -> Own | None:
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
    if ending in UNREADABLE and "." in name:
        raise CommandError(f"{shown(name)}: save it as csv, parquet or npz; {ending} is not read")
    if ending not in FILES:
        return None
    if not path.is_file():
        raise CommandError(f"{shown(name)} is not there")
    if FILES[ending] in ("npz", "parquet"):
        return _unseen(path, FILES[ending], target, beside)
    return _of_table(path, target, beside)


def _of_folder(path: Path, beside: Path) -> Own:
    from nnrun.spec import folders

    try:
        names = folders.classes(path)
        endings = {each.suffix.lower() for name in names for each in (path / name).iterdir()}
    except OSError as error:
        raise CommandError(f"{shown(str(path))} cannot be read: {error.strerror}") from None
    if len(names) < 2:
        raise CommandError(f"{shown(str(path))} holds no folder for each of two classes or more")
    if endings & folders.ENDINGS:
        source, raw = _shipped("pictures")
        dataset = {**raw["dataset"], "image_size": [_SIZE, _SIZE], "color_mode": "rgb"}
    else:
        source, raw = _shipped("functions")
        dataset = {key: value for key, value in raw["dataset"].items() if key not in _COLUMNS}
    changes = {
        "dataset": {**dataset, "path": _path(path, beside)},
        "model": _with_outputs(raw["model"], len(names)),
        "description": f"{listed(names[:3], 'or')}, from {path.name}",
    }
    return Own(source, changes, (f"{len(names)} classes: {listed(names[:10], 'and')}",))


_COLUMNS = ("text", "target")


def _of_table(path: Path, target: str | None, beside: Path) -> Own:
    from nnrun.spec import table

    separator = _separator(path)
    try:
        found = table.look(path, separator)
    except (OSError, ValueError) as error:
        raise CommandError(f"{shown(str(path))} cannot be read: {error}") from None
    target = _target(found, target, path)
    column = found.columns[target]
    classes = column.categories if column else None
    unnamed = [name for name in found.columns if name.startswith(table.UNNAMED)]
    names = [*unnamed, *_names(found, target)]
    features = [each for each in found.columns if each not in (target, *names)]
    if classes and len(names) == 1 and not features:
        return _of_texts(path, names[0], target, len(classes), separator, beside)
    if not features:
        raise CommandError(
            f"{path.name} has no column that {shown(target)} could be predicted from"
        )
    source, raw = _shipped("flowers" if classes else "cars")
    holes = [each for each in features if (held := found.columns[each]) and held.missing]
    dataset = {
        **raw["dataset"],
        "path": _path(path, beside),
        "target": target,
        "prepare": [*([{"impute": "median"}] if holes else []), "standardize"],
        **({"features": features} if names else {}),
        **({"separator": separator} if separator != "," else {}),
    }
    changes = {
        "dataset": dataset,
        "model": _with_outputs(raw["model"], len(classes or "1")),
        "description": f"{target}, from {path.name}",
        "validation": _holdout(stratify=bool(classes)),
    }
    if classes and len(classes) < 2:
        raise CommandError(f"{shown(target)} is {shown(classes[0])} in every row")
    what = f"{len(classes)} classes" if classes else "a number"
    notes = [f"{shown(target)} is what is predicted: {what}; --target takes another column"]
    if unnamed:
        notes.append("left out, as it has no name: the number of the row, most likely")
    if own := [name for name in names if name not in unnamed]:
        notes.append(f"left out, as almost every row has its own: {listed(own, 'and')}")
    return Own(source, changes, tuple(notes))


def _of_texts(
    path: Path, text: str, target: str, classes: int, separator: str, beside: Path
) -> Own:
    source, raw = _shipped("functions")
    dataset = {**raw["dataset"], "path": _path(path, beside), "text": text, "target": target}
    changes = {
        "dataset": {**dataset, **({"separator": separator} if separator != "," else {})},
        "model": _with_outputs(raw["model"], classes),
        "description": f"{target}, by {text}, from {path.name}",
    }
    return Own(source, changes, (f"{shown(target)} is predicted from {shown(text)}",))


def _unseen(path: Path, kind: str, target: str | None, beside: Path) -> Own:
    """A start for what only training reads."""
    source, raw = _shipped("arrays" if kind == "npz" else "wines")
    dataset = {**raw["dataset"], "path": _path(path, beside)}
    if target is not None and kind == "parquet":
        dataset["target"] = target
    changes = {
        "dataset": dataset,
        "description": f"From {path.name}",
        "validation": _holdout(stratify=False),
    }
    return Own(source, changes, ("look the target, the layers and the loss over",))


def _holdout(*, stratify: bool) -> Raw:
    """A cross-validation would leave no model to be asked."""
    return {"holdout": {"size": 0.2, "take": "random", **({"stratify": True} if stratify else {})}}


def _shipped(name: str) -> tuple[Path, Raw]:
    from nnrun.spec.loading import load

    path = shipped.folder() / "own" / f"{name}.yaml"
    return path, load(path).root.plain()


def _path(path: Path, beside: Path) -> str:
    return path.as_posix() if path.is_absolute() else Path(os.path.relpath(path, beside)).as_posix()


def _separator(path: Path) -> str:
    """Of tabs, semicolons and commas the one that the header has most of."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline()
    except (OSError, UnicodeDecodeError):
        return ","
    return max(",;\t", key=header.count)


def _target(found: Look, target: str | None, path: Path) -> str:
    if target is None:
        return list(found.columns)[-1]
    if target not in found.columns:
        there = listed([shown(each) for each in found.columns], "and")
        raise CommandError(f"--target: {path.name} has no column {shown(target)}; it has {there}")
    return target


def _names(found: Look, target: str) -> Iterator[str]:
    """Columns of words that name the rows, of which nothing can be learnt."""
    for name, column in found.columns.items():
        words = column.categories if column and name != target else None
        if words and found.rows and len(words) > max(2, _MOSTLY * found.rows):
            yield name


def _with_outputs(model: list[Any], width: int) -> list[Any]:
    """The layers, the last of them of another width."""
    *others, last = model
    [(layer, arguments)] = last.items()
    given = arguments if isinstance(arguments, dict) else {"units": arguments}
    return [*others, {layer: {**given, "units": width}}]
