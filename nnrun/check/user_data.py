"""Whether user data exist, with the columns and classes that a spec names.

Images are not read, and of large tables only the first rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nnrun.errors import IncompatibleSpec
from nnrun.spec import profile, targets
from nnrun.spec.csv_format import ENDINGS, has_csv_name
from nnrun.spec.dataset import PATHS, Csv, DatasetBase, Images, Npz, Table, Text, UserData
from nnrun.spec.suggest import known_names, nearest
from nnrun.spec.text import join_words, quote
from nnrun.spec.tree import KeyPath

if TYPE_CHECKING:
    from nnrun.spec import tables

TEXT_KEY: KeyPath = ("dataset", "text")
TARGET_KEY: KeyPath = ("dataset", "target")
MAX_PATH = 300  # characters of a path in a message

Messages = Iterator[tuple[KeyPath, str]]


def user_data_problems(dataset: DatasetBase) -> Iterator[IncompatibleSpec]:
    """Files that are missing, or differ from the spec."""
    missing = dict(missing_files(dataset))
    # Images with a number of classes can be checked before the files exist.
    required = not isinstance(dataset, Images) or dataset.classes is None
    for path, value in dataset.locations.items() if isinstance(dataset, UserData) else ():
        key = str(path[1])
        if path in missing and required:
            yield IncompatibleSpec("NN127", path, missing[path])
        elif path not in missing:
            try:
                for place, message in _content_problems(dataset, key, Path(value)):
                    yield IncompatibleSpec("NN127", path if place == path[:2] else place, message)
            except OSError as error:
                message = f"cannot be read: {error.strerror or error}"
                yield IncompatibleSpec("NN127", path, message)
            except ValueError as error:
                yield IncompatibleSpec("NN127", path, f"{Path(value).name}: {error}")


def missing_files(dataset: DatasetBase) -> Messages:
    """The keys of files and folders that do not exist."""
    if not isinstance(dataset, UserData):
        return
    for key, value in dataset.locations.items():
        path = Path(value)
        if profile.path_exists(path):
            continue
        try:
            guess = nearest(path.name, [other.name for other in path.parent.iterdir()])
        except OSError:
            guess = None
        hint = f"; did you mean {quote(guess)}?" if guess else ""
        yield key, f"{quote_path(path)} is not there{hint}"


def _content_problems(dataset: DatasetBase, key: str, path: Path) -> Messages:
    if isinstance(dataset, Images):
        yield from _image_problems(dataset, key, path)
    elif isinstance(dataset, Text):
        yield from _text_problems(dataset, key, path)
    elif isinstance(dataset, Npz) and dataset.reconstructs:
        dataset.parts()
    elif isinstance(dataset, Npz):
        from nnrun.spec import arrays  # noqa: PLC0415 - NumPy takes 0.1 s

        if key == PATHS[0]:
            parts = arrays.rows(path)
            classes = arrays.meaning(parts["train"].read("y"), dataset.task).classes
            others = (rows.read("y") for name, rows in parts.items() if name != "train")
            if classes and any(y.max() >= len(classes) or y.min() < 0 for y in others):
                yield ("dataset", key), "other rows have classes that the training rows lack"
        elif profile.path_exists(Path(dataset.path)):
            dataset.parts()
    elif isinstance(dataset, Table):
        try:
            yield from _table_problems(dataset, key, path)
        except ImportError:
            message = "needs the extra `parquet`: pip install 'nnrun[parquet]'"
            yield ("dataset", "name"), message


def _image_problems(dataset: Images, key: str, path: Path) -> Messages:
    if path.is_file():
        message = f"{quote_path(path)} is a file, and images must be in one folder per class"
        yield ("dataset", key), message
        return
    if dataset.reconstructs:
        return
    classes = profile.class_folders(path)
    trained = profile.class_folders(Path(dataset.path))
    if key == PATHS[0] and (problem := profile.class_folders_problem(path)):
        yield ("dataset", key), problem
    elif key == PATHS[0] and dataset.classes not in (None, len(classes)):
        message = f"is {dataset.classes}, but there are {len(classes)} folders in {dataset.path}"
        yield ("dataset", "classes"), message
    elif others := sorted({*classes} - {*trained}):
        names = join_words([quote(name) for name in others], "and")
        yield ("dataset", key), f"holds {names}, which {dataset.path} does not"


def _text_problems(dataset: Text, key: str, path: Path) -> Messages:
    if path.is_dir():
        if problem := profile.class_folders_problem(path):
            yield ("dataset", key), problem
    elif not has_csv_name(path):
        yield ("dataset", key), f"must be a folder, or end in {join_words(ENDINGS, 'or')}"
    else:
        table = dataset.sample(path)
        names = {TEXT_KEY: dataset.text, **_target_names(dataset.target)}
        problems = [*_missing_columns(names, table)]
        problems += [] if problems else _target_problems(dataset, table, key)
        full = [dataset.text, *_single(dataset.target)]
        yield from problems or ((("dataset", key), text) for text in _gaps(table, full))


def _table_problems(dataset: Table, key: str, path: Path) -> Messages:
    # A spec may come from a stranger: no content of other kinds of files appears in a message.
    if isinstance(dataset, Csv) and not has_csv_name(path):
        yield ("dataset", key), f"must end in {join_words(ENDINGS, 'or')}"
        return
    table = dataset.sample(path)
    names = _target_names(dataset.target)
    for name, view in dataset.views.items():
        at = ("dataset", "inputs", name, "columns") if name else ("dataset", "features")
        features = view.features or ()
        names |= {(*at, index): column for index, column in enumerate(features)}
        for column in set() if dataset.window else {*features} & {*dataset.target_columns}:
            yield at, f"{quote(column)} is the target too"
    if key == PATHS[0]:
        names |= {("dataset", "types", name): name for name in dataset.types}
        names |= {("dataset", key): name for key, name in dataset.row_columns.items()}
    problems = [*_missing_columns(names, table)]
    yield from problems or _cell_problems(dataset, table, key)


_SEPARATORS = {";": "';'", "\t": '"\\t"', "|": "'|'"}
"""Of files that are no CSV with commas, as YAML writes them."""


def _missing_columns(names: Mapping[KeyPath, str], table: tables.Table) -> Messages:
    for path, name in names.items():
        if name not in table.columns:
            hint = known_names(name, [*table.columns])
            [only] = table.columns if len(table.columns) == 1 else [""]
            if separator := next((mark for mark in _SEPARATORS if mark in only), ""):
                hint = f"the header is {quote(only)}; write separator: {_SEPARATORS[separator]}"
            yield path, f"there is no column {quote(name)}; {hint}"


def _cell_problems(dataset: Table, table: tables.Table, key: str) -> Messages:
    """Columns that make no good feature or target, and cells without a value."""
    features = dataset.feature_names(table)
    for name in features:
        if problem := table.columns[name].problem:
            yield ("dataset", key), f"column {quote(name)} {problem}"
        if len(rows := table.columns[name].infinite):
            yield ("dataset", key), f"{quote(name)} is infinite on {table.place(int(rows[0]))}"
    yield from _target_problems(dataset, table, key)
    for message in _gaps(table, _single(dataset.target)):
        yield ("dataset", key), message.replace(" has", ", the target, has", 1)
    views = dataset.views.values()
    unfilled = (view for view in views if not any(step.fills_missing for step in view.prepare))
    needed = (name for view in unfilled for name in view.feature_names(table))
    for message in _gaps(table, [*dict.fromkeys(needed)]):
        fix = "fill it with prepare: [impute: median], or leave it out of features"
        yield ("dataset", key), f"{message}; {fix}"


def _target_names(target: targets.AnyColumns) -> dict[KeyPath, str]:
    """The columns of the target by the places of their names in the spec."""
    match target:
        case targets.INPUTS:
            return {}
        case str():
            return {TARGET_KEY: target}
        case targets.LabelColumn():
            return {(*TARGET_KEY, "column"): target.column}
    return {(*TARGET_KEY, number): name for number, name in enumerate(target)}


def _single(target: targets.AnyColumns) -> list[str]:
    """The only column of the target, if it has one label."""
    return [target] if isinstance(target, str) and target != targets.INPUTS else []


def _target_problems(dataset: Table | Text, table: tables.Table, key: str) -> Messages:
    """Columns that cannot be the label."""
    target = dataset.target
    try:
        meaning = dataset.meaning(table)
        if not isinstance(target, str):
            targets.encode(target, table, meaning)
    except ValueError as error:
        yield TARGET_KEY, str(error)
        return
    if not isinstance(target, str) or target == targets.INPUTS:
        return
    column = table.columns[target]
    if column.problem and not meaning.classes:
        yield ("dataset", key), f"{quote(target)}, the target, {column.problem}"
    elif (
        len(column.categories or ()) == 1 and not table.is_sample and not isinstance(dataset, Text)
    ):
        [only] = column.categories or ()
        yield ("dataset", key), f"{quote(target)}, the target, is {quote(only)} in every row"


def _gaps(table: tables.Table, names: Sequence[str]) -> Iterator[str]:
    """Columns with missing values, unless all of them are missing."""
    for name in names:
        column = table.columns[name]
        if len(column.missing) and not column.problem:
            others = len(column.missing) - 1
            more = f" and {others:,} more" if others else ""
            yield f"{quote(name)} has no value on {table.place(int(column.missing[0]))}{more}"


def quote_path(path: Path) -> str:
    """A path for a message; of a long one the end."""
    text = str(path)
    return f"'{text}'" if len(text) <= MAX_PATH else f"'…{text[-MAX_PATH:]}'"
