"""Whether a person's own data are where a spec says, and hold what it says; none of it is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from pathlib import Path as File

from nnrun.check.subject import SpecContext
from nnrun.errors import IncompatibleSpec
from nnrun.spec import profile
from nnrun.spec.dataset import PATHS
from nnrun.spec.dataset import Csv
from nnrun.spec.dataset import DatasetBase
from nnrun.spec.dataset import Images
from nnrun.spec.dataset import Table
from nnrun.spec.dataset import Text
from nnrun.spec.dataset import UserData
from nnrun.spec.profile import TableSummary
from nnrun.spec.suggest import nearest
from nnrun.spec.text import join_words
from nnrun.spec.text import quote
from nnrun.spec.tree import KeyPath
from nnrun.spec.tree import Problem

# Whether a person's own tables and texts hold what a spec says.

_FEW = 10  # columns that are named


def of_table(dataset: Table, key: str) -> Iterator[IncompatibleSpec]:
    """What a look at a table shows; a Parquet file is looked at when it is read."""
    at, path = ("dataset", key), File(getattr(dataset, key))
    if not isinstance(dataset, Csv):
        return
    if path.suffix.lower() not in profile.ENDINGS:
        # Of any other file no word is shown: a spec may come from a stranger.
        yield IncompatibleSpec("NN127", at, f"must end in {join_words(profile.ENDINGS, 'or')}")
        return
    try:
        found = profile.inspect_table(path, dataset.separator)
    except OSError as error:
        yield IncompatibleSpec("NN127", at, f"cannot be read: {error.strerror or error}")
        return
    except ValueError as error:
        yield IncompatibleSpec("NN127", at, f"{path.name}: {error}")
        return
    missing = [*_absent_columns(dataset, found)]
    yield from missing
    if not missing:
        yield from _empty_cells(dataset, found, key)


def of_texts(dataset: Text, key: str) -> Iterator[IncompatibleSpec]:
    """What a look at texts shows, in a folder per class or in a table."""
    at, path = ("dataset", key), File(getattr(dataset, key))
    if path.is_dir():
        if len(profile.class_folders(path)) < 2:
            yield IncompatibleSpec("NN127", at, "holds no folder for each of two classes")
        return
    if path.suffix.lower() not in profile.ENDINGS:
        yield IncompatibleSpec(
            "NN127", at, f"must be a folder, or end in {join_words(profile.ENDINGS, 'or')}"
        )
        return
    try:
        found = profile.inspect_table(path, dataset.separator)
    except OSError as error:
        yield IncompatibleSpec("NN127", at, f"cannot be read: {error.strerror or error}")
        return
    except ValueError as error:
        yield IncompatibleSpec("NN127", at, f"{path.name}: {error}")
        return
    named: dict[KeyPath, str] = {
        ("dataset", "text"): dataset.text,
        ("dataset", "target"): dataset.target,
    }
    yield from _not_there(named, found)


def _absent_columns(dataset: Table, found: TableSummary) -> Iterator[IncompatibleSpec]:
    wanted: dict[KeyPath, str] = {("dataset", "target"): dataset.target}
    for index, name in enumerate(dataset.features or ()):
        wanted["dataset", "features", index] = name
    yield from _not_there(wanted, found)
    if dataset.target in (dataset.features or ()):
        message = f"{quote(dataset.target)} is the target too"
        yield IncompatibleSpec("NN127", ("dataset", "features"), message)


def _not_there(wanted: Mapping[KeyPath, str], found: TableSummary) -> Iterator[IncompatibleSpec]:
    for path, name in wanted.items():
        if name not in found.columns:
            guess = nearest(name, list(found.columns))
            known = join_words([quote(each) for each in [*found.columns][:_FEW]], "and")
            hint = f"did you mean {quote(guess)}?" if guess else f"there are {known}"
            yield IncompatibleSpec("NN127", path, f"there is no column {quote(name)}; {hint}")


def _empty_cells(dataset: Table, found: TableSummary, key: str) -> Iterator[IncompatibleSpec]:
    filled = any(step.fills_missing for step in dataset.prepare)
    for name in dataset.used_columns(found):
        column = found.columns[name]
        if column is None or not column.missing or (filled and name != dataset.target):
            continue
        more = f" and {len(column.missing) - 1:,} more" if len(column.missing) > 1 else ""
        what = "the target, " if name == dataset.target else ""
        cure = (
            "" if what else "; fill it with prepare: [impute: median], or leave it out of features"
        )
        message = f"{quote(name)}, {what}has no value on line {column.missing[0]}{more}{cure}"
        yield IncompatibleSpec("NN127", ("dataset", key), message)


_LONGEST = 300  # characters


def user_data_problems(dataset: DatasetBase) -> Iterator[IncompatibleSpec]:
    """What is missing, or is not as the spec says."""
    if not isinstance(dataset, UserData):
        return
    for key in PATHS:
        value = getattr(dataset, key)
        if value is not None and not profile.path_exists(Path(value)) and not _can_wait(dataset):
            yield IncompatibleSpec("NN127", ("dataset", key), _absence(Path(value)))
        elif value is not None and isinstance(dataset, Images) and Path(value).is_file():
            message = f"{_whole(Path(value))} is a file, and pictures lie in a folder per class"
            yield IncompatibleSpec("NN127", ("dataset", key), message)
        elif value is not None and isinstance(dataset, Images) and profile.path_exists(Path(value)):
            yield from _of_classes(dataset, key)
        elif value is not None and isinstance(dataset, Text):
            yield from of_texts(dataset, key)
        elif value is not None and isinstance(dataset, Table):
            yield from of_table(dataset, key)


def absent_for_now(about: SpecContext) -> Iterator[Problem]:
    """NN228."""
    dataset = about.spec.dataset
    if not isinstance(dataset, UserData):
        return
    for key in PATHS:
        value = getattr(dataset, key)
        if value is not None and not profile.path_exists(Path(value)):
            yield Problem("NN228", ("dataset", key), _absence(Path(value)))


def _can_wait(dataset: UserData) -> bool:
    """Whether the spec says enough to be checked without the data."""
    return isinstance(dataset, Images) and dataset.classes is not None


def _absence(path: Path) -> str:
    try:
        guess = nearest(path.name, [each.name for each in path.parent.iterdir()])
    except OSError:
        guess = None
    hint = f"; did you mean {quote(guess)}?" if guess else ""
    return f"{_whole(path)} is not there{hint}"


def _whole(path: Path) -> str:
    """A path from its root on, so that a wrong folder above it shows; its end where it is endless."""
    text = str(path)
    return f"'{text}'" if len(text) <= _LONGEST else f"'…{text[-_LONGEST:]}'"


def _of_classes(dataset: Images, key: str) -> Iterator[IncompatibleSpec]:
    at = ("dataset", key)
    try:
        found = profile.class_folders(Path(getattr(dataset, key)))
        trained = profile.class_folders(Path(dataset.path))
    except OSError as error:
        yield IncompatibleSpec("NN127", at, f"cannot be read: {error.strerror or error}")
        return
    if key == PATHS[0] and len(found) < 2:
        many = "1 folder" if len(found) == 1 else f"{len(found)} folders"
        message = f"holds {many}, and pictures need one for each of two classes or more"
        yield IncompatibleSpec("NN127", at, message)
    elif key == PATHS[0] and dataset.classes not in (None, len(found)):
        message = f"is {dataset.classes}, but there are {len(found)} folders in {dataset.path}"
        yield IncompatibleSpec("NN127", ("dataset", "classes"), message)
    elif others := sorted({*found} - {*trained}):
        named = join_words([quote(name) for name in others], "and")
        yield IncompatibleSpec("NN127", at, f"holds {named}, which {dataset.path} does not")


RULES = {"NN228": absent_for_now}
