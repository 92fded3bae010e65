"""`dataset`: which data, and how its rows are prepared. One class per data set, one per step."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    model_serializer,
)

from nnrun.spec.base import Spec

Fraction = Annotated[float, Field(gt=0, lt=1)]
# What every random generator in use takes.
Seed = Annotated[int, Field(ge=0, lt=2**32)]
# Word indices are kept as int32; the sum of two must fit too.
Index = Annotated[int, Field(ge=0, lt=2**30)]


# Under which `_step` hands a step's name to pydantic. No spec says it: a key `step` is unknown.
_TAG = "(step)"


class Step(Spec):
    """One step of `prepare`. What it learns, it learns from the training rows only."""

    model_config = ConfigDict(alias_generator=lambda name: _TAG if name == "step" else name)

    step: str

    def shape_after(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of one row after the step, given that before it."""
        return shape

    @model_serializer
    def _written(self) -> Any:
        arguments = {k: getattr(self, k) for k in type(self).model_fields if k != "step"}
        return {self.step: arguments} if arguments else self.step


class MultiHot(Step):
    """Turns each row of word indices into zeros and ones, one column per word."""

    step: Literal["multi_hot"] = "multi_hot"
    dimension: PositiveInt
    """Columns; every index must be below it."""

    def shape_after(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """A column per word."""
        return (self.dimension,)


class Pad(Step):
    """Cuts or fills each row of word indices to one length, as `keras.utils.pad_sequences` does."""

    step: Literal["pad"] = "pad"
    maxlen: PositiveInt
    """Length of every row."""
    padding: Literal["pre", "post"] = "pre"
    """Where short rows are filled."""
    truncating: Literal["pre", "post"] = "pre"
    """Where long rows are cut."""
    value: Index = 0
    """What short rows are filled with."""

    def shape_after(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """As many words in every row."""
        return (self.maxlen,)


class Standardize(Step):
    """Subtracts the mean and divides by the standard deviation of each column."""

    step: Literal["standardize"] = "standardize"
    fit: Literal["train", "all"] = "train"
    """Learn from the rows that train; or from `all` training rows, those that validate included,
    as the classic tutorial does: that leaks."""


class Rescale(Step):
    """Divides every value by one number: 255 brings pixels into 0 to 1."""

    step: Literal["rescale"] = "rescale"
    divisor: Annotated[float, Field(gt=0, lt=1e38)] = 255.0
    """What every value is divided by."""


class Flatten(Step):
    """Lays each row out in one dimension."""

    step: Literal["flatten"] = "flatten"

    def shape_after(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """One dimension."""
        return (math.prod(shape),)


STEPS: dict[str, type[Step]] = {
    get_args(cls.model_fields["step"].annotation)[0]: cls
    for cls in (MultiHot, Pad, Standardize, Rescale, Flatten)
}


def first_argument(name: str) -> str:
    """The argument of a step that a lone value stands for: 10000 in `multi_hot: 10000`."""
    return next((field for field in STEPS[name].model_fields if field != "step"), "value")


def _step(value: Any) -> Any:
    """`flatten`, `multi_hot: 10000` and `pad: {maxlen: 256}` all name the step first."""
    if isinstance(value, str):
        return {_TAG: value}
    if not isinstance(value, dict) or len(value) != 1:
        return value
    [(name, arguments)] = value.items()
    if isinstance(arguments, dict):
        return {_TAG: name, **arguments}
    if arguments is None or name not in STEPS:
        return {_TAG: name}
    return {_TAG: name, first_argument(name): arguments}


Prepare = Annotated[
    Annotated[MultiHot | Pad | Standardize | Rescale | Flatten, Field(discriminator="step")],
    BeforeValidator(_step),
]


class DatasetBase(Spec):
    """What every data set takes."""

    name: str
    prepare: tuple[Prepare, ...] = Field((), strict=False)
    """Steps in order, fitted on the training rows only."""


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
        | Mnist5k,
        Field(discriminator="name"),
    ],
    BeforeValidator(_named),
]
