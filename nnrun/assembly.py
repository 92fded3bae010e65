"""From rows and a spec to a compiled model that is ready to train."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import keras

from nnrun import keras_objects, targets
from nnrun.errors import Misfit
from nnrun.intake import Intake
from nnrun.models.build import REFUSALS, build, summary
from nnrun.records import Observer
from nnrun.runs import layout
from nnrun.training import callbacks, engine, seeding
from nnrun.training.compile import compile_model
from nnrun.training.engine import Engine
from nnrun.training.evaluate import Evaluator
from nnrun.training.rows import Rows, resident


@dataclass(frozen=True)
class Assembly:
    """A compiled model with its rows on the device, ready to train; it took `seconds`.

    `initial` are the metrics of the untrained model on the training rows.
    """

    intake: Intake
    model: keras.Model
    device: str
    engine: Engine
    train: Rows
    test: Rows
    evaluator: Evaluator
    summary: str
    initial: dict[str, float]
    seconds: float


def assemble(intake: Intake, device: str, observer: Observer) -> Assembly:
    """Builds and compiles the model and brings the rows to the device.

    Raises:
        Misfit: the model cannot be built, or does not fit the labels.
    """
    began = time.perf_counter()
    observer.stage("building the model")
    spec, preparation = intake.spec, intake.preparation
    # Layers are numbered through a process; a fresh session gives the same names each time.
    keras.utils.clear_session()
    keras.config.set_dtype_policy(spec.training.precision)
    seeding.seed_everything(intake.seed)
    model = build(spec.model, preparation.shape, dtype=preparation.dtype)
    units = targets.check_output(intake.dataset, spec, tuple(model.output_shape))
    described = summary(model)
    compile_model(model, spec.training)
    callbacks.check_learning_rate(spec.training)
    callbacks.check_files(spec.training.callbacks, layout.MEANING)
    callbacks.build(spec.training.callbacks, Path())
    train_rows, test_rows = (
        resident(preparation.store(split.x), intake.labels(split.y, units))
        for split in (intake.dataset.train, intake.dataset.test)
    )
    chosen = engine.choose(spec.training, model, device=device)
    evaluator = Evaluator(model, preparation)
    initial = _untrained(evaluator, train_rows, intake)
    seconds = time.perf_counter() - began
    return Assembly(
        intake, model, device, chosen, train_rows, test_rows, evaluator, described, initial, seconds
    )


def _untrained(evaluator: Evaluator, rows: Rows, intake: Intake) -> dict[str, float]:
    """Loss and metrics before training, which also tells whether they take model and labels."""
    training = intake.spec.training
    try:
        initial = evaluator.metrics(rows, intake.fold.train)
    except REFUSALS as error:
        message = f"loss or metrics do not take the model's output: {keras_objects.reason(error)}"
        raise Misfit("NN122", ("training", "loss"), message) from error
    held_out = [f"val_{name}" for name in initial] if len(intake.fold.validation) else []
    callbacks.check_monitors(training.callbacks, [*initial, *held_out])
    return initial
