"""`dataset.prepare`: how rows are prepared, one class per step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import BeforeValidator, ConfigDict, Field, model_serializer, model_validator

from nnrun.errors import IncompatibleSpec
from nnrun.spec import catalogue
from nnrun.spec.component import Count, Spec

DType = Literal["int32", "float32"]

# Word indices are int32, and so is the sum of two.
Index = Annotated[int, Field(ge=0, lt=2**30)]

# The name under which pydantic gets a step's name. It cannot be a key of a spec.
_TAG = "(step)"


class Step(Spec):
    """One step of `prepare`, fitted on the training rows only."""

    model_config = ConfigDict(alias_generator=lambda name: _TAG if name == "step" else name)

    takes_texts: ClassVar[bool] = False
    """Whether it turns rows of words into an array."""
    fills_missing: ClassVar[bool] = False
    """Whether its rows may have missing values."""
    standardizes: ClassVar[bool] = False
    """Whether it brings every column to the same scale."""
    renumbers_words: ClassVar[bool] = False
    """Whether it gives words new indices."""
    shape_is_known: ClassVar[bool] = True
    """Whether the shape of a row after the step is known before it is fitted."""
    step: str

    def shape_after(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of one row after the step, given the shape before."""
        return shape

    def dtype_after(self, dtype: DType) -> DType:
        """The type of rows after the step, given the type before."""
        return "float32"

    @property
    def fits_on_all(self) -> bool:
        """Whether it is fitted on the validation rows, too."""
        return False

    def largest_after(self, largest: float) -> float:
        """The largest value after the step, given the largest before."""
        return largest

    def accepts_word(self, index: int) -> bool:
        """Whether a word index is small enough."""
        return True

    def embedding_rows(self, largest: int) -> int | None:
        """The rows that an `Embedding` needs after the step, given the largest word index."""
        return None

    def problem(self, index: int, *, texts: bool) -> str | None:
        """Why the step cannot be applied as number `index` of a dataset's steps, if it cannot."""
        if self.takes_texts and (index > 0 or not texts):
            return f"{self.step} takes rows of word indices and must be the first step"
        return None

    @property
    def written(self) -> dict[str, object]:
        """Its arguments by name."""
        return {k: getattr(self, k) for k in type(self).model_fields if k != "step"}

    @model_serializer
    def _serialize(self) -> object:
        return {self.step: self.written} if self.written else self.step


