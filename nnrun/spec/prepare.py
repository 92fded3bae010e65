"""`dataset.prepare`: how rows are prepared. One class per step."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, ConfigDict, Field, PositiveInt, model_serializer

from nnrun.spec.component import Spec

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


class Vectorize(Step):
    """Numbers the commonest words, as `TextVectorization` does; of the rows that train only."""

    step: Literal["vectorize"] = "vectorize"
    max_tokens: Annotated[int, Field(ge=3, lt=2**30)]
    """How many numbers there are, those for no word and for any other word included."""
    output_sequence_length: PositiveInt | None = None
    """Length of every row of word numbers; without it a row has a 0 or 1 for each word."""

    def shape_after(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """As many words in every row, or a column per word."""
        return (self.output_sequence_length or self.max_tokens,)


class Impute(Step):
    """Fills cells without a value from what their column holds; of words, with the commonest."""

    step: Literal["impute"] = "impute"
    strategy: Literal["mean", "median", "most_frequent"] = "mean"
    """What a column of numbers is filled with."""


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
    for cls in (MultiHot, Pad, Vectorize, Impute, Standardize, Rescale, Flatten)
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
    Annotated[
        MultiHot | Pad | Vectorize | Impute | Standardize | Rescale | Flatten,
        Field(discriminator="step"),
    ],
    BeforeValidator(_step),
]
