"""What is known of each data set before a row of it is read.

The figures are those of the published data; a test compares each with the rows themselves.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from nnrun.errors import IncompatibleSpec
from nnrun.spec import dataset as specs
from nnrun.spec.dataset import Csv, DatasetBase, Images, Npz, Parquet, Table, Text, Words
from nnrun.spec.prepare import Impute, MultiHot, Pad, Step, Vectorize
from nnrun.spec.text import shown

# A look at a table in a CSV file, quick enough for a check: its columns and what they hold.

ENDINGS = (".csv", ".tsv", ".txt")
MISSING = frozenset(
    (
        *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND"),
        *("1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    )
)
"""What a cell without a value holds: the same words that pandas takes for it."""
UNNAMED = "Unnamed: "
"""How the name begins that pandas gives to a column without one."""
LARGEST = 4_000_000
"""Bytes of a file that is looked through; of a larger one only the header is read."""
_NUMBER = re.compile(r" *[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? *", re.ASCII)
_MOST_NUMBERS = 1000  # no classes are so many


@dataclass(frozen=True)
class Column:
    """What is in a column.

    Args:
        categories: its words in order; None where all are numbers.
        numbers: the different numbers, in order; none where there are words, or too many.
        missing: lines on which it has no value.
        low, high: the smallest and the largest number.
    """

    categories: tuple[str, ...] | None
    numbers: tuple[float, ...]
    missing: tuple[int, ...]
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True)
class Look:
    """A table.

    Args:
        columns: by name; None for each where the file is too large to look through.
        rows: how many there are; None likewise.
    """

    columns: dict[str, Column | None]
    rows: int | None


def inspect_table(path: Path, separator: str) -> Look:
    """What is in a table.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no table; says why, and on which line.
    """
    facts = path.stat()
    return _inspect_table(path, separator, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=8)
def _inspect_table(path: Path, separator: str, _changed: int, size: int) -> Look:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=separator, strict=True)
        try:
            header = next(iter(reader), None)
            names = _names(header or [])
            if size > LARGEST:
                return Look(dict.fromkeys(names), None)
            rows = [(reader.line_num, row) for row in _of_width(reader, len(names))]
        except csv.Error as error:
            raise ValueError(f"line {reader.line_num} is no CSV: {error}") from error
        except UnicodeDecodeError as error:
            raise ValueError("is no text in UTF-8") from error
    if not rows:
        raise ValueError("holds no rows")
    lines = [line for line, _ in rows]
    columns = {name: _column([row[at] for _, row in rows], lines) for at, name in enumerate(names)}
    return Look(dict(columns), len(rows))


def used(dataset: Table, found: Look) -> list[str]:
    """The columns that a data set takes, its features and then its target."""
    others = [name for name in found.columns if name != dataset.target]
    return [*(others if dataset.features is None else dataset.features), dataset.target]


def classes(dataset: Table, target: Column) -> tuple[str, ...]:
    """The names of the classes; none for a regression."""
    if dataset.task == "regression" or (dataset.task is None and target.categories is None):
        return ()
    return target.categories or tuple(f"{number:g}" for number in target.numbers)


def named(header: Sequence[str]) -> list[str]:
    """The names of columns; one without is called as pandas calls it, such as `Unnamed: 0`."""
    return [name or f"{UNNAMED}{at}" for at, name in enumerate(header)]


def _names(header: Sequence[str]) -> list[str]:
    if not header:
        raise ValueError("is empty; a table begins with the names of its columns")
    names = named(header)
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"has two columns {shown(twice[0])}")
    return names


def _of_width(rows: Iterator[list[str]], width: int) -> Iterator[list[str]]:
    for row in rows:
        if len(row) not in (0, width):
            line = getattr(rows, "line_num", 0)
            raise ValueError(f"line {line} has {len(row)} cells, and the header {width}")
        if row:
            yield row


def _column(cells: Sequence[str], lines: Sequence[int]) -> Column:
    found = {cell for cell in cells if cell not in MISSING}
    missing = tuple(line for line, cell in zip(lines, cells, strict=True) if cell in MISSING)
    if not all(map(_NUMBER.fullmatch, found)):
        return Column(tuple(sorted(found)), (), missing)
    numbers = sorted({float(cell) for cell in found})
    few = tuple(numbers) if len(numbers) <= _MOST_NUMBERS else ()
    return Column(None, few, missing, *((numbers[0], numbers[-1]) if numbers else ()))


# A folder per class, as far as a check looks at it: names, and nothing of what is in them.

IMAGE_ENDINGS = frozenset(".png .jpg .jpeg .bmp .gif .webp".split())
"""Of the names of pictures."""
IMAGE_FORMATS = "PNG, JPEG, BMP, GIF or WebP"


def is_folder(path: Path) -> bool:
    """Whether there is a file or a folder; what has no name that could be looked up is not there."""
    try:
        return path.exists()
    except OSError:
        return False


def class_folders(folder: Path) -> tuple[str, ...]:
    """The names of the folders in a folder, in order; none where there is no such folder.

    Raises:
        OSError: it is no folder, or may not be read.
    """
    try:
        inside = [each.name for each in folder.iterdir() if each.is_dir()]
    except FileNotFoundError:
        return ()
    # Hidden folders are of file managers and version control.
    return tuple(sorted(name for name in inside if not name.startswith(".")))


Kind = Literal["images", "table", "texts"]


@dataclass(frozen=True)
class Profile:
    """What is known of the rows of a data set.

    Args:
        name: of the data set.
        kind: `images`, `table` or `texts`.
        train, test: how many rows; None where an argument leaves some out.
        shape: of one row; None for texts, which differ in length.
        classes: their numbers; empty for a regression.
        target: what a label says.
        highest: the largest pixel, or the largest word index where all words are kept.
        uneven: whether some column varies ten times as much as another.
        open: whether shape and classes are known only once the rows are read.
    """

    name: str
    kind: Kind
    train: int | None
    test: int | None
    shape: tuple[int, ...] | None
    classes: Sequence[int] = range(0)
    target: str = "class"
    highest: int = 255
    uneven: bool = False
    open: bool = False

    @property
    def is_regression(self) -> bool:
        """Whether the labels are known to be values."""
        return not self.open and not self.classes


def profile(dataset: DatasetBase) -> Profile:
    """What is known of a data set with its arguments."""
    return _PROFILES[type(dataset)](dataset)


def prepared(known: Profile, steps: Sequence[Step]) -> tuple[int, ...] | None:
    """The shape of one row after some steps; None where it is not known.

    Raises:
        Misfit: a step cannot be applied to such rows.
    """
    check_steps(steps, texts=known.kind == "texts")
    shape = known.shape
    for step in steps:
        shape = step.shape_after(shape or ())
    return shape


def dtype_after(steps: Sequence[Step]) -> Literal["int32", "float32"]:
    """The type in which a model sees rows after some steps: word indices stay whole numbers."""
    last = steps[-1] if steps else None
    indices = isinstance(last, Pad) or (isinstance(last, Vectorize) and last.output_sequence_length)
    return "int32" if indices else "float32"


def boundary(rows: int, test_split: float) -> int:
    """The first row kept for testing, rounded as Keras rounds it."""
    return int(rows * (1 - test_split))


def check_steps(steps: Sequence[Step], *, texts: bool) -> None:
    """Refuses steps for texts where there are none, and texts without such a step.

    Raises:
        Misfit: with the place.
    """
    for index, step in enumerate(steps[1:], start=1):
        if isinstance(step, Impute):
            message = "impute must be the first step: the others cannot do with missing values"
            raise IncompatibleSpec("NN123", ("dataset", "prepare", index), message)
    needs_texts = [isinstance(step, MultiHot | Pad | Vectorize) for step in steps]
    for index, needed in enumerate(needs_texts):
        if needed and (index > 0 or not texts):
            path = ("dataset", "prepare", index)
            message = f"{steps[index].step} takes rows of word indices and must be the first step"
            raise IncompatibleSpec("NN123", path, message)
    if texts and not any(needs_texts):
        message = "the rows differ in length; prepare must begin with multi_hot, pad or vectorize"
        raise IncompatibleSpec("NN123", ("dataset", "prepare"), message)


def _divided(rows: int, test_split: float) -> tuple[int, int]:
    """Rows to train and to test on, as scikit-learn draws them."""
    test = math.ceil(rows * test_split)
    return rows - test, test


def _cut(rows: int, test_split: float) -> tuple[int, int]:
    """Rows to train and to test on, as Keras cuts them."""
    train = boundary(rows, test_split)
    return train, rows - train


def _texts(dataset: Words, rows: tuple[int, int], classes: int, target: str, last: int) -> Profile:
    train, test = rows if dataset.maxlen is None else (None, None)
    highest = _highest(dataset, last)
    return Profile(dataset.name, "texts", train, test, None, range(classes), target, highest)


def _highest(dataset: Words, last: int) -> int:
    """The largest index, given the rank of the rarest word, as Keras's `load_data` numbers them."""
    rarest, skip = last + dataset.index_from, dataset.skip_top
    start, unknown = dataset.start_char, dataset.oov_char
    # Without a limit Keras takes the largest index for one, and so leaves that word out.
    limit = dataset.num_words or max(rarest, start or 0)
    kept = [index for index in (min(rarest, limit - 1), start) if index is not None]
    kept = [index for index in kept if skip <= index < limit]
    # What is left out is known by this number.
    if unknown is not None and (skip or limit <= max(rarest, start or 0)):
        kept.append(unknown)
    return max(kept, default=0)


