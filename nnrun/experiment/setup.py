"""Builds a compiled model with its rows on the device, fits it and evaluates it."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from nnrun.check.training import check_monitors, files, with_modes, with_steps
from nnrun.data.preprocessing import Preparation
from nnrun.errors import IncompatibleSpec, TrainingError
from nnrun.experiment import predictions
from nnrun.experiment.inputs import PreparedData
from nnrun.experiment.predictions import Predictions
from nnrun.models import components
from nnrun.models.build import LAYER_ERRORS, MEMORY_ERRORS, Wired, reset_keras, summary, wire
from nnrun.models.structure import Structure
from nnrun.spec import code
from nnrun.spec.experiment import Experiment
from nnrun.spec.labels import check_output, outputs_logits
from nnrun.spec.text import format_size
from nnrun.training import callbacks, devices, loop, warm_start
from nnrun.training.checkpoints import Checkpoint
from nnrun.training.compile import Stages
from nnrun.training.evaluate import Evaluator, metrics_of_outputs, probabilities
from nnrun.training.loop import Engine, Trainer
from nnrun.training.rows import Rows, enable_sparse, resident, sparse_layers
from nnrun.training.state import State, restart
from nnrun.types import Array, Observer, Sequences, Split, Streamed

FLOAT_BYTES = 4
# Errors that callbacks and kernels raise during training.
TRAINING_ERRORS = (*LAYER_ERRORS, KeyError, OSError, RuntimeError, ImportError)
# Callbacks are built before the run folder exists; their files move into it later.
NO_FOLDER = Path("run-folder")


@dataclass(frozen=True)
class WarmStart:
    """The weights that a training begins with: the digest of their file, and what was loaded."""

    digest: str
    notice: str


@dataclass(frozen=True)
class TrainingSetup:
    """A compiled model with its rows on the device, ready to train.

    Args:
        test: the test rows; None for a fold, which is not tested.
        callbacks: Keras's, not yet in the run folder.
        initial: metrics of the untrained model on the training rows.
        seconds: spent on building.
        weights: with which the training begins, if they are not random.
    """

    prepared: PreparedData
    model: keras.Model
    device: str
    engine: Engine
    train: Rows
    test: Rows | None
    trainer: Trainer
    callbacks: list[keras.callbacks.Callback]
    summary: str
    structure: Structure
    initial: dict[str, float]
    seconds: float
    weights: WarmStart | None = None

    def on_device(self) -> AbstractContextManager[None]:
        """A context in which TensorFlow computes on the chosen device."""
        device: AbstractContextManager[None] = tf.device(devices.tensorflow_name(self.device))
        return device

    def check_memory(self) -> AbstractContextManager[None]:
        """Turns an out-of-memory error into a TrainingError that tells what to change."""
        return _check_memory(self.prepared)

    def fit(
        self,
        folder: Path,
        observer: Observer,
        *,
        start: Checkpoint | None,
        save_state: Callable[[Callable[[], State]], None],
    ) -> None:
        """Trains for all epochs from `start`; `save_state` is called as by `Trainer.train`.

        Raises:
            TrainingError: the loss is not finite, memory ran out, or a callback failed.
        """
        prepared, specs = self.prepared, self.prepared.spec.training.callbacks
        try:
            moved = callbacks.move(self.callbacks, specs, NO_FOLDER, folder)
            for file in (file for spec in specs for file in files(spec).values()):
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
            if start:
                sizes = {name: file.size for name, file in start.appended_files.items()}
                callbacks.resume_callbacks(moved, folder, sizes)
            # After those that change weights or metrics.
            moved += callbacks.restore_best(prepared.spec.training)
            self.trainer.trace(self.train, prepared.fold)
            # Only now: tracing and loading both run Python and would slow each other down.
            with predictions.preload(prepared.dataset):
                self.trainer.train(
                    self.train,
                    prepared.fold,
                    seed=prepared.seed,
                    callbacks=moved,
                    observer=observer,
                    start=start.state if start else None,
                    save_state=save_state,
                )
        except TRAINING_ERRORS as error:
            # The log gets the full traceback; the user sees the first line.
            with suppress(OSError):
                traceback.print_exc()
            part = (
                _failed_callback(error, prepared.spec) or f"training with the {self.engine} engine"
            )
            raise TrainingError(f"{part} failed: {components.reason(error)}") from error
        except Exception as error:
            raise code.blame(error) or error from error

    def evaluate(self) -> tuple[dict[str, object], Predictions]:
        """The metrics of the trained model on each split, and the predictions to record."""
        prepared, evaluator = self.prepared, self.trainer.evaluator
        metrics: dict[str, object] = {"train": evaluator.metrics(self.train, prepared.fold.train)}
        if len(prepared.fold.validation):
            metrics["validation"] = evaluator.metrics(self.train, prepared.fold.validation)
        split, rows = prepared.scored
        if self.test is not None:
            metrics["test"] = evaluator.metrics(self.test, rows)
            if sets := prepared.dataset.test.test_sets:
                metrics["tests"] = {
                    name: evaluator.metrics(self.test, positions)
                    for name, positions in sets.items()
                }
        output = evaluator.outputs(self.test or self.train, rows)
        if outputs_logits(prepared.spec.training):
            output = probabilities(output, prepared.dataset.target)
        target = None
        if prepared.dataset.target.kind == "inputs":
            target = evaluator.inputs(self.test or self.train, rows)
        predicted = Predictions(prepared.dataset, split, rows, output, target=target)
        return {**metrics, **self._baseline(predicted)}, predicted

    def _baseline(self, predicted: Predictions) -> dict[str, dict[str, float]]:
        """The metrics of a naive forecast, which repeats the label of each window's last row."""
        source, rows = predicted.source, predicted.rows
        if source.naive is None:
            return {}
        naive, units = source.naive[rows], predicted.output.shape[-1]
        is_class = predicted.dataset.target.kind == "class"
        output = np.eye(units)[naive] if is_class and units > 1 else naive.reshape(len(rows), -1)
        training, target = self.prepared.spec.training, predicted.dataset.target
        y = self.prepared.labels(source.y[rows], units)
        metrics = metrics_of_outputs(output.astype(np.float32), y, training, target)
        # The loss of a wrong class that is certain is infinite.
        kept = {name: value for name, value in metrics.items() if name != "loss" or not is_class}
        return {"baseline": kept} if kept else {}


