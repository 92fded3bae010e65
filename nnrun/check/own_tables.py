"""Whether a person's own tables and texts hold what a spec says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path as File

from nnrun.errors import Misfit
from nnrun.spec import folders, table
from nnrun.spec.own import Csv, Table, Text
from nnrun.spec.steps import Impute
from nnrun.spec.suggest import nearest
from nnrun.spec.table import Look
from nnrun.spec.tree import Path
from nnrun.spec.words import listed, shown

_FEW = 10  # columns that are named


def of_table(dataset: Table, key: str) -> Iterator[Misfit]:
    """What a look at a table shows; a Parquet file is looked at when it is read."""
    at, path = ("dataset", key), File(getattr(dataset, key))
    if not isinstance(dataset, Csv):
        return
    if path.suffix.lower() not in table.ENDINGS:
        # Of any other file no word is shown: a spec may come from a stranger.
        yield Misfit("NN127", at, f"must end in {listed(table.ENDINGS, 'or')}")
        return
    try:
        found = table.look(path, dataset.separator)
    except OSError as error:
        yield Misfit("NN127", at, f"cannot be read: {error.strerror or error}")
        return
    except ValueError as error:
        yield Misfit("NN127", at, f"{path.name}: {error}")
        return
    missing = [*_absent_columns(dataset, found)]
    yield from missing
    if not missing:
        yield from _empty_cells(dataset, found, key)


def of_texts(dataset: Text, key: str) -> Iterator[Misfit]:
    """What a look at texts shows, in a folder per class or in a table."""
    at, path = ("dataset", key), File(getattr(dataset, key))
    if path.is_dir():
        if len(folders.classes(path)) < 2:
            yield Misfit("NN127", at, "holds no folder for each of two classes")
        return
    if path.suffix.lower() not in table.ENDINGS:
        yield Misfit("NN127", at, f"must be a folder, or end in {listed(table.ENDINGS, 'or')}")
        return
    try:
        found = table.look(path, dataset.separator)
    except OSError as error:
        yield Misfit("NN127", at, f"cannot be read: {error.strerror or error}")
        return
    except ValueError as error:
        yield Misfit("NN127", at, f"{path.name}: {error}")
        return
    named: dict[Path, str] = {
        ("dataset", "text"): dataset.text,
        ("dataset", "target"): dataset.target,
    }
    yield from _not_there(named, found)


def _absent_columns(dataset: Table, found: Look) -> Iterator[Misfit]:
    wanted: dict[Path, str] = {("dataset", "target"): dataset.target}
    for index, name in enumerate(dataset.features or ()):
        wanted["dataset", "features", index] = name
    yield from _not_there(wanted, found)
    if dataset.target in (dataset.features or ()):
        message = f"{shown(dataset.target)} is the target too"
        yield Misfit("NN127", ("dataset", "features"), message)


def _not_there(wanted: Mapping[Path, str], found: Look) -> Iterator[Misfit]:
    for path, name in wanted.items():
        if name not in found.columns:
            guess = nearest(name, list(found.columns))
            known = listed([shown(each) for each in [*found.columns][:_FEW]], "and")
            hint = f"did you mean {shown(guess)}?" if guess else f"there are {known}"
            yield Misfit("NN127", path, f"there is no column {shown(name)}; {hint}")


def _empty_cells(dataset: Table, found: Look, key: str) -> Iterator[Misfit]:
    filled = any(isinstance(step, Impute) for step in dataset.prepare)
    for name in table.used(dataset, found):
        column = found.columns[name]
        if column is None or not column.missing or (filled and name != dataset.target):
            continue
        more = f" and {len(column.missing) - 1:,} more" if len(column.missing) > 1 else ""
        what = "the target, " if name == dataset.target else ""
        cure = (
            "" if what else "; fill it with prepare: [impute: median], or leave it out of features"
        )
        message = f"{shown(name)}, {what}has no value on line {column.missing[0]}{more}{cure}"
        yield Misfit("NN127", ("dataset", key), message)
