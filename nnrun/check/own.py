"""Whether a person's own data are where a spec says, and hold what it says; none of it is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path as File

from nnrun.check.subject import Subject
from nnrun.errors import Misfit
from nnrun.spec import folders, table
from nnrun.spec.dataset_base import DatasetBase
from nnrun.spec.finding import Finding
from nnrun.spec.own import PATHS, Csv, Images, Own, Table, Text
from nnrun.spec.steps import Impute
from nnrun.spec.suggest import nearest
from nnrun.spec.table import Look
from nnrun.spec.tree import Path
from nnrun.spec.words import listed, shown

_FEW = 10  # columns that are named


def misfits(dataset: DatasetBase) -> Iterator[Misfit]:
    """What is missing, or is not as the spec says."""
    if not isinstance(dataset, Own):
        return
    for key in PATHS:
        value = getattr(dataset, key)
        if value is not None and not File(value).exists() and not _can_wait(dataset):
            yield Misfit("NN127", ("dataset", key), _absence(File(value)))
        elif value is not None and File(value).is_file() and isinstance(dataset, Images):
            message = f"{shown(value)} is a file, and pictures lie in a folder per class"
            yield Misfit("NN127", ("dataset", key), message)
        elif value is not None and isinstance(dataset, Images) and File(value).exists():
            yield from _of_classes(dataset, key)
        elif value is not None and isinstance(dataset, Text):
            yield from _of_texts(dataset, key)
        elif value is not None and isinstance(dataset, Table):
            yield from _of_table(dataset, key)


def _of_table(dataset: Table, key: str) -> Iterator[Misfit]:
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


def _of_texts(dataset: Text, key: str) -> Iterator[Misfit]:
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


def absent_for_now(about: Subject) -> Iterator[Finding]:
    """NN228."""
    dataset = about.spec.dataset
    if not isinstance(dataset, Own):
        return
    for key in PATHS:
        value = getattr(dataset, key)
        if value is not None and not File(value).exists():
            yield Finding("NN228", ("dataset", key), _absence(File(value)))


def _can_wait(dataset: Own) -> bool:
    """Whether the spec says enough to be checked without the data."""
    return isinstance(dataset, Images) and dataset.classes is not None


def _absence(path: File) -> str:
    try:
        guess = nearest(path.name, [each.name for each in path.parent.iterdir()])
    except OSError:
        guess = None
    hint = f"; did you mean {shown(guess)}?" if guess else ""
    return f"{shown(str(path))} is not there{hint}"


def _of_classes(dataset: Images, key: str) -> Iterator[Misfit]:
    at = ("dataset", key)
    try:
        found = folders.classes(File(getattr(dataset, key)))
        trained = folders.classes(File(dataset.path))
    except OSError as error:
        yield Misfit("NN127", at, f"cannot be read: {error.strerror or error}")
        return
    if key == PATHS[0] and len(found) < 2:
        message = f"holds {len(found)} folders, and pictures need a folder for each of two classes"
        yield Misfit("NN127", at, message)
    elif key == PATHS[0] and dataset.classes not in (None, len(found)):
        message = f"is {dataset.classes}, but there are {len(found)} folders in {dataset.path}"
        yield Misfit("NN127", ("dataset", "classes"), message)
    elif others := sorted({*found} - {*trained}):
        named = listed([shown(name) for name in others], "and")
        yield Misfit("NN127", at, f"holds {named}, which {dataset.path} does not")


RULES = {"NN228": absent_for_now}