def _imdb(dataset: specs.Imdb) -> Profile:
    return _texts(dataset, (25_000, 25_000), 2, "sentiment", 88_584)


def _reuters(dataset: specs.Reuters) -> Profile:
    return _texts(dataset, _cut(11_228, dataset.test_split), 46, "topic", 30_979)


def _boston_housing(dataset: specs.BostonHousing) -> Profile:
    train, test = _cut(506, dataset.test_split)
    target = "median price in 1000 $"
    return Profile(dataset.name, "table", train, test, (13,), target=target, uneven=True)


def _california_housing(dataset: specs.CaliforniaHousing) -> Profile:
    rows = 20_640 if dataset.version == "large" else 600
    train, test = _cut(rows, dataset.test_split)
    return Profile(
        dataset.name, "table", train, test, (8,), target="median price in $", uneven=True
    )


def _cifar100(dataset: specs.Cifar100) -> Profile:
    classes, target = (100, "kind") if dataset.label_mode == "fine" else (20, "group")
    return Profile(dataset.name, "images", 50_000, 10_000, (32, 32, 3), range(classes), target)


def _images(
    train: int, test: int, shape: tuple[int, ...], target: str
) -> Callable[[DatasetBase], Profile]:
    return lambda dataset: Profile(dataset.name, "images", train, test, shape, range(10), target)


