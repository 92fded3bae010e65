"""Builds a compiled model with its rows on the device, fits it and evaluates it."""

from __future__ import annotations

import inspect
import math
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from nnrun.check.training import check_monitors
from nnrun.errors import IncompatibleSpec, TrainingError
from nnrun.experiment import predictions
from nnrun.experiment.inputs import PreparedData
from nnrun.experiment.predictions import Predictions
from nnrun.models import components
from nnrun.models.build import REFUSALS, TOO_LARGE, Wired, begin_anew, summary, wire
from nnrun.models.structure import Structure
from nnrun.spec.experiment import Experiment
from nnrun.spec.labels import check_output
from nnrun.spec.text import format_size
from nnrun.training import callbacks, devices, loop
from nnrun.training.checkpoints import Checkpoint
from nnrun.training.compile import Stages, puts_out_logits
from nnrun.training.evaluate import Evaluator, probabilities
from nnrun.training.loop import Engine, Trainer
from nnrun.training.rows import Rows, enable_sparse, resident, sparse_layers
from nnrun.training.state import State, restart
from nnrun.types import Array, Observer, Sequences, Split, Streamed

FLOAT_BYTES = 4
# Errors that callbacks and kernels raise during training.
_TRAINING_ERRORS = (*REFUSALS, KeyError, OSError, RuntimeError, ImportError)
# Callbacks are built before the run folder exists; their files move into it later.
_NO_FOLDER = Path("run-folder")


@dataclass(frozen=True)
class TrainingSetup:
    """A compiled model with its rows on the device, ready to train.

    Args:
        test: the test rows; None for a fold, which is not tested.
        callbacks: Keras's, not yet in the run folder.
        initial: metrics of the untrained model on the training rows.
        seconds: spent on building.
    """

    prepared: PreparedData
    model: keras.Model
    device: str
    engine: Engine
    train: Rows
    test: Rows | None
    evaluator: Evaluator
    trainer: Trainer
    callbacks: list[keras.callbacks.Callback]
    summary: str
    structure: Structure
    initial: dict[str, float]
    seconds: float

    def on_device(self) -> Any:
        """A context in which TensorFlow computes on the chosen device."""
        return tf.device(devices.tensorflow_name(self.device))

    @contextmanager
    def check_memory(self) -> Iterator[None]:
        """Turns an out-of-memory error into a TrainingError that tells what to change."""
        with _check_memory(self.prepared):
            yield


def build_setup(
    prepared: PreparedData,
    observer: Observer,
    *,
    device: str = "auto",
    previous: TrainingSetup | None = None,
) -> TrainingSetup:
    """Builds and compiles the model and copies the rows; arguments as for `fold.build`."""
    began = time.perf_counter()
    wanted = prepared.spec.training.device
    device = devices.choose(device if wanted == "auto" else wanted)
    with _check_memory(prepared), tf.device(devices.tensorflow_name(device)):
        observer.stage("building the model")
        return _build(prepared, device, previous, began)


def _build(
    prepared: PreparedData, device: str, previous: TrainingSetup | None, began: float
) -> TrainingSetup:
    spec, preparation = prepared.spec, prepared.preparation
    wired, stages, text = _compiled(prepared)
    listeners = callbacks.build(spec.training.callbacks, _NO_FOLDER)
    model = wired.model
    units = check_output(prepared.dataset, spec, tuple(model.output_shape[1:]))
    if previous:
        previous.trainer.enter(0)
        restart(previous.model, model)
        model, engine = previous.model, previous.engine
        evaluator, trainer = previous.evaluator, previous.trainer
    else:
        streamed = isinstance(prepared.dataset.train.x, Streamed)
        engine = loop.choose(spec.training, model, device=device, streamed=streamed)
        evaluator = Evaluator(model, preparation)
        trainer = Trainer(
            model, preparation, spec.training, engine=engine, evaluator=evaluator, stages=stages
        )
    sparse = _layers_for_sparse_rows(prepared, model, engine, device)
    for layer in sparse:
        enable_sparse(layer)
    store = preparation.distinct if sparse else preparation.store
    weights = prepared.weights(prepared.fold)
    train = _on_device(prepared, store, prepared.dataset.train, units, weights=weights)
    is_tested = not prepared.fold.number
    test = _on_device(prepared, store, prepared.dataset.test, units) if is_tested else None
    return TrainingSetup(
        prepared=prepared,
        model=model,
        device=device,
        engine=engine,
        train=train,
        test=test,
        evaluator=evaluator,
        trainer=trainer,
        callbacks=listeners,
        summary=text,
        structure=wired.structure,
        initial=_initial_metrics(evaluator, train, prepared),
        seconds=time.perf_counter() - began,
    )


def can_reuse(previous: TrainingSetup | None, spec: Experiment) -> bool:
    """Whether an experiment differs at most in its seed, so that the model can be reused."""
    return previous is not None and previous.prepared.spec == spec.model_copy(
        update={"seed": previous.prepared.spec.seed}
    )


def _compiled(prepared: PreparedData) -> tuple[Wired, Stages, str]:
    """The untrained model of a fold in its first stage, and its summary."""
    spec, preparation = prepared.spec, prepared.preparation
    begin_anew(spec.training.precision)
    devices.seed_everything(devices.of_fold(prepared.seed, prepared.fold))
    wired = wire(spec.model, preparation.shape, dtype=preparation.dtype)
    # Before compiling: later Keras counts the optimizer's variables as parameters.
    text = summary(wired.model)
    stages = Stages(wired.model, wired.layers, spec.training)
    stages.enter(0)
    return wired, stages, text


