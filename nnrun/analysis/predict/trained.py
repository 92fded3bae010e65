"""A run used for prediction: its spec, its preparation of rows, and its predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nnrun.analysis.predict.inputs import Raw
from nnrun.data import columns
from nnrun.data.input_schema import InputSchema
from nnrun.data.labels import confidence, predicted_classes
from nnrun.data.preprocessing import FITTED, FittedStep, Preparation
from nnrun.errors import CommandError, IncompatibleSpec, RunError
from nnrun.runs import Run, layout
from nnrun.spec.experiment import Experiment
from nnrun.spec.labels import are_probabilities, threshold
from nnrun.spec.loading import load
from nnrun.spec.prepare import Index, Prepare, check_steps
from nnrun.types import Array, Inputs, Target, TargetKind, Tokenizer, Vocabulary

# Limits for a preparation from a file, which may come from somebody else.
_MAX_NUMBERS = 75_000_000  # in a row: 5,000 x 5,000 pixels in colour
_MAX_PIXEL = 1e30
_DIMENSIONS = {"texts": (0,), "table": (1,), "images": (2, 3)}

_Names = Annotated[tuple[Annotated[str, Field(max_length=1000)], ...], Field(max_length=10_000)]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class _Step(_File):
    step: Prepare
    state: dict[str, object]


class _Target(_File):
    name: str
    kind: TargetKind
    names: _Names
    shape: tuple[int, ...]


class _Preparation(_File):
    classes: _Names
    target: _Target | None = None  # not recorded before version 0.3
    rows: InputSchema
    steps: tuple[_Step, ...]

    def meaning(self) -> Target:
        """What a label means."""
        if self.target is None:
            return Target.one_of(self.rows.target, self.classes)
        return Target(**self.target.model_dump())


class _Vocabulary(_File):
    words: dict[str, Index]
    start: Index | None
    unknown: Index | None
    tokenizer: Tokenizer = "tokenizer"


@dataclass(frozen=True)
class TrainedRun:
    """A run with a model; for a cross-validation, its model on all training rows.

    Args:
        run: its folder.
        spec: the experiment, as recorded.
        target: the meaning of a label.
        schema: the format of rows before they are prepared.
        steps: fitted.
    """

    run: Run
    spec: Experiment
    target: Target
    schema: InputSchema
    steps: tuple[FittedStep, ...]

    @property
    def name(self) -> str:
        """Of the data set."""
        return self.spec.dataset.name

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes if each row has one class; else empty."""
        return tuple(map(str, self.target.classes))

    @property
    def notices(self) -> tuple[str, ...]:
        """Remarks about the model for the user."""
        status = self.run.status()
        if status == layout.FINISHED:
            return ()
        return (f"{self.run.path} was {status}; its model is the one of that moment",)

    def preparation(self, x: Inputs) -> Preparation:
        """The preparation of some rows."""
        return Preparation.of(self.steps, x, self.schema.shape)

    def vocabulary(self) -> Vocabulary:
        """How texts are encoded.

        Raises:
            CommandError: the run has no vocabulary.
            RunError: it is damaged, or has indices that the model does not take.
        """
        path = self.run.path / layout.WORDS
        if not self.run.holds(layout.WORDS):
            raise CommandError(f"{self.run.path} has no {layout.WORDS} to encode texts with")
        try:
            content = _Vocabulary.model_validate(self.run.read_json(layout.WORDS))
        except ValidationError as error:
            raise RunError(f"{path}: {_reason(error)}") from error
        start, unknown = content.start, content.unknown
        highest = max((*content.words.values(), start or 0, unknown or 0))
        step = self.steps[0].step
        if not step.accepts_word(highest):
            raise RunError(f"{path}: {step} does not take the word index {highest}")
        return Vocabulary(content.words, start, unknown, content.tokenizer)


def trained_run(path: Path) -> TrainedRun:
    """Reads all of a run but its model.

    Raises:
        NotARun: the folder holds no run.
        CommandError: it has no model, or one per fold.
        RunError: one of its files is damaged.
        SpecError: its spec is invalid.
    """
    run = _with_model(path)
    spec = load(run.whole(layout.SPEC)).experiment
    file, content = run.path / layout.PREPARATION, run.read_json(layout.PREPARATION)
    if isinstance(content, dict) and "rows" not in content:
        message = "an older nnrun did not record the format of rows; train it again"
        raise RunError(f"{file}: {message}")
    try:
        preparation = _Preparation.model_validate(content)
        steps = _fitted_steps(preparation)
    except (ValidationError, IncompatibleSpec, ValueError, TypeError, OverflowError) as error:
        raise RunError(f"{file}: {_reason(error)}") from error
    return TrainedRun(run, spec, preparation.meaning(), preparation.rows, steps)


