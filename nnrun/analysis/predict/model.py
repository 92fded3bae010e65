"""Applies trained models to rows. Loads TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from nnrun.analysis.predict.inputs import Raw
from nnrun.analysis.predict.trained import Ensemble, Output, TrainedRun
from nnrun.data import labels
from nnrun.errors import CommandError, IncompatibleSpec, RunError
from nnrun.experiment.crossval.averages import DDOF
from nnrun.models import components, saved
from nnrun.models.build import LAYER_ERRORS, MEMORY_ERRORS
from nnrun.runs import layout
from nnrun.spec.labels import check_output, outputs_logits
from nnrun.training.evaluate import Evaluator, activate, metrics_of_outputs, probabilities
from nnrun.training.rows import resident
from nnrun.types import Array

Shape = tuple[int, ...]


def outputs(models: Ensemble, raw: Raw) -> Output:
    """The mean output of the models, and its spread.

    Raises:
        RunError: a model cannot be read, or does not belong to its run.
    """
    _check_average(models)
    each = _outputs(models, raw)
    first = next(each)
    count, mean, squares = 1, first.astype(np.float64), np.zeros(first.shape)
    # Welford's sums: the outputs of all models need not be kept.
    for count, output in enumerate(each, start=2):
        delta = output - mean
        mean += delta / count
        squares += delta * (output - mean)
    if count == 1:
        return Output(first)
    return Output(mean.astype(np.float32), np.sqrt(squares / (count - DDOF)))


def _check_average(models: Ensemble) -> None:
    """Refuses to average autoencoders, each of which has its own preparation of the inputs."""
    if models.is_averaged and models.first.target.kind == "inputs":
        raise CommandError("reconstructions are not averaged; give one run with one model")


def _outputs(models: Ensemble, raw: Raw) -> Iterator[Array]:
    """The output of each model, and of each pass: probabilities or values, of shape `(rows, units)`."""
    unlabelled = np.zeros(len(raw), np.float32)
    evaluator: Evaluator | None = None
    source = models.first
    for number, subject in enumerate(models.members):
        preparation = subject.preparation(raw.x)
        alike = (evaluator.model, source) if evaluator else None
        model, _ = read(subject, preparation.shape, alike)
        with _errors_of_keras(subject):
            rows = resident(preparation.store(raw.x), unlabelled, preparation.state)
            if evaluator is None or evaluator.model is not model:
                evaluator, source = Evaluator(model, preparation), subject
            _activate(models, number, evaluator)
            for _ in range(models.passes):
                output = evaluator.outputs(rows, np.arange(len(raw)))
                are_logits = outputs_logits(subject.spec.training)
                yield probabilities(output, subject.target) if are_logits else output


def _activate(models: Ensemble, number: int, evaluator: Evaluator) -> None:
    """Activates the random layers that the user asked for, in one of the models."""
    if not models.active:
        return
    subject = models.members[number]
    seed = [subject.run.record().seed or 0, number]
    if not activate(evaluator.model, models.active, seed):
        layers = {"augment": "augmentation layer such as RandomFlip", "mc-dropout": "dropout"}
        reason = f"the model of {subject.run.path} has no {layers[models.active]}"
        raise CommandError(f"--{models.active}: {reason}")


def metrics(models: Ensemble, raw: Raw) -> dict[str, dict[str, float]]:
    """Loss and metrics over labelled rows, under Keras's names; errors as for `outputs`.

    Several models or passes are judged by their mean output, without penalties of their weights.

    Returns:
        The metrics of all rows as `""`, and those of each of several test sets by its name.
    """
    assert raw.y is not None
    _check_average(models)
    parts = {"": np.arange(len(raw)), **raw.test_sets}
    subject, classes = models.first, models.first.target.class_count
    training = subject.spec.training
    if models.is_averaged:
        output = outputs(models, raw).mean
        with _errors_of_keras(subject):
            y = labels.encode(raw.y, training, classes=classes, units=output.shape[-1])
            return {
                name: metrics_of_outputs(output[rows], y[rows], training, subject.target)
                for name, rows in parts.items()
            }
    preparation = subject.preparation(raw.x)
    model, units = read(subject, preparation.shape)
    with _errors_of_keras(subject):
        y = labels.encode(raw.y, training, classes=classes, units=units)
        stored = resident(preparation.store(raw.x), y, preparation.state)
        evaluator = Evaluator(model, preparation)
        return {name: evaluator.metrics(stored, rows) for name, rows in parts.items()}


def read(
    subject: TrainedRun,
    shape: Shape | Mapping[str, Shape],
    alike: tuple[Any, TrainedRun] | None = None,
) -> tuple[Any, int]:
    """The model, and the width of its output; errors as for `outputs`.

    Args:
        subject: the run.
        shape: of a prepared row, or of each input of it.
        alike: the model of another run, which gets the weights if its layers are the same.
    """
    path = subject.run.whole(layout.MODEL)
    components.use_code(subject.spec.code)
    if alike:
        model = saved.read_alike(path, alike[0], alike[1].run.path / layout.MODEL)
    else:
        model = saved.read(path)
    with _errors_of_keras(subject):
        inputs, output_shape = model.inputs, model.output_shape
        given = {tensor.name: tuple(tensor.shape[1:]) for tensor in inputs}
    is_equal = given == shape if isinstance(shape, Mapping) else [*given.values()] == [shape]
    if not is_equal or not isinstance(output_shape, tuple):
        raise RunError(f"{path}: its input shape differs from that in {layout.PREPARATION}")
    try:
        return model, check_output(subject, subject.spec, output_shape[1:])
    except IncompatibleSpec as problem:
        raise RunError(f"{path}: {problem.message}") from problem


@contextmanager
def _errors_of_keras(subject: TrainedRun) -> Iterator[None]:
    """Raises errors of Keras and TensorFlow as a RunError."""
    try:
        yield
    except MEMORY_ERRORS as error:
        raise RunError(f"{subject.run.path}: out of memory; predict fewer rows") from error
    except LAYER_ERRORS as error:
        reason = components.reason(error)
        raise RunError(f"{subject.run.path}: its model cannot be used: {reason}") from error