def _layers_for_sparse_rows(
    prepared: PreparedData, model: keras.Model, engine: Engine, device: str
) -> list[keras.layers.Dense]:
    """The layers that take multi-hot rows as sparse tensors.

    None under XLA, which needs rows of equal length, and none on a GPU, where the gradient of a
    sparse product is not deterministic.
    """
    is_possible = engine == "graph" and device == "cpu"
    if not is_possible or not prepared.preparation.is_sparse(prepared.dataset.train.x):
        return []
    return sparse_layers(model)


def _on_device(
    prepared: PreparedData,
    store: Callable[[Any], Array | Sequences | Streamed],
    split: Split,
    units: int,
    *,
    weights: Array | None = None,
) -> Rows:
    y = prepared.labels(split.y, units)
    return resident(store(split.x), y, prepared.preparation.state, weights=weights)


def _initial_metrics(evaluator: Evaluator, rows: Rows, prepared: PreparedData) -> dict[str, float]:
    """Loss and metrics before training; also checks that they fit model and labels."""
    training = prepared.spec.training
    try:
        initial = evaluator.metrics(rows, prepared.fold.train)
    except REFUSALS as error:
        message = f"loss or metrics do not take the model's output: {components.reason(error)}"
        raise IncompatibleSpec("NN122", ("training", "loss"), message) from error
    held_out = [f"val_{name}" for name in initial] if len(prepared.fold.validation) else []
    check_monitors(training.callbacks, [*initial, *held_out])
    return initial


def fit(
    setup: TrainingSetup,
    folder: Path,
    observer: Observer,
    *,
    start: Checkpoint | None,
    save_state: Callable[[Callable[[], State]], None],
) -> None:
    """Trains for all epochs.

    Args:
        setup: the model and its rows.
        folder: of the run, for the files of callbacks.
        observer: receives every epoch.
        start: the checkpoint to resume from.
        save_state: as for `Trainer.train`.

    Raises:
        TrainingError: the loss is not finite, memory ran out, or a callback failed.
    """
    prepared, training = setup.prepared, setup.prepared.spec.training
    try:
        listeners = callbacks.move(setup.callbacks, training.callbacks, _NO_FOLDER, folder)
        callbacks.make_folders(training.callbacks, folder)
        if start:
            sizes = {name: grown.size for name, grown in start.grown.items()}
            callbacks.resume_callbacks(listeners, folder, sizes)
        setup.trainer.trace(setup.train, prepared.fold)
        # Only now: tracing and loading both run Python and would slow each other down.
        with predictions.preload(prepared.dataset):
            setup.trainer.train(
                setup.train,
                prepared.fold,
                seed=prepared.seed,
                callbacks=listeners,
                observer=observer,
                start=start.state if start else None,
                save_state=save_state,
            )
    except _TRAINING_ERRORS as error:
        # The log gets the full traceback; the user sees the first line.
        with suppress(OSError):
            traceback.print_exc()
        reason = components.reason(error)
        raise TrainingError(f"{_failed_part(error, setup)} failed: {reason}") from error


def _failed_part(error: BaseException, setup: TrainingSetup) -> str:
    """The callback that an error comes from, or the engine."""
    frames = traceback.extract_tb(error.__traceback__)
    for name in (component.name for component in setup.prepared.spec.training.callbacks):
        file = inspect.getsourcefile(getattr(keras.callbacks, name))
        if any(frame.filename == file for frame in frames):
            return f"the callback {name}"
    return f"training with the {setup.engine} engine"


@contextmanager
def _check_memory(prepared: PreparedData) -> Iterator[None]:
    try:
        yield
    except TOO_LARGE as error:
        batch_size, shape = prepared.spec.training.batch_size, prepared.preparation.shape
        rows = len(prepared.dataset.train) + len(prepared.dataset.test)
        row = math.prod(shape) * FLOAT_BYTES
        raise TrainingError(
            f"out of memory: {rows:,} rows, prepared {format_size(rows * row)} in all, and "
            f"batch_size {batch_size:,}, {format_size(min(batch_size, rows) * row)} a step before "
            "the first layer; a smaller batch_size, smaller layers or fewer columns need less"
        ) from error


@dataclass(frozen=True)
class Evaluation:
    """Metrics of the trained model by split, and its predictions."""

    metrics: dict[str, dict[str, float]]
    predictions: Predictions


def evaluate(setup: TrainingSetup) -> Evaluation:
    """Evaluates the trained model on every split, and predicts the rows that are recorded."""
    prepared, evaluator = setup.prepared, setup.evaluator
    metrics = {"train": evaluator.metrics(setup.train, prepared.fold.train)}
    if len(prepared.fold.validation):
        metrics["validation"] = evaluator.metrics(setup.train, prepared.fold.validation)
    split, rows = prepared.scored
    if setup.test is not None:
        metrics["test"] = evaluator.metrics(setup.test, rows)
    output = evaluator.outputs(setup.test or setup.train, rows)
    output = probabilities(output) if puts_out_logits(prepared.spec.training) else output
    return Evaluation(metrics, Predictions(prepared.dataset, split, rows, output))