def _with_model(path: Path) -> Run:
    """The run that has the model: the given one, or the final one of a cross-validation."""
    run = Run(path)
    record = run.record()
    if record.kind == "fold":
        raise CommandError(
            f"{path} is a fold, whose model is trained on a part of the training rows; "
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
        remedy = "wait" if status == layout.RUNNING else f"`nnrun resume {path}` continues it"
        raise CommandError(f"{path} is {status} and has no model yet; {remedy}")
    return run


def _reason(error: Exception) -> str:
    if isinstance(error, IncompatibleSpec):
        return error.message
    if isinstance(error, ValidationError):
        place = ".".join(map(str, error.errors()[0]["loc"])) or "it"
        return f"{place} has a value that no run writes"
    return f"holds {error}"


def _fitted_steps(preparation: _Preparation) -> tuple[FittedStep, ...]:
    """The steps, with shapes that are calculated again.

    Raises:
        ValueError: no run writes such a preparation.
        IncompatibleSpec: a step cannot be applied to such rows.
    """
    schema, fitted = preparation.rows, []
    _check_schema(schema)
    check_steps([entry.step for entry in preparation.steps], texts=schema.kind == "texts")
    shape = schema.shape
    for entry in preparation.steps:
        shape = entry.step.shape_after(shape)
        step = FITTED[type(entry.step)](entry.step, shape)
        fitted.append(replace(step, state=step.parse_state(entry.state)))
    if min((*shape, 1)) < 1 or math.prod(shape) > _MAX_NUMBERS:
        raise ValueError(f"rows of shape {shape}")
    return tuple(fitted)


def _check_schema(schema: InputSchema) -> None:
    if len(schema.shape) not in _DIMENSIONS[schema.kind]:
        raise ValueError(f"{schema.kind} of shape {schema.shape}")
    if schema.features and schema.shape != (len(schema.features),):
        raise ValueError(f"{len(schema.features)} names for rows of shape {schema.shape}")
    if schema.columns and columns.names(schema.columns) != schema.features:
        raise ValueError("columns that do not match its features")
    for name, value in (("highest", schema.highest), ("edge", schema.edge)):
        if (value is None) == (schema.kind == "images") or abs(value or 0) > _MAX_PIXEL:
            raise ValueError(f"{schema.kind} with {name} {value}")


@dataclass(frozen=True)
class Prediction:
    """The prediction for one row.

    Args:
        name: of the row.
        text: of the row, for rows of texts.
        label: the true class or value, if known.
        prediction: the predicted one; None if it is not finite.
        probability: of the predicted class, if the model returns probabilities.
        probabilities: of each class by its name, likewise.
    """

    name: str
    text: str | None
    label: str | float | None
    prediction: str | float | None
    probability: float | None = None
    probabilities: dict[str, float | None] | None = None

    def as_json(self) -> dict[str, object]:
        """The known fields by name, and the prediction, which is null if there is none."""
        known = {key: value for key, value in vars(self).items() if value is not None}
        return {**known, "prediction": self.prediction}


def predictions(subject: TrainedRun, raw: Raw, output: Array) -> list[Prediction]:
    """A prediction per row.

    Args:
        subject: the run.
        raw: the rows.
        output: probabilities or values, of shape `(rows, units)`.
    """
    names, training = subject.classes, subject.spec.training
    texts: Sequence[str | None] = raw.texts or [None] * len(raw)
    labels = [None] * len(raw) if raw.y is None else raw.y.tolist()
    if not names:
        values = map(_finite, output[:, 0].tolist())
        return [Prediction(*row) for row in zip(raw.names, texts, labels, values, strict=True)]
    guesses = predicted_classes(output, threshold=threshold(training.loss.name)).tolist()
    rows = [
        Prediction(
            *(name, text, None if label is None else names[label]),
            None if guess < 0 else names[guess],
        )
        for name, text, label, guess in zip(raw.names, texts, labels, guesses, strict=True)
    ]
    if not are_probabilities(training):
        return rows
    # A column per class, also if one unit stands for two classes.
    columns = np.hstack([1 - output, output]) if output.shape[-1] == 1 else output
    by_class = [dict(zip(names, map(_finite, row), strict=True)) for row in columns.tolist()]
    certain = map(_finite, confidence(output).tolist())
    return [
        replace(row, probability=probability, probabilities=probabilities)
        for row, probability, probabilities in zip(rows, certain, by_class, strict=True)
    ]


def _finite(value: float) -> float | None:
    """A number, or None if the model has diverged."""
    return value if math.isfinite(value) else None
