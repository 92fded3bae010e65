"""`dataset`: which data. One class per data set."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveInt

from nnrun.spec.component import Spec
from nnrun.spec.prepare import Index, Prepare
from nnrun.spec.tree import Node, mapping

# What every data set takes.

Fraction = Annotated[float, Field(gt=0, lt=1)]
# What every random generator in use takes.
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class DatasetBase(Spec):
    """What every data set takes."""

    name: str
    prepare: tuple[Prepare, ...] = Field((), strict=False)
    """Steps in order, fitted on the training rows only."""


# A person's own data: `dataset` with a path.

Location = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f]+$")]


class UserData(DatasetBase):
    """What all data of a person's own take."""

    path: Location
    """Where the data are; relative to the file in which this stands."""
    test: Location | None = None
    """Where the rows to test on are; without it, some are drawn from those of `path`."""
    test_split: Fraction = 0.2
    """Share of the rows drawn for testing, in proportion to the classes."""
    seed: Seed = 113
    """Order of the rows."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files or folders that are to be there."""
        return tuple(Path(each) for each in (self.path, self.test) if each)


class Images(UserData):
    """Pictures of your own, PNG, JPEG, BMP, GIF or WebP: one folder per class, under one folder."""

    name: Literal["images"]
    image_size: Annotated[tuple[PositiveInt, PositiveInt], Field(strict=False)]
    """Height and width to which every picture is brought."""
    color_mode: Literal["rgb", "grayscale"] = "rgb"
    """In colour, or grey."""
    classes: Annotated[int, Field(ge=2)] | None = None
    """How many there are, so that a spec can be checked where the folder is not; else counted."""


class Table(UserData):
    """What all tables of a person's own take."""

    target: Annotated[str, Field(min_length=1)]
    """The column that is to be predicted."""
    features: tuple[str, ...] | None = Field(None, strict=False)
    """The columns that it is predicted from; by default all others."""
    task: Literal["classification", "regression"] | None = None
    """By default words are classes, and numbers are values."""
    categories: Literal["one_hot", "codes"] = "one_hot"
    """What becomes of words: a column of 0 and 1 for each, or one number, for an `Embedding`."""


class Csv(Table):
    """A table of your own in a CSV file, UTF-8, with a header."""

    name: Literal["csv"]
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """Between the cells of a line."""


class Parquet(Table):
    """A table of your own in a Parquet file; needs the extra `parquet`."""

    name: Literal["parquet"]


class Npz(UserData):
    """Arrays of your own in an npz file: `x_train`, `y_train`, `x_test`, `y_test`; or `x`, `y`."""

    name: Literal["npz"]
    task: Literal["classification", "regression"] | None = None
    """By default whole numbers are classes, and others are values."""


class Text(UserData):
    """Texts of your own: a column of a CSV file, or .txt files in a folder per class."""

    name: Literal["text"]
    text: Annotated[str, Field(min_length=1)] = "text"
    """The column of the texts."""
    target: Annotated[str, Field(min_length=1)] = "label"
    """The column of the classes."""
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """Between the cells of a line."""


PATHS = ("path", "test")
"""The arguments that are paths."""


def located(root: Node, *, given: Collection[str]) -> Node:
    """A spec whose data have paths from the root of the file system on.

    Args:
        root: of the spec.
        given: sources that are no files; what stands there is relative to the working directory.
    """
    dataset = root.child("dataset")
    if dataset is None or not isinstance(dataset.value, dict):
        return root
    children = {
        key: _absolute(node, given=given) if key in PATHS else node
        for key, node in dataset.value.items()
    }
    assert isinstance(root.value, dict)
    return mapping({**root.value, "dataset": mapping(children, dataset)}, root)


def _absolute(node: Node, *, given: Collection[str]) -> Node:
    if not isinstance(node.value, str) or not node.value or "\0" in node.value:
        return node
    folder = Path() if node.place.source in given else Path(node.place.source).parent
    wanted = folder / node.value
    # Somebody who is not known here has no `~`, and a link to itself leads nowhere.
    with suppress(RuntimeError):
        wanted = folder / Path(node.value).expanduser()
        wanted = wanted.resolve()
    return replace(node, value=str(wanted.absolute()))


