"""`dataset`: which data. One class per data set."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveInt

from nnrun.spec.dataset_base import DatasetBase, Fraction, Seed
from nnrun.spec.own import Csv, Images, Npz, Parquet, Text
from nnrun.spec.steps import Index


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