def _pictures(dataset: Images) -> Profile:
    channels = 3 if dataset.color_mode == "rgb" else 1
    try:
        classes = dataset.classes or len(class_folders(Path(dataset.path)))
    except OSError:
        classes = 0
    shape = (*dataset.image_size, channels)
    return Profile(dataset.name, "images", None, None, shape, range(classes))


def _csv(dataset: Csv) -> Profile:
    """What a table holds; open where it cannot be looked through, which a check tells of."""
    try:
        found = inspect_table(Path(dataset.path), dataset.separator)
        columns = {name: found.columns[name] for name in used(dataset, found)}
        target = columns.pop(dataset.target)
    except (OSError, ValueError, KeyError):
        return _parquet(dataset)
    if found.rows is None or target is None:
        return _parquet(dataset)
    known = [column for column in columns.values() if column]
    one_hot = dataset.categories == "one_hot"
    width = sum(len(each.categories or "1") if one_hot else 1 for each in known)
    spreads = [each.high - each.low for each in known if each.categories is None]
    uneven = max(spreads, default=0) > 10 * min((each for each in spreads if each), default=0)
    train, test = (found.rows, None) if dataset.test else _divided(found.rows, dataset.test_split)
    return Profile(
        dataset.name,
        "table",
        train,
        test,
        (width,),
        classes=range(len(classes(dataset, target))),
        target=dataset.target,
        uneven=uneven,
    )


def _parquet(dataset: Csv | Parquet) -> Profile:
    return Profile(dataset.name, "table", None, None, None, target=dataset.target, open=True)


def _own_texts(dataset: Text) -> Profile:
    """Which classes there are; open where that cannot be looked up, which a check tells of."""
    path = Path(dataset.path)
    try:
        if path.is_dir():
            count = len(class_folders(path))
        else:
            found = inspect_table(path, dataset.separator).columns[dataset.target]
            count = len((found.categories or found.numbers) if found else ())
    except (OSError, ValueError, KeyError):
        count = 0
    target = "class" if path.is_dir() else dataset.target
    classes = range(count)
    return Profile(dataset.name, "texts", None, None, None, classes, target, open=not count)


def _arrays(dataset: Npz) -> Profile:
    return Profile(dataset.name, "table", None, None, None, open=True)


def _embedded(
    rows: int, shape: tuple[int, ...], classes: int, target: str, *, uneven: bool = False
) -> Callable[[specs.Embedded], Profile]:
    def known(dataset: specs.Embedded) -> Profile:
        train, test = _divided(rows, dataset.test_split)
        kind: Kind = "images" if len(shape) > 1 else "table"
        highest = 16 if shape == (8, 8) else 255
        return Profile(
            dataset.name, kind, train, test, shape, range(classes), target, highest, uneven
        )

    return known


_PROFILES: dict[type[DatasetBase], Callable[..., Profile]] = {
    specs.Imdb: _imdb,
    specs.Reuters: _reuters,
    specs.BostonHousing: _boston_housing,
    specs.CaliforniaHousing: _california_housing,
    specs.Mnist: _images(60_000, 10_000, (28, 28), "digit"),
    specs.FashionMnist: _images(60_000, 10_000, (28, 28), "kind of clothing"),
    specs.Cifar10: _images(50_000, 10_000, (32, 32, 3), "kind"),
    specs.Cifar100: _cifar100,
    specs.Digits: _embedded(1_797, (8, 8), 10, "digit"),
    specs.Iris: _embedded(150, (4,), 3, "species"),
    specs.Wine: _embedded(178, (13,), 3, "grower", uneven=True),
    specs.BreastCancer: _embedded(569, (30,), 2, "diagnosis", uneven=True),
    specs.Diabetes: _embedded(442, (10,), 0, "disease progression after one year", uneven=True),
    specs.Mnist5k: _embedded(5_000, (28, 28), 10, "digit"),
    Images: _pictures,
    Csv: _csv,
    Parquet: _parquet,
    Text: _own_texts,
    Npz: _arrays,
}
