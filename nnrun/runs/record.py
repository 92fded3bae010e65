"""The types of `run.json` and `metrics.json`.

A run folder may come from another user, so its content is checked even if its checksums match.
"""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, InstanceOf, ValidationError

from nnrun.spec.text import quote

MAX_DEPTH = 50
MAX_VALUES = 1_000_000
_MAX_DIGITS = 19  # of an integer
_MAX_NAME = 1000

Number = int | float | None
Count = Annotated[int, Field(ge=0)]
# Pydantic's own `str` refuses halves of surrogate pairs, which stand for bytes of file names.
Text = InstanceOf[str]


def _check_name(text: str) -> str:
    if not text or len(text) > _MAX_NAME or "\n" in text:
        raise ValueError("must be one line")
    return text


Name = Annotated[Text, AfterValidator(_check_name)]
Numbers = dict[Text, Number]


class _Model(BaseModel):
    """Exact types; unknown keys are kept, because newer versions may write more."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True, defer_build=True)


class Process(_Model):
    """The process that works on a run."""

    pid: Annotated[int, Field(ge=0, lt=2**31)]
    host: Text


class FoldRows(_Model):
    """Number of rows of one fold."""

    number: Count
    train: Count
    validation: Count


class GateResult(_Model):
    """The result of one gate of `expect`.

    Args:
        name: of the measured value.
        got: the measured value; None if the run has no such value.
        passed: whether the condition holds.
    """

    name: Name
    expected: Name
    got: Number
    passed: bool


class RunRecord(_Model):
    """The content of `run.json`; a key is absent if it does not apply to the run.

    Args:
        fold: number of the fold, if the run is one.
        folds: all folds, if the run is a cross-validation.
        positive: the class that counts as positive, if a metric depends on it.
    """

    name: Name
    status: Literal["running", "finished", "failed", "interrupted"]
    started: Name | None = None
    ended: Name | None = None
    error: Text | None = None
    process: Process | None = None
    files: dict[Text, Text] = {}
    verb: Name | None = None
    fold: Count | None = None
    folds: list[FoldRows] | None = None
    seed: Count | None = None
    epochs: Count = 0
    spec_digest: Text | None = None
    overrides: list[Text] = []
    engine: Name | None = None
    device: Name | None = None
    data_digest: Name | None = None
    split_digest: Name | None = None
    weights_digest: Name | None = None
    rows: dict[Text, Count] = {}
    positive: Text | None = None
    notices: list[Text] = []
    parameters: Count = 0
    versions: dict[Text, Name] = {}
    commit: Name | None = None
    expect: list[GateResult] | None = None
    resumed: Count = 0
    layer_seeds: list[list[int]] = []

    @property
    def kind(self) -> Literal["train", "kfold", "fold"]:
        """Whether the run is one training, a cross-validation or one of its folds."""
        if self.folds is not None:
            return "kfold"
        return "train" if self.fold is None else "fold"

    @property
    def pid(self) -> int | None:
        """The process that works, or worked, on the run."""
        return self.process.pid if self.process else None


def local_time(text: str | None) -> datetime | None:
    """A time of a record, in local time; None if it is missing, or no time."""
    try:
        time = datetime.fromisoformat(str(text))
        return time.astimezone().replace(tzinfo=None) if time.tzinfo else time
    except (ValueError, OverflowError):
        return None


class Spread(_Model):
    """A metric over the folds of a cross-validation."""

    mean: Number
    std: Number
    low: Number
    high: Number
    folds: list[Number]

    def within(self, low: float, high: float) -> Spread:
        """With an interval within the bounds of the metric, which older runs do not respect."""
        if self.low is None or self.high is None:
            return self
        return self.model_copy(update={"low": max(low, self.low), "high": min(high, self.high)})


class FinalModel(_Model):
    """The training on all rows after a cross-validation."""

    epochs: Count


class SmoothedCurve(_Model):
    """The minimum of a smoothed mean curve."""

    lowest_epoch: Number = None
    lowest: Number = None


class EnsembleTest(_Model):
    """The test of the mean output of all folds.

    Args:
        models: their number.
        rows: number of test rows, which no fold uses.
    """

    models: Count
    rows: Count
    test: Numbers
    tests: dict[Text, Numbers] = {}


class Metrics(_Model):
    """The content of `metrics.json`; empty while there is none.

    Args:
        test: metrics on all test rows.
        tests: metrics on each of several test sets.
    """

    epochs: Count = 0
    monitor: Name = "loss"
    best_epoch: Count | None = None
    last: Numbers = {}
    best: Numbers = {}
    test: Numbers = {}
    tests: dict[Text, Numbers] = {}
    parameters: Count | None = None
    ensemble: EnsembleTest | None = None
    seconds: dict[Text, int | float] = {}

    @property
    def is_empty(self) -> bool:
        """Whether the run has no metrics yet."""
        return not self.model_fields_set


class TrainMetrics(Metrics):
    """Metrics of one training: a number each."""

    initial: Numbers = {}
    train: Numbers = {}
    validation: Numbers = {}
    baseline: Numbers = {}
    restored_epoch: Count | None = None


class KFoldMetrics(Metrics):
    """Metrics of a cross-validation: a spread over folds each."""

    fold_epochs: list[Count | None] = []
    best_epoch_by: Name = "mean curve"
    smoothed: dict[Text, SmoothedCurve | Number] = {}
    final: FinalModel | None = None
    initial: dict[Text, Spread] = {}
    train: dict[Text, Spread] = {}
    validation: dict[Text, Spread] = {}


AnyModel = TypeVar("AnyModel", bound=BaseModel)


def validated(model: type[AnyModel], content: object) -> AnyModel:
    """Turns the content of a JSON file into its type.

    Raises:
        ValueError: a value has a wrong type.
    """
    if not isinstance(content, dict):
        raise ValueError("it is not a mapping")  # noqa: TRY004 - the content is wrong, not the call
    try:
        return model.model_validate(content)
    except ValidationError as error:
        wrong = [str(problem["loc"][0]) for problem in error.errors(include_url=False)]
        # The first one in the order of the file.
        key = next((key for key in content if key in wrong), None)
        message = (
            f"{wrong[0]} is missing" if key is None else f"{key} cannot be {quote(content[key])}"
        )
        raise ValueError(message) from None


def parse(content: bytes) -> object:
    """Reads JSON.

    Raises:
        ValueError: it is not JSON, or something that nnrun never writes.
        RecursionError: it is nested far too deep.
    """
    value = json.loads(content, parse_int=_whole, parse_float=_finite, parse_constant=_not_a_number)
    check_plain(value)
    return value


def _whole(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("a number has too many digits")
    return int(digits)


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _not_a_number(text)


def _not_a_number(text: str) -> float:
    raise ValueError(f"{quote(text)} is not a number")


def check_plain(value: object) -> None:
    """Checks nested values, of which aliases of YAML count each time.

    Raises:
        ValueError: there are too many, they are nested too deep, or one is no text or number.
    """
    pending, count = [(value, 0)], 0
    while pending:
        item, depth = pending.pop()
        count += 1
        if depth > MAX_DEPTH or count > MAX_VALUES:
            raise ValueError("it holds too many values, or they are nested too deep")
        if isinstance(item, dict) and all(isinstance(key, str) for key in item):
            pending += [(part, depth + 1) for part in item.values()]
        elif isinstance(item, list):
            pending += [(part, depth + 1) for part in item]
        elif not isinstance(item, str | int | float | None):
            raise ValueError("it holds something else than text and numbers")
