"""Applies the trained model to rows. Loads TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from nnrun.analysis.predict.inputs import Raw
from nnrun.analysis.predict.trained import TrainedRun
from nnrun.data import labels
from nnrun.errors import IncompatibleSpec, RunError
from nnrun.models import components, saved
from nnrun.models.build import LAYER_ERRORS, MEMORY_ERRORS
from nnrun.runs import layout
from nnrun.spec.labels import check_output, outputs_logits
from nnrun.training.evaluate import Evaluator, probabilities
from nnrun.training.rows import resident
from nnrun.types import Array


def outputs(subject: TrainedRun, raw: Raw) -> Array:
    """The output of the model: probabilities or values, of shape `(rows, units)`.

    Raises:
        RunError: the model cannot be read, or does not belong to this run.
    """
    preparation = subject.preparation(raw.x)
    model, _ = read(subject, preparation.shape)
    unlabelled = np.zeros(len(raw), np.float32)
    with _errors_of_keras(subject):
        rows = resident(preparation.store(raw.x), unlabelled, preparation.state)
        output = Evaluator(model, preparation).outputs(rows, np.arange(len(raw)))
        return probabilities(output) if outputs_logits(subject.spec.training) else output


def metrics(subject: TrainedRun, raw: Raw) -> dict[str, float]:
    """Loss and metrics over labelled rows, under Keras's names; errors as for `outputs`."""
    assert raw.y is not None
    preparation = subject.preparation(raw.x)
    model, units = read(subject, preparation.shape)
    with _errors_of_keras(subject):
        classes = len(subject.classes)
        y = labels.encode(raw.y, subject.spec.training, classes=classes, units=units)
        rows = resident(preparation.store(raw.x), y, preparation.state)
        return Evaluator(model, preparation).metrics(rows, np.arange(len(raw)))


def read(subject: TrainedRun, shape: tuple[int, ...]) -> tuple[Any, int]:
    """The model, and the width of its output; errors as for `outputs`.

    Args:
        subject: the run.
        shape: of a prepared row.
    """
    path = subject.run.whole(layout.MODEL)
    model = saved.read(path)
    with _errors_of_keras(subject):
        input_shape, output_shape = model.input_shape, model.output_shape
    if input_shape != (None, *shape) or not isinstance(output_shape, tuple):
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
