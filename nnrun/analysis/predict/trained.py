"""A run that can be asked: its model, its spec, and how it prepares rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nnrun.analysis.predict.inputs import Raw
from nnrun.data import columns
from nnrun.data.input_schema import InputSchema
from nnrun.data.labels import confidence, predicted_classes
from nnrun.data.preprocessing import FITTED, FittedStep, Preparation, is_small
from nnrun.errors import CommandError, IncompatibleSpec, RunError
from nnrun.runs import Run, layout
from nnrun.spec.experiment import Experiment
from nnrun.spec.labels import are_probabilities, threshold
from nnrun.spec.loading import load
from nnrun.spec.prepare import Index, Prepare, check_steps, prepared_dtype
from nnrun.types import Array, Inputs, Tokenizer, Vocabulary

# Reads back how a run prepares rows. The folder may be somebody else's, so nothing is believed.

# Numbers in a row; of pictures this is 5,000 x 5,000 in colour.
_LARGEST_ROW = 75_000_000

# Of a pixel, whatever its type.
_BRIGHTEST = 1e30
_DIMENSIONS = {"texts": (0,), "table": (1,), "images": (2, 3)}

_Words = Annotated[tuple[Annotated[str, Field(max_length=1000)], ...], Field(max_length=10_000)]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class _Step(_File):
    step: Prepare
    state: dict[str, Any]


class _Preparation(_File):
    classes: _Words
    rows: InputSchema
    steps: tuple[_Step, ...]


class _Vocabulary(_File):
    words: dict[str, Index]
    start: Index | None
    unknown: Index | None
    tokenizer: Tokenizer = "tokenizer"


@dataclass(frozen=True)
class Fitted:
    """How a run prepares rows.

    Args:
        classes: one name per class; empty for a regression.
        looks: what rows look like before.
        steps: with what they have learnt.
    """

    classes: tuple[str, ...]
    looks: InputSchema
    steps: tuple[FittedStep[Any], ...]

    def preparation(self, x: Inputs) -> Preparation:
        """Prepares rows, all at once where they are few."""
        dtype = prepared_dtype([each.step for each in self.steps])
        shape = self.steps[-1].shape if self.steps else self.looks.shape
        small = is_small(x, shape, indices=dtype == "int32")
        return Preparation(self.steps, shape, dtype, small)


def read(run: Run) -> Fitted:
    """What `prepare.json` says.

    Raises:
        RunError: it is damaged, of an older nnrun, or says what no run says.
    """
    path, content = run.path / layout.PREPARATION, run.read_json(layout.PREPARATION)
    if isinstance(content, dict) and "rows" not in content:
        raise RunError(f"{path}: an older nnrun did not write down what rows are; train it again")
    try:
        found = _Preparation.model_validate(content)
        steps = tuple(_fitted(found))
    except (ValidationError, IncompatibleSpec, ValueError, TypeError, OverflowError) as error:
        raise RunError(f"{path}: {_reason(error)}") from error
    return Fitted(found.classes, found.rows, steps)


def _reason(error: Exception) -> str:
    if isinstance(error, IncompatibleSpec):
        return error.message
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "it"
        return f"{place} is not what a run writes"
    return f"holds {error}"


def _fitted(found: _Preparation) -> list[FittedStep[Any]]:
    """The steps, with shapes of our own counting."""
    steps, shape = [], found.rows.shape
    _check(found.rows)
    check_steps([each.step for each in found.steps], texts=found.rows.kind == "texts")
    for each in found.steps:
        shape = each.step.shape_after(shape)
        kind = FITTED[type(each.step)]
        steps.append(kind(each.step, shape, kind.parse_state(each.step, shape, each.state)))
    if min((*shape, 1)) < 1 or math.prod(shape) > _LARGEST_ROW:
        raise ValueError(f"rows of shape {shape}")
    return steps


def _check(looks: InputSchema) -> None:
    """Refuses what no rows look like.

    Raises:
        ValueError: with what is wrong.
    """
    if len(looks.shape) not in _DIMENSIONS[looks.kind]:
        raise ValueError(f"{looks.kind} of shape {looks.shape}")
    if looks.features and looks.shape != (len(looks.features),):
        raise ValueError(f"{len(looks.features)} names for rows of shape {looks.shape}")
    if looks.columns and columns.names(looks.columns) != looks.features:
        raise ValueError("columns that do not make its features")
    for name, value in (("highest", looks.highest), ("edge", looks.edge)):
        if (value is None) == (looks.kind == "images") or abs(value or 0) > _BRIGHTEST:
            raise ValueError(f"{looks.kind} with {name} {value}")


def vocabulary(run: Run, fitted: Fitted) -> Vocabulary:
    """What `words.json` says.

    Raises:
        CommandError: the run has none.
        RunError: it is damaged, or holds indices that the model cannot take.
    """
    if not run.holds(layout.WORDS):
        raise CommandError(f"{run.path} has no {layout.WORDS}, so no text can be encoded for it")
    path = run.path / layout.WORDS
    try:
        found = _Vocabulary.model_validate(run.read_json(layout.WORDS))
    except ValidationError as error:
        raise RunError(f"{path}: {_reason(error)}") from error
    marks = [mark for mark in (found.start, found.unknown) if mark is not None]
    first = fitted.steps[0].step
    highest = max((*found.words.values(), *marks), default=0)
    if not first.accepts_word(highest):
        raise RunError(f"{path}: {first.step} does not take the word index {highest}")
    return Vocabulary(found.words, found.start, found.unknown, found.tokenizer)


@dataclass(frozen=True)
class TrainedRun:
    """A run with a model; of a cross-validation the one on all training rows.

    Args:
        run: its folder.
        spec: the experiment, as the run wrote it down.
        fitted: what rows look like, and how they are prepared.
    """

    run: Run
    spec: Experiment
    fitted: Fitted

    @property
    def looks(self) -> InputSchema:
        """What rows look like before they are prepared."""
        return self.fitted.looks

    @property
    def name(self) -> str:
        """Of the data set."""
        return self.spec.dataset.name

    @property
    def classes(self) -> tuple[str, ...]:
        """One name per class; empty for a regression."""
        return self.fitted.classes

    @property
    def target(self) -> str:
        """What a label says."""
        return self.looks.target

    @property
    def notices(self) -> tuple[str, ...]:
        """What a person should know of the model."""
        status = self.run.status()
        if status == layout.FINISHED:
            return ()
        return (f"{self.run.path} was {status}; its model is the one of that moment",)

    def vocabulary(self) -> Vocabulary:
        """How texts are encoded.

        Raises:
            CommandError: the run has no words.
            RunError: they cannot be read.
        """
        return vocabulary(self.run, self.fitted)


def trained_run(path: Path) -> TrainedRun:
    """Reads what is needed of a run but its model.

    Raises:
        NotARun: the folder holds no run.
        CommandError: it has no model, or not one alone.
        RunError: a file of it is damaged, or says what no run says.
        SpecError: its spec is none.
    """
    run = _with_model(path)
    return TrainedRun(run, load(run.whole(layout.SPEC)).experiment, read(run))


def _with_model(path: Path) -> Run:
    """The run that has the model.

    Raises:
        CommandError: there is none.
    """
    run = Run(path)
    record = run.record()
    if record.kind == "fold":
        raise CommandError(
            f"{path} is a fold, whose model has seen a part of the training rows; "
            f"`nnrun kfold {path.resolve().parent / layout.SPEC} --final` trains one on all"
        )
    if record.kind == "kfold":
        final = Run(path / layout.FINAL)
        if not final.holds(layout.MODEL):
            raise CommandError(
                f"{path} has a model per fold and none on all training rows; "
                f"`nnrun kfold {path / layout.SPEC} --final` trains one"
            )
        return final
    if not run.holds(layout.MODEL):
        status = run.status()
        remedy = "wait" if status == layout.RUNNING else f"`nnrun resume {path}` goes on"
        raise CommandError(f"{path} is {status} and has no model yet; {remedy}")
    return run


# What a model puts out, in the words of its run: a class and how likely it is, or a value.


@dataclass(frozen=True)
class Answer:
    """What is said of one row.

    Args:
        name: by what the row is called.
        text: what it says, where it is a text.
        label: the true class or value, where it is known.
        prediction: the predicted one.
        probability: of the predicted class, where the model puts out probabilities.
        probabilities: of each class by its name, likewise.
    """

    name: str
    text: str | None
    label: str | float | None
    prediction: str | float | None
    probability: float | None
    probabilities: dict[str, float | None] | None

    def as_json(self) -> dict[str, Any]:
        """What is known, by its name."""
        return {key: value for key, value in vars(self).items() if value is not None}


def answers(subject: TrainedRun, raw: Raw, output: Array) -> list[Answer]:
    """An answer per row.

    Args:
        subject: the run.
        raw: the rows.
        output: probabilities or values, of shape `(rows, units)`.
    """
    rows = len(raw)
    texts: Sequence[str | None] = raw.texts or [None] * rows
    predicted: Sequence[Any] = [_number(value) for value in output[:, 0].tolist()]
    labels: Sequence[Any] = [None] * rows if raw.y is None else raw.y.tolist()
    sure: Sequence[Any] = [None] * rows
    shares: Sequence[Any] = [None] * rows
    if names := subject.classes:
        training = subject.spec.training
        guess = predicted_classes(output, threshold=threshold(training.loss.name))
        predicted = [names[index] for index in guess]
        labels = [None if label is None else names[label] for label in labels]
        if are_probabilities(training):
            sure = [_number(value) for value in confidence(output).tolist()]
            shares = [_by_class(row, names) for row in _columns(output).tolist()]
    rest = zip(raw.names, texts, labels, predicted, sure, shares, strict=True)
    return [Answer(*each) for each in rest]


def _columns(output: Array) -> Array:
    """A column per class, also where one unit stands for two."""
    return np.hstack([1 - output, output]) if output.shape[-1] == 1 else output


def _by_class(row: list[float], names: Sequence[str]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in zip(names, row, strict=True)}


def _number(value: float) -> float | None:
    """A number, or None where the model has lost itself."""
    return value if math.isfinite(value) else None