def _failed_callback(error: BaseException, spec: Experiment) -> str | None:
    """The callback that an error comes from, if it is one."""
    files = {frame.filename for frame in traceback.extract_tb(error.__traceback__)}
    for name in (component.name for component in spec.training.callbacks):
        cls = components.component_class("callbacks", name)
        if isinstance(cls, type) and _source(cls) in files:
            return f"the callback {name}"
    return None


def _source(cls: type) -> str | None:
    module = sys.modules.get(cls.__module__)
    return getattr(module, "__file__", None)


def build(
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
    spec, dataset, preparation = prepared.spec, prepared.dataset, prepared.preparation
    wired, stages, text, weights = _compile(prepared)
    training = with_steps(spec.training, len(prepared.fold.train))
    built_callbacks = callbacks.build(with_modes(training), NO_FOLDER)
    model = wired.model
    units = check_output(dataset, spec, tuple(model.output_shape[1:]))
    # Folds of other sizes have other schedules, which a traced function contains.
    if previous and previous.trainer.training == training:
        previous.trainer.enter(0)
        restart(previous.model, model)
        model, engine = previous.model, previous.engine
        trainer = previous.trainer
    else:
        inputs = [view.train.x for view in dataset.views.values()]
        streamed = any(isinstance(x, Streamed) for x in inputs)
        engine = loop.choose(training, model, device=device, streamed=streamed)
        trainer = Trainer(model, preparation, training, engine=engine, stages=stages)
    # Rows of words stay sparse. Not under XLA, which needs rows of equal length, nor on a GPU, where
    # the gradient of a sparse product is not deterministic.
    is_possible = engine == "graph" and device == "cpu" and preparation.is_sparse(dataset.train.x)
    sparse = sparse_layers(model) if is_possible else []
    for layer in sparse:
        enable_sparse(layer)

    def copy(split: Split, weights: Array | None = None) -> Rows:
        is_distinct = bool(sparse) and isinstance(split.x, Sequences)
        x = preparation.distinct(split.x) if is_distinct else preparation.store(split.x)
        return resident(x, prepared.labels(split.y, units), preparation.state, weights=weights)

    train = copy(dataset.train, prepared.weights(prepared.fold))
    return TrainingSetup(
        prepared=prepared,
        model=model,
        device=device,
        engine=engine,
        train=train,
        test=None if prepared.fold.number else copy(dataset.test),
        trainer=trainer,
        callbacks=built_callbacks,
        summary=text,
        structure=wired.structure,
        initial=_initial_metrics(trainer.evaluator, train, prepared),
        seconds=time.perf_counter() - began,
        weights=weights,
    )


def can_reuse(previous: TrainingSetup | None, spec: Experiment) -> bool:
    """Whether an experiment differs at most in its seed, so that the model can be reused."""
    return previous is not None and previous.prepared.spec == spec.model_copy(
        update={"seed": previous.prepared.spec.seed}
    )


def _compile(prepared: PreparedData) -> tuple[Wired, Stages, str, WarmStart | None]:
    """The untrained model of a fold in its first stage, its summary, and what weights it has."""
    spec, preparation = prepared.spec, prepared.preparation
    components.use_code(spec.code)
    wanted = spec.training.weights
    source = warm_start.read(wanted) if wanted.given else None
    reset_keras(spec.training.precision)
    devices.seed_everything(devices.fold_seed(prepared.seed, prepared.fold))
    wired = wire(spec.model, preparation.shape, dtype=preparation.dtype)
    # Before compiling: later Keras counts the optimizer's variables as parameters.
    text = summary(wired.model)
    weights = None
    if source:
        weights = WarmStart(source.digest, warm_start.load(source, wired.layers, _words(prepared)))
    training = with_steps(spec.training, len(prepared.fold.train))
    stages = Stages(wired.model, wired.layers, training, prepared.dataset.target)
    stages.enter(0)
    return wired, stages, text, weights


def _words(prepared: PreparedData) -> Callable[[], Mapping[str, int]] | None:
    """A function that gives the number of each word; None if the rows are no texts."""
    preparation, vocabulary = prepared.preparation, prepared.dataset.vocabulary
    if vocabulary is None or not isinstance(preparation, Preparation):
        return None
    return lambda: preparation.word_numbers(vocabulary())


def _initial_metrics(evaluator: Evaluator, rows: Rows, prepared: PreparedData) -> dict[str, float]:
    """Loss and metrics before training; also checks that they fit model and labels."""
    try:
        initial = evaluator.metrics(rows, prepared.fold.train)
    except LAYER_ERRORS as error:
        message = f"loss or metrics do not take the model's output: {components.reason(error)}"
        raise IncompatibleSpec("NN122", ("training", "loss"), message) from error
    except Exception as error:
        raise code.blame(error) or error from error
    held_out = [f"val_{name}" for name in initial] if len(prepared.fold.validation) else []
    check_monitors(prepared.spec.training, [*initial, *held_out])
    return initial


@contextmanager
def _check_memory(prepared: PreparedData) -> Iterator[None]:
    try:
        yield
    except MEMORY_ERRORS as error:
        batch_size = prepared.spec.training.batch_size
        rows = len(prepared.dataset.train) + len(prepared.dataset.test)
        row = prepared.preparation.size * FLOAT_BYTES
        raise TrainingError(
            f"out of memory: {rows:,} rows, prepared {format_size(rows * row)} in all, and "
            f"batch_size {batch_size:,}, {format_size(min(batch_size, rows) * row)} a step before "
            "the first layer; a smaller batch_size, smaller layers or fewer columns need less"
        ) from error