class MultiHot(Step):
    """Turns each row of word indices into zeros and ones, one column per word."""

    takes_texts = True
    step: Literal["multi_hot"] = "multi_hot"
    dimension: Count
    """Number of columns; every word index must be below it."""

    def shape_after(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """One column per word."""
        return (self.dimension,)

    def accepts_word(self, index: int) -> bool:
        """There must be a column for it."""
        return index < self.dimension


class Pad(Step):
    """Cuts or pads each row of word indices to one length, as `keras.utils.pad_sequences` does."""

    takes_texts = True
    step: Literal["pad"] = "pad"
    maxlen: Count
    """Length of each row."""
    padding: Literal["pre", "post"] = "pre"
    """Where to pad short rows."""
    truncating: Literal["pre", "post"] = "pre"
    """Where to cut long rows."""
    value: Index = 0
    """Value that pads short rows."""

    def shape_after(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """One column per word of a row."""
        return (self.maxlen,)

    def dtype_after(self, dtype: DType) -> DType:
        """Word indices stay whole numbers."""
        return "int32"

    def embedding_rows(self, largest: int) -> int | None:
        """One row per word index, and one for padding."""
        return max(largest, self.value) + 1


class Standardize(Step):
    """Subtracts the mean and divides by the standard deviation of each column."""

    standardizes = True
    step: Literal["standardize"] = "standardize"
    fit: Literal["train", "all"] = "train"
    """Rows to fit on; `all` includes the validation rows, which leaks information into training."""

    @property
    def fits_on_all(self) -> bool:
        """As the spec requires."""
        return self.fit == "all"


class Vectorize(Step):
    """Numbers the most common words of the training rows, as `TextVectorization` does."""

    takes_texts = True
    renumbers_words = True
    step: Literal["vectorize"] = "vectorize"
    max_tokens: Annotated[int, Field(ge=3, lt=2**30)]
    """Size of the vocabulary, including the numbers for padding and for unknown words."""
    output_sequence_length: Count | None = None
    """Length of each row of word numbers; without it, each row is a multi-hot vector."""

    def shape_after(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """One column per word of a row, or per word of the vocabulary."""
        return (self.output_sequence_length or self.max_tokens,)

    def dtype_after(self, dtype: DType) -> DType:
        """Word numbers stay whole numbers."""
        return "int32" if self.output_sequence_length else "float32"

    def embedding_rows(self, largest: int) -> int | None:
        """One row per word of the vocabulary, regardless of the number of words in the texts."""
        return self.max_tokens


class Impute(Step):
    """Fills missing values of each column; columns of words get their most frequent word."""

    fills_missing = True
    step: Literal["impute"] = "impute"
    strategy: Literal["mean", "median", "most_frequent"] = "mean"
    """Value for missing numbers in a column."""

    def problem(self, index: int, *, texts: bool) -> str | None:
        """Only the first step can handle missing values."""
        if index > 0:
            return "impute must be the first step: the others cannot handle missing values"
        return None


class Rescale(Step):
    """Divides every value by a constant, such as 255 to scale pixels to the range 0 to 1."""

    step: Literal["rescale"] = "rescale"
    divisor: Annotated[float, Field(gt=0, lt=1e38)] = 255.0
    """Constant to divide by."""

    def largest_after(self, largest: float) -> float:
        """Divided, too."""
        return largest / self.divisor


class Flatten(Step):
    """Flattens each row to one dimension."""

    step: Literal["flatten"] = "flatten"

    def shape_after(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """One dimension."""
        return (math.prod(shape),)


OWN = "(own)"  # the tag of `OwnStep`, which cannot be a name in a spec


class OwnStep(Step):
    """A class of your own Python files with a method `apply`, such as `rows.Clip`."""

    shape_is_known = False
    step: Literal["(own)"]
    function: str
    """Its name."""
    arguments: dict[str, object]
    """Its arguments."""

    @model_validator(mode="after")
    def _rename(self) -> Self:
        object.__setattr__(self, "step", self.function)
        return self

    def largest_after(self, largest: float) -> float:
        """Unknown, so nothing that a check would warn of."""
        return min(largest, 1.0)

    @property
    def written(self) -> dict[str, object]:
        """As in the spec."""
        return self.arguments


_Any = MultiHot | Pad | Vectorize | Impute | Standardize | Rescale | Flatten
STEPS: dict[str, type[Step]] = {
    get_args(cls.model_fields["step"].annotation)[0]: cls for cls in get_args(_Any)
}


def first_argument(name: str) -> str:
    """The argument that a single value sets, such as 10000 in `multi_hot: 10000`."""
    if name in STEPS:
        return next((field for field in STEPS[name].model_fields if field != "step"), "value")
    return catalogue.own_names()[name].entry.first or "value"


def is_step(name: str) -> bool:
    """Whether there is a step of this name, of nnrun or of the user's code."""
    return name in STEPS or name in catalogue.own_names()


def _parse(value: object) -> object:
    if isinstance(value, str):
        value = {value: None}
    if not isinstance(value, dict) or len(value) != 1:
        return value
    [(name, arguments)] = value.items()
    if arguments is not None and not isinstance(arguments, dict):
        arguments = {first_argument(name): arguments} if is_step(name) else {}
    if catalogue.of_own_module(name):
        return {_TAG: OWN, "function": name, "arguments": arguments or {}}
    return {_TAG: name, **(arguments or {})}


Prepare = Annotated[Annotated[_Any | OwnStep, Field(discriminator="step")], BeforeValidator(_parse)]


def prepared_dtype(steps: Sequence[Step]) -> DType:
    """The type of rows after some steps, as the model gets them."""
    dtype: DType = "float32"
    for step in steps:
        dtype = step.dtype_after(dtype)
    return dtype


def check_steps(steps: Sequence[Step], *, texts: bool) -> None:
    """Raises IncompatibleSpec if a step cannot be applied to its rows, which may be texts."""
    for index, step in enumerate(steps):
        if problem := step.problem(index, texts=texts):
            raise IncompatibleSpec("NN123", ("dataset", "prepare", index), problem)
    if texts and not any(step.takes_texts for step in steps):
        message = "the rows differ in length; prepare must begin with multi_hot, pad or vectorize"
        raise IncompatibleSpec("NN123", ("dataset", "prepare"), message)