class Words(DatasetBase):
    """Texts as word indices; the arguments are those of Keras's `load_data`."""

    num_words: PositiveInt | None = None
    """Keep the most frequent words only; rarer ones become `oov_char`."""
    skip_top: NonNegativeInt = 0
    """Drop this many of the most frequent words."""
    maxlen: PositiveInt | None = None
    """Leave out texts of this length or longer."""
    seed: Seed = 113
    """Order of the rows."""
    start_char: Index | None = 1
    """Index that opens every text."""
    oov_char: Index | None = 2
    """Index of a word left out."""
    index_from: Index = 3
    """Added to every word index."""


class Imdb(Words):
    """50,000 film reviews, positive or negative."""

    name: Literal["imdb"]


class Reuters(Words):
    """11,228 newswires in 46 topics."""

    name: Literal["reuters"]
    test_split: Fraction = 0.2
    """Share of the rows kept for testing."""


class BostonHousing(DatasetBase):
    """506 towns of 1978 with 13 features and a median house price. No download.

    Keras warns of it: one of its columns encodes race. It is here because the classic K-fold
    example uses it; prefer `california_housing` for work of your own.
    """

    name: Literal["boston_housing"]
    test_split: Fraction = 0.2
    """Share of the rows kept for testing."""
    seed: Seed = 113
    """Order of the rows."""


class CaliforniaHousing(DatasetBase):
    """20,640 blocks of 1990 with 8 features and a median house price in dollars."""

    name: Literal["california_housing"]
    version: Literal["large", "small"] = "large"
    """All rows, or the 600 of the small version."""
    test_split: Fraction = 0.2
    """Share of the rows kept for testing."""
    seed: Seed = 113
    """Order of the rows."""


class Mnist(DatasetBase):
    """70,000 handwritten digits, 28 x 28 grey."""

    name: Literal["mnist"]


class FashionMnist(DatasetBase):
    """70,000 pieces of clothing in 10 kinds, 28 x 28 grey."""

    name: Literal["fashion_mnist"]


class Cifar10(DatasetBase):
    """60,000 photographs in 10 kinds, 32 x 32 in colour."""

    name: Literal["cifar10"]


class Cifar100(DatasetBase):
    """60,000 photographs in 100 kinds or 20 groups of kinds, 32 x 32 in colour."""

    name: Literal["cifar100"]
    label_mode: Literal["fine", "coarse"] = "fine"
    """100 kinds, or their 20 groups."""


class Embedded(DatasetBase):
    """A small set that comes with an installed library; needs no download."""

    test_split: Fraction = 0.2
    """Share of the rows kept for testing, drawn in proportion to the classes."""
    seed: Seed = 113
    """Order of the rows."""


class Digits(Embedded):
    """1,797 handwritten digits, 8 x 8 grey from 0 to 16. No download."""

    name: Literal["digits"]


class Iris(Embedded):
    """150 flowers of 3 species with 4 measures. No download."""

    name: Literal["iris"]


class Wine(Embedded):
    """178 wines of 3 growers with 13 measures. No download."""

    name: Literal["wine"]


class BreastCancer(Embedded):
    """569 tumours, malignant or benign, with 30 measures. No download."""

    name: Literal["breast_cancer"]


class Diabetes(Embedded):
    """442 patients with 10 measures and the course of a year. No download."""

    name: Literal["diabetes"]


class Mnist5k(Embedded):
    """5,000 of MNIST's training images, 500 of each digit, 28 x 28 grey. No download."""

    name: Literal["mnist_5k"]


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


Dataset = Annotated[
    Annotated[
        Imdb
        | Reuters
        | BostonHousing
        | CaliforniaHousing
        | Mnist
        | FashionMnist
        | Cifar10
        | Cifar100
        | Digits
        | Iris
        | Wine
        | BreastCancer
        | Diabetes
        | Mnist5k
        | Images
        | Csv
        | Parquet
        | Npz
        | Text,
        Field(discriminator="name"),
    ],
    BeforeValidator(_named),
]
