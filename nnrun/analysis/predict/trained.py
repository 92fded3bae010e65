"""Runs used for prediction: their specs, their preparation of rows, and their predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nnrun.analysis.compare import experiments
from nnrun.analysis.compare import read as read_facts
from nnrun.analysis.predict.inputs import Raw
from nnrun.data import columns
from nnrun.data.input_schema import InputSchema
from nnrun.data.labels import confidence, predicted_classes, predicted_labels, squared_errors
from nnrun.data.preprocessing import (
    FITTED,
    AnyPreparation,
    FittedStep,
    NamedPreparation,
    Preparation,
)
from nnrun.errors import CommandError, IncompatibleSpec, RunError
from nnrun.runs import Run, find, layout
from nnrun.spec.experiment import Experiment
from nnrun.spec.labels import are_probabilities, threshold
from nnrun.spec.loading import Loaded, load
from nnrun.spec.prepare import Index, Prepare, check_steps
from nnrun.types import (
    Active,
    Array,
    Input,
    Inputs,
    NamedInputs,
    Target,
    TargetKind,
    Tokenizer,
    Vocabulary,
    Windows,
)

# Limits for a preparation from a file, which may come from somebody else.
_MAX_NUMBERS = 75_000_000  # in a row: 5,000 x 5,000 pixels in colour
_MAX_PIXEL = 1e30
_CHUNK = 1024  # rows prepared at once
_DIMENSIONS = {"texts": (0,), "table": (1,), "images": (2, 3)}

_Names = Annotated[tuple[Annotated[str, Field(max_length=1000)], ...], Field(max_length=10_000)]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class _Step(_File):
    step: Prepare
    shape: tuple[int, ...] = ()
    state: dict[str, object]


class _Target(_File):
    name: str
    kind: TargetKind
    names: _Names
    shape: tuple[int, ...]


class _Input(_File):
    rows: InputSchema
    steps: tuple[_Step, ...]


class _Preparation(_File):
    classes: _Names
    target: _Target | None = None  # not recorded before version 0.3
    rows: InputSchema | None = None
    steps: tuple[_Step, ...] = ()
    inputs: dict[str, _Input] = {}

    @property
    def by_input(self) -> dict[str, _Input]:
        """The preparation of each of several inputs by name, or of the only one."""
        if self.rows is None:
            return self.inputs
        return {"": _Input(rows=self.rows, steps=self.steps)}

    def meaning(self) -> Target:
        """What a label means."""
        if self.target is not None:
            return Target(**self.target.model_dump())
        [only] = self.by_input.values()
        return Target.one_of(only.rows.target, self.classes)


class _Vocabulary(_File):
    words: dict[str, Index]
    start: Index | None
    unknown: Index | None
    tokenizer: Tokenizer = "tokenizer"


FittedInput = tuple[InputSchema, tuple[FittedStep, ...]]


@dataclass(frozen=True)
class TrainedRun:
    """A run with a model.

    Args:
        run: its folder.
        loaded: the experiment, as recorded.
        target: the meaning of a label.
        schema: the format of rows before they are prepared.
        steps: fitted.
        inputs: schema and steps of each of several inputs by name, which the run then has alone.
        input_name: of one of several inputs, in the view of a run with that input alone.
    """

    run: Run
    loaded: Loaded
    target: Target
    schema: InputSchema
    steps: tuple[FittedStep, ...]
    inputs: Mapping[str, FittedInput] = field(default_factory=dict)
    input_name: str = ""

    @property
    def views(self) -> dict[str, TrainedRun]:
        """The run with each of several inputs alone, by its name; itself if it has one."""
        if not self.inputs:
            return {"": self}
        return {name: self._view(name, view) for name, view in self.spec.views.items()}

    def _view(self, name: str, spec: Experiment) -> TrainedRun:
        loaded, (schema, steps) = replace(self.loaded, experiment=spec), self.inputs[name]
        return TrainedRun(self.run, loaded, self.target, schema, steps, {}, name)

    @property
    def spec(self) -> Experiment:
        """The experiment."""
        return self.loaded.experiment

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

    def preparation(self, x: Inputs) -> AnyPreparation:
        """The preparation of some rows."""
        if isinstance(x, NamedInputs):
            views = self.views
            return NamedPreparation(
                {name: views[name]._preparation(part) for name, part in x.parts.items()}
            )
        return self._preparation(x)

    def _preparation(self, x: Input) -> Preparation:
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
            words = self.run.read_json(layout.WORDS)
            content = _Vocabulary.model_validate(
                words[self.input_name] if self.input_name else words
            )
        except (ValidationError, KeyError) as error:
            raise RunError(f"{path}: {_reason(error)}") from error
        start, unknown = content.start, content.unknown
        highest = max((*content.words.values(), start or 0, unknown or 0))
        step = self.steps[0].step
        if not step.accepts_word(highest):
            raise RunError(f"{path}: {step} does not take the word index {highest}")
        return Vocabulary(content.words, start, unknown, content.tokenizer)


@dataclass(frozen=True)
class Ensemble:
    """The trained models that predict together: one, or several whose outputs are averaged.

    Args:
        path: of the run, of the cross-validation, or of the folder of several seeds.
        members: with the same rows and classes, in order.
        notices: remarks about the models for the user.
        active: the random layers that are active in predictions.
        passes: outputs of each model that are averaged, if random layers are active.
    """

    path: Path
    members: tuple[TrainedRun, ...]
    notices: tuple[str, ...] = ()
    active: Active | None = None
    passes: int = 1

    @property
    def first(self) -> TrainedRun:
        """For everything that all models have in common."""
        return self.members[0]

    @property
    def is_averaged(self) -> bool:
        """Whether there are several models, or several passes."""
        return len(self.members) * self.passes > 1

    @property
    def description(self) -> str:
        """What is averaged, in words: `mean of 5 models`; empty for one output."""
        layers = "augmentation" if self.active == "augment" else "dropout"
        passes = f"{self.passes} passes with {layers}"
        if len(self.members) == 1:
            return f"mean of {passes}" if self.active else ""
        return f"mean of {len(self.members)} models" + (f", {passes} each" if self.active else "")


def ensemble(
    path: Path, *, folds: bool = False, augment: int | None = None, mc_dropout: int | None = None
) -> Ensemble:
    """Reads all of a run, of a cross-validation or of several seeds but their models.

    Args:
        path: a run folder, or a folder of runs that differ only in their seed.
        folds: whether the models of the folds are averaged even if there is a final model.
        augment: passes with active augmentation.
        mc_dropout: passes with active dropout.

    Raises:
        CommandError: both kinds of passes are given, there is no model, or the runs in the folder are of several experiments.
        Errors as of `trained_run`.
    """
    if augment and mc_dropout:
        raise CommandError("--augment and --mc-dropout exclude each other")
    runs, notices = [Run(path)], list[str]()
    if not runs[0].holds(layout.RUN) and find(path):
        runs, notices = _seeds(path)
    parts = [part for run in runs for part in _with_models(run, notices, folds=folds)]
    members = tuple(map(_read, parts))
    for member in members[1:]:
        if (member.target, member.schema) != (members[0].target, members[0].schema):
            file = member.run.path / layout.PREPARATION
            raise RunError(f"{file}: takes other rows than {members[0].run.path}")
    remarks = [notice for member in members for notice in member.notices]
    active: Active | None = "augment" if augment else "mc-dropout" if mc_dropout else None
    return Ensemble(path, members, (*notices, *remarks), active, augment or mc_dropout or 1)


def _seeds(path: Path) -> tuple[list[Run], list[str]]:
    """The finished runs in a folder, one per seed, and a notice about the others."""
    facts = [read_facts(run) for run in find(path)]
    groups = experiments([run for run in facts if run.is_finished])
    if not groups:
        raise CommandError(f"{path} has no finished run")
    if len(groups) > 1:
        names = ", ".join(sorted({run.name for group in groups for run in group.runs})[:5])
        raise CommandError(
            f"{path} has runs of several experiments or specs ({names}), and only seeds of one are "
            "averaged; give one run, or train into a folder: nnrun train SPEC --seeds 5 --runs DIR"
        )
    runs = [run.run for run in groups[0].runs]
    left_out = len(facts) - len(runs)
    what = "1 run is" if left_out == 1 else f"{left_out} runs are"
    notice = f"{path}: {what} left out, which did not finish or has the seed of another one"
    return runs, [notice] if left_out else []


def trained_run(path: Path) -> TrainedRun:
    """Reads all of a run but its model; for a cross-validation, of its final model.

    Raises:
        NotARun: the folder holds no run.
        CommandError: it has no model, or one per fold.
        RunError: one of its files is damaged.
        SpecError: its spec is invalid.
    """
    run = Run(path)
    if run.record().kind == "kfold" and not _final(run).holds(layout.MODEL):
        raise CommandError(
            f"{path} has a model per fold and none on all training rows; "
            f"`nnrun kfold {path / layout.SPEC} --final` trains one"
        )
    [part] = _with_models(run, [], folds=False)
    return _read(part)


def _read(run: Run) -> TrainedRun:
    loaded = load(run.whole(layout.SPEC))
    run.check_code(loaded.experiment.code)
    file, content = run.path / layout.PREPARATION, run.read_json(layout.PREPARATION)
    if isinstance(content, dict) and not {"rows", "inputs"} & content.keys():
        message = "an older nnrun did not record the format of rows; train it again"
        raise RunError(f"{file}: {message}")
    try:
        preparation = _Preparation.model_validate(content)
        inputs = {name: _fitted(one) for name, one in preparation.by_input.items()}
        if {*inputs} != {*loaded.experiment.views}:
            raise ValueError("other inputs than the spec")
        target = preparation.meaning()
    except (ValidationError, IncompatibleSpec, ValueError, TypeError, OverflowError) as error:
        raise RunError(f"{file}: {_reason(error)}") from error
    if "" in inputs:
        return TrainedRun(run, loaded, target, *inputs[""])
    return TrainedRun(run, loaded, target, InputSchema("table", (), (), target.name), (), inputs)


def _final(run: Run) -> Run:
    return Run(run.path / layout.FINAL)


def _with_models(run: Run, notices: list[str], *, folds: bool) -> list[Run]:
    """The parts of a run whose models predict; adds remarks to `notices`.

    For a cross-validation that is the final one, or else every fold.
    """
    path, record = run.path, run.record()
    if record.kind == "fold":
        raise CommandError(
            f"{path} is a fold, whose model is trained on a part of the training rows; "
            f"`nnrun predict {path.resolve().parent}` averages the models of all folds"
        )
    if record.kind == "kfold":
        if not folds and _final(run).holds(layout.MODEL):
            return [_final(run)]
        return _folds(run, notices)
    if not run.holds(layout.MODEL):
        status = run.status()
        remedy = "wait" if status == layout.RUNNING else f"`nnrun resume {path}` continues it"
        raise CommandError(f"{path} is {status} and has no model yet; {remedy}")
    return [run]


def _folds(run: Run, notices: list[str]) -> list[Run]:
    """The finished folds of a cross-validation that have a model."""
    numbers = [fold.number for fold in run.record().folds or []]
    parts = [Run(run.path / layout.fold(number)) for number in numbers]
    kept = [part for part in parts if part.holds(layout.MODEL) and part.holds(layout.METRICS)]
    if not kept:
        remedy = f"`nnrun kfold {run.path / layout.SPEC}` trains it again and keeps them"
        if run.status() != layout.FINISHED:
            remedy = f"`nnrun resume {run.path}` trains the missing folds"
        raise CommandError(f"{run.path}: none of its {len(parts)} folds has a model; {remedy}")
    if len(kept) < len(parts):
        notices.append(f"{run.path}: {len(kept)} of {len(parts)} folds have a model")
    return kept


def _reason(error: Exception) -> str:
    if isinstance(error, IncompatibleSpec):
        return error.message
    if isinstance(error, ValidationError):
        place = ".".join(map(str, error.errors()[0]["loc"])) or "it"
        return f"{place} has a value that no run writes"
    return f"holds {error}"


def _fitted(preparation: _Input) -> FittedInput:
    """The schema of an input, and its steps with shapes that are calculated again.

    Raises:
        ValueError: no run writes such a preparation.
        IncompatibleSpec: a step cannot be applied to such rows.
    """
    schema, fitted = preparation.rows, []
    _check_schema(schema)
    check_steps([entry.step for entry in preparation.steps], texts=schema.kind == "texts")
    shape = schema.shape
    for entry in preparation.steps:
        is_known = entry.step.shape_is_known
        shape = entry.step.shape_after(shape) if is_known else entry.shape
        step = FITTED[type(entry.step)](entry.step, shape)
        fitted.append(replace(step, state=step.parse_state(entry.state)))
    if min((*shape, 1)) < 1 or math.prod(shape) > _MAX_NUMBERS:
        raise ValueError(f"rows of shape {shape}")
    return schema, tuple(fitted)


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


Answer = str | float | tuple[str, ...] | dict[str, float | None] | list[object] | None
"""A class, a value, labels, values by their names, or the class numbers or values of all positions
in nested lists; None if it is not known or not finite."""


@dataclass(frozen=True)
class Output:
    """The averaged output of the models of an ensemble.

    Args:
        mean: probabilities or values, of shape `(rows, units)`.
        error: mean squared error of the reconstruction of a row.
        std: standard deviation over models and passes (ddof 1), likewise; None for one output.
    """

    mean: Array
    std: Array | None = None


@dataclass(frozen=True)
class Prediction:
    """The prediction for one row.

    Args:
        name: of the row.
        text: of the row, for rows of texts.
        label: the true class, value, labels, or values by their names, if known.
        prediction: the predicted one; None if it is not finite.
        probability: of the predicted class, if the model returns probabilities.
        probabilities: of each class or label by its name, likewise.
        std: standard deviation over models and passes of the probability, or of the predicted
            value; of several labels or values by their names.
    """

    name: str
    text: str | None
    label: Answer
    prediction: Answer
    probability: float | None = None
    probabilities: dict[str, float | None] | None = None
    error: float | None = None
    std: float | dict[str, float | None] | None = None

    def as_json(self) -> dict[str, object]:
        """The known fields by name, and the prediction, which is null if there is none."""
        known = {key: value for key, value in vars(self).items() if value is not None}
        return {**known, "prediction": self.prediction}


def predictions(subject: TrainedRun, raw: Raw, output: Output) -> list[Prediction]:
    """A prediction per row."""
    if subject.target.shape:
        return _several(subject, raw, output)
    names, training, mean = subject.classes, subject.spec.training, output.mean
    texts: Sequence[str | None] = raw.texts or [None] * len(raw)
    y = [None] * len(raw) if raw.y is None else raw.y.tolist()
    labels = [label if known else None for label, known in zip(y, raw.known.tolist(), strict=True)]
    stds: Sequence[float | None] = [None] * len(raw)
    if not names:
        if output.std is not None:
            stds = [_finite(std) for std in output.std[:, 0].tolist()]
        values = map(_finite, mean[:, 0].tolist())
        every = zip(raw.names, texts, labels, values, stds, strict=True)
        return [
            Prediction(name, text, label, value, std=std) for name, text, label, value, std in every
        ]
    guesses = predicted_classes(mean, threshold=threshold(training.loss.name))
    rows = [
        Prediction(
            *(name, text, None if label is None else names[label]),
            None if guess < 0 else names[guess],
        )
        for name, text, label, guess in zip(raw.names, texts, labels, guesses.tolist(), strict=True)
    ]
    if not are_probabilities(training):
        return rows
    # A column per class, also if one unit stands for two classes.
    columns = np.hstack([1 - mean, mean]) if mean.shape[-1] == 1 else mean
    by_class = [dict(zip(names, map(_finite, row), strict=True)) for row in columns.tolist()]
    certain = map(_finite, confidence(mean).tolist())
    if output.std is not None:
        # One unit has the same spread for both classes.
        place = np.zeros_like(guesses) if mean.shape[-1] == 1 else guesses.clip(0)
        stds = [_finite(std) for std in output.std[np.arange(len(raw)), place].tolist()]
    return [
        replace(row, probability=probability, probabilities=probabilities, std=std)
        for row, probability, probabilities, std in zip(rows, certain, by_class, stds, strict=True)
    ]


def _several(subject: TrainedRun, raw: Raw, output: Output) -> list[Prediction]:
    """A prediction per row for several labels or values, or for each position of a row."""
    if subject.target.kind == "inputs":
        return _reconstructions(subject, raw, output)
    if subject.target.kind == "class" or len(subject.target.shape) > 1:
        return _positions(subject, raw, output)
    names, training = [*map(str, subject.target.names)], subject.spec.training
    texts: Sequence[str | None] = raw.texts or [None] * len(raw)
    y = [None] * len(raw) if raw.y is None else [*raw.y]
    known = [label if has else None for label, has in zip(y, raw.known.tolist(), strict=True)]
    stds = [None] * len(raw) if output.std is None else [*output.std]
    chosen = predicted_labels(output.mean, threshold=threshold(training.loss.name))
    rows = []
    for at, values in enumerate(output.mean):
        by_name = _by_name(names, values)
        spread, truth = stds[at], known[at]
        std = None if spread is None else _by_name(names, spread)
        row = Prediction(raw.names[at], texts[at], None, None, std=std)
        is_finite = None not in by_name.values()
        if subject.target.kind == "labels":
            true = None if truth is None else _chosen(names, truth)
            row = replace(row, label=true, prediction=_chosen(names, chosen[at]))
            row = replace(row, probabilities=by_name) if are_probabilities(training) else row
        else:
            true_values = None if truth is None else _by_name(names, truth)
            row = replace(row, label=true_values, prediction=by_name)
        rows.append(row if is_finite else replace(row, prediction=None))
    return rows


def _reconstructions(subject: TrainedRun, raw: Raw, output: Output) -> list[Prediction]:
    """The reconstruction of each row, and its mean squared error."""
    preparation = subject.preparation(raw.x)
    assert isinstance(preparation, Preparation)
    stored = preparation.store(raw.x)
    assert not isinstance(stored, Windows)
    errors = []
    for start in range(0, len(raw), _CHUNK):
        part = stored[start : start + _CHUNK]
        prepared = preparation.expand(part, np, preparation.state)
        errors += squared_errors(prepared, output.mean[start : start + _CHUNK]).tolist()
    rows = output.mean.reshape(len(raw), *subject.target.shape).tolist()
    return [
        Prediction(name, None, None, row if math.isfinite(error) else None, error=_finite(error))
        for name, row, error in zip(raw.names, rows, errors, strict=True)
    ]


def _positions(subject: TrainedRun, raw: Raw, output: Output) -> list[Prediction]:
    """A class or value of each position, in nested lists."""
    texts: Sequence[str | None] = raw.texts or [None] * len(raw)
    known = [None] * len(raw) if raw.y is None else raw.y.tolist()
    guesses = output.mean.reshape(len(raw), *subject.target.shape, -1)
    if subject.target.kind == "class":
        guesses = predicted_classes(guesses, threshold=threshold(subject.spec.training.loss.name))
    else:
        guesses = guesses.reshape(len(raw), *subject.target.shape)
    broken = {*np.argwhere(~np.isfinite(output.mean))[:, 0].tolist()}
    return [
        Prediction(name, text, label, None if at in broken else guess)
        for at, (name, text, label, guess) in enumerate(
            zip(raw.names, texts, known, guesses.tolist(), strict=True)
        )
    ]


def _by_name(names: Sequence[str], values: Array) -> dict[str, float | None]:
    return dict(zip(names, map(_finite, values.tolist()), strict=True))


def _chosen(names: Sequence[str], row: Array) -> tuple[str, ...]:
    return tuple(name for name, has in zip(names, row.tolist(), strict=True) if has)


def _finite(value: float) -> float | None:
    """A number, or None if the model has diverged."""
    return value if math.isfinite(value) else None
