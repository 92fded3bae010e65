"""Chooses the engine and trains a model with it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Literal

import keras
import tensorflow as tf

from nnrun.data.preprocessing import AnyPreparation
from nnrun.errors import DataError, TrainingError
from nnrun.models import components
from nnrun.models.components import component_class
from nnrun.spec.code import is_own
from nnrun.spec.component import Component
from nnrun.spec.training import Training
from nnrun.training import state
from nnrun.training.compile import Stages, finalize
from nnrun.training.compiled import CompiledLoop
from nnrun.training.evaluate import Evaluator, as_logs, rows_at_once
from nnrun.training.rows import Rows, Schedule, batch, weighted_batch
from nnrun.training.state import State
from nnrun.types import Array, Fold, Logs, Observer

Engine = Literal["xla", "graph", "fit"]

# `engine: auto` never looks at a clock: results must not depend on the load of the machine.
# With more floating-point operations, or wider rows, matrix products take nearly all of a step, and
# XLA does not make up for the second that it compiles. `benchmarks/` holds the measurement.
XLA_FLOPS = 1_000_000_000
XLA_ROW = 4096
# XLA on a CPU draws random numbers on one core, in about 0.012 µs each.
XLA_RANDOM_NUMBERS = 40_000

_RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN"})
_RANDOM = frozenset({"Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout"})
# Layers that XLA speeds up on a CPU. Convolutions are slower there, and pooling has no
# deterministic gradient.
XLA_LAYERS = (
    _RECURRENT
    | _RANDOM
    | frozenset(
        "InputLayer Dense Flatten Reshape Activation ReLU LeakyReLU PReLU ELU Softmax Rescaling "
        "Embedding BatchNormalization LayerNormalization ActivityRegularization "
        "GlobalAveragePooling1D".split()
    )
)

# Callbacks that run after some batches if this argument is not `epoch`.
_FREQUENCIES = {
    **dict.fromkeys(("ModelCheckpoint", "BackupAndRestore", "OrbaxCheckpoint"), "save_freq"),
    "TensorBoard": "update_freq",
}


# Of the user's callbacks; the compiled loop calls those of epochs and of the training.
_BATCH_METHODS = [name for name in dir(keras.callbacks.Callback) if "_batch_" in name]


def choose(
    training: Training, model: keras.Model, *, device: str, streamed: bool = False
) -> Engine:
    """The engine for an experiment.

    1. The engine of the spec, if it names one.
    2. `fit` if a callback runs after every batch.
    3. `graph` if rows are read when needed, or the user's code computes in a step: XLA may not be
       able to compile it.
    4. `xla` if every layer is in `XLA_LAYERS` and, on a CPU, a training step takes at most
       `XLA_FLOPS` floating-point operations and `XLA_RANDOM_NUMBERS` random numbers, and a row has
       at most `XLA_ROW` numbers.
    5. `graph` otherwise.

    Raises:
        DataError: the engine is `xla`, and the rows are streamed.
    """
    if streamed and training.engine == "xla":
        raise DataError(
            "the rows do not fit into memory, and engine: xla cannot read them when needed; "
            "remove it, or make the images smaller"
        )
    if training.engine != "auto":
        return training.engine
    if any(map(_works_per_batch, training.callbacks)):
        return "fit"
    if streamed or components.uses_code(model, training):
        return "graph"
    if not all(type(layer).__name__ in XLA_LAYERS for layer in model.layers):
        return "graph"
    batch_size = max(map(training.batch_size_of, range(max(1, len(training.stages)))))
    is_small = (
        step_flops(model, batch_size) <= XLA_FLOPS
        and batch_size * sum(map(_random_numbers, model.layers)) <= XLA_RANDOM_NUMBERS
        and max(math.prod(_row(tensor)) for tensor in model.inputs) <= XLA_ROW
    )
    return "xla" if is_small or device != "cpu" else "graph"


def _works_per_batch(callback: Component) -> bool:
    if is_own(callback.name):
        cls, base = component_class("callbacks", callback.name), keras.callbacks.Callback
        return any(getattr(cls, name, None) != getattr(base, name) for name in _BATCH_METHODS)
    frequency = callback.arguments.get(_FREQUENCIES.get(callback.name, ""), "epoch")
    profiles = callback.name == "TensorBoard" and callback.arguments.get("profile_batch")
    return frequency != "epoch" or bool(profiles)


def step_flops(model: keras.Model, batch_size: int) -> int:
    """Floating-point operations of one training step, by the rule of thumb for dense layers.

    A weight is multiplied and added once per row in the forward pass and twice in the backward
    pass: for the gradient of the weight and for that of the input.
    """
    return 6 * batch_size * sum(map(_multiplications, model.layers))


def _multiplications(layer: keras.Layer) -> int:
    """For one row in the forward pass: each weight once per position of the output."""
    if not layer.weights or isinstance(layer, keras.layers.Embedding):
        return 0
    # A recurrent layer uses each weight once per time step, which its output does not show.
    steps = _row(layer.input if type(layer).__name__ in _RECURRENT else layer.output)
    return int(layer.count_params() * math.prod(steps[:-1]))


def _random_numbers(layer: keras.Layer) -> int:
    """Drawn for one row in one training step."""
    if type(layer).__name__ in _RANDOM:
        return math.prod(_row(layer.output))
    dropout = getattr(layer, "dropout", 0) or getattr(layer, "recurrent_dropout", 0)
    return math.prod(_row(layer.input)) if dropout else 0


def _row(tensors: keras.KerasTensor | list[keras.KerasTensor]) -> tuple[int, ...]:
    """The shape of one row; a layer that is masked has its mask as a second input."""
    return tuple(size or 1 for size in keras.tree.flatten(tensors)[0].shape[1:])


@dataclass
class Trainer:
    """Trains one compiled model, on any number of folds.

    Args:
        stages: of the same training, if it has any.
    """

    model: keras.Model
    preparation: AnyPreparation
    training: Training
    _: KW_ONLY
    engine: Engine
    stages: Stages | None = None

    def __post_init__(self) -> None:
        self.evaluator = Evaluator(self.model, self.preparation)
        # Kept over all folds: tracing and compiling cost more than training a small fold.
        self._loop = self._new_loop()

    def _new_loop(self) -> CompiledLoop | None:
        if self.engine == "fit":
            return None
        batch_size = self.stages.batch_size if self.stages else self.training.batch_size
        return CompiledLoop(self.evaluator, batch_size=batch_size, xla=self.engine == "xla")

    def enter(self, epoch: int) -> None:
        """Puts the model into the stage of an epoch, counted from 0."""
        if self.stages and self.stages.enter(epoch):
            # Earlier traces use the metrics and the optimizer of the previous stage.
            self.evaluator.clear_traces()
            self._loop = self._new_loop()

    def trace(self, rows: Rows, fold: Fold) -> None:
        """Traces the first stage for a fold of the rows, unless Keras's `fit` trains."""
        if self._loop:
            has_callbacks = self.training.callbacks or self.training.restored_by
            validates = bool(len(fold.validation)) and not has_callbacks
            self._loop.trace(rows, len(fold.train), validates=validates)

    def train(
        self,
        rows: Rows,
        fold: Fold,
        *,
        seed: int,
        callbacks: Sequence[keras.callbacks.Callback],
        observer: Observer,
        start: State | None = None,
        save_state: Callable[[Callable[[], State]], None] | None = None,
    ) -> None:
        """Trains on a fold's rows and validates after each epoch.

        Args:
            rows: all training rows, on the device.
            start: the state to resume from.
            save_state: called after an epoch with a function that captures the state; short epochs
                that are trained in one call have one state.

        Raises:
            TrainingError: the loss is not finite.
            ValueError: `start` is of another model, or of other callbacks.
        """
        schedule = Schedule(fold, self.training, seed)
        reporter = _EpochReporter(observer, schedule)

        def begin_training(_: Logs | None) -> None:
            # After the other callbacks have begun, which resets their state.
            if start:
                state.restore(start, self.model, callbacks)

        def end_epoch(epoch: int, logs: Logs) -> None:
            reporter.report(epoch, as_logs(logs))
            # Of the epochs of one call only the last has the state that the model is in.
            if save_state and not reporter.pending:
                save_state(lambda: state.capture(self.model, callbacks, epochs=epoch + 1))

        # The first callback records an epoch before another can fail. The last one runs when all
        # others have added to the logs.
        first = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: reporter.begin(epoch),
            on_train_batch_end=lambda batch, logs: observer.steps_done(batch + 1),
            on_epoch_end=lambda epoch, logs: reporter.add(epoch, as_logs(logs)),
        )
        last = keras.callbacks.LambdaCallback(on_train_begin=begin_training, on_epoch_end=end_epoch)
        begin = 0 if start is None else schedule.epochs if start.stopped else start.epochs
        # The state belongs to the stage of its last epoch.
        self.enter(start.epochs - 1 if start else 0)
        train = self._train_compiled if self._loop else self._train_by_keras
        listeners = _StageCallbacks(
            [first, *callbacks, last],
            model=self.model,
            epochs=schedule.epochs,
            steps=schedule.steps(begin),
            # Keras returns its own history at the end of each `fit`.
            add_history=self._loop is None,
            verbose=0,
        )
        try:
            # Restores the state, in its own stage.
            self.model.stop_training = False
            listeners.on_train_begin()
            train(rows, reporter, listeners, begin)
        finally:
            reporter.flush()

    def _train_by_keras(
        self, rows: Rows, reporter: _EpochReporter, listeners: _StageCallbacks, begin: int
    ) -> None:
        """Calls `model.fit` once for each stage."""
        schedule = reporter.schedule
        preparation, validation = self.preparation, schedule.fold.validation
        expand = partial(batch, preparation, rows.tensors)
        expand_weighted = partial(weighted_batch, preparation, (rows.tensors, rows.weights))

        def batches() -> Iterator[Array]:
            for epoch in epochs:
                order = schedule.order(epoch)
                size = schedule.batch_size(epoch)
                for start in range(0, len(order), size):
                    yield order[start : start + size]

        signature = tf.TensorSpec((None,), tf.int32)
        training_data = tf.data.Dataset.from_generator(batches, output_signature=signature)
        held_out = tf.data.Dataset.from_tensor_slices(tf.constant(validation, tf.int32))
        held_out = held_out.batch(rows_at_once(preparation.size)).map(expand)
        while True:
            # A training that a callback ended stays in its stage.
            if begin < schedule.epochs:
                self.enter(begin)
            end = self.stages.end(begin) if self.stages else schedule.epochs
            listeners.last = end >= schedule.epochs
            epochs = range(begin, end)
            self.model.fit(
                training_data.map(expand_weighted).prefetch(2),
                epochs=end,
                initial_epoch=begin,
                steps_per_epoch=schedule.steps(begin),
                validation_data=held_out if len(validation) else None,
                callbacks=listeners,
                verbose=0,
                shuffle=False,
            )
            if listeners.last or self.model.stop_training:
                break
            begin = end

    def _train_compiled(
        self, rows: Rows, reporter: _EpochReporter, listeners: _StageCallbacks, begin: int
    ) -> None:
        """Calls the callbacks after each epoch, as `model.fit` does."""
        logs: dict[str, float] = {}
        epoch, schedule = begin, reporter.schedule
        while epoch < schedule.epochs and not self.model.stop_training:
            self.enter(epoch)
            listeners.on_epoch_begin(epoch)
            for number, result in enumerate(self._train_epochs(rows, epoch, listeners, reporter)):
                if number:
                    listeners.on_epoch_begin(epoch)
                reporter.observer.steps_done(schedule.steps(epoch))
                logs = dict(result)
                listeners.on_epoch_end(epoch, logs)
                epoch += 1
        finalize(self.model)
        listeners.on_train_end(logs)

    def _train_epochs(
        self, rows: Rows, epoch: int, listeners: _StageCallbacks, reporter: _EpochReporter
    ) -> list[Logs]:
        """Trains several epochs in one call; just one if callbacks can influence the next."""
        assert self._loop
        schedule = reporter.schedule
        # Besides the two of `train`.
        has_callbacks = len(listeners.callbacks) > 2
        end = self.stages.end(epoch) if self.stages else schedule.epochs
        held_out = schedule.fold.validation
        results = self._loop.train_epochs(
            rows,
            schedule.order,
            range(epoch, epoch + 1 if has_callbacks else end),
            validation=held_out if len(held_out) and not has_callbacks else None,
            report=reporter.observer.steps_done,
        )
        if has_callbacks and len(held_out):
            listeners.on_test_begin()
            logs = self.evaluator.metrics(rows, held_out)
            listeners.on_test_end(logs)
            results = [{**results[0], **{f"val_{name}": logs[name] for name in logs}}]
        reporter.add_all(epoch, results)
        return results


class _StageCallbacks(keras.callbacks.CallbackList):  # type: ignore[misc]  # Keras ships no types
    """Callbacks whose training begins and ends once, although `model.fit` runs once per stage."""

    _begun = False
    last = True
    """Whether no further call of `model.fit` follows."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if not self._begun:
            self._begun = True
            super().on_train_begin(logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.last or self.model.stop_training:
            super().on_train_end(logs)


class _EpochReporter:
    """Reports each epoch to the observer, and stops a training whose loss is not finite.

    If an interrupt cuts the report of an epoch off, it is repeated, with all epochs after it.
    """

    def __init__(self, observer: Observer, schedule: Schedule) -> None:
        self.observer, self.schedule = observer, schedule
        self._began = self._seconds = 0.0
        self.pending: dict[int, Logs] = {}
        """Trained epochs that are not reported yet."""

    def begin(self, epoch: int) -> None:
        self._began = time.perf_counter()
        self.observer.epoch_began(epoch, self.schedule.epochs, self.schedule.steps(epoch))

    def add_all(self, epoch: int, logs: Sequence[Logs]) -> None:
        """Adds epochs that were trained in one call; they count as equally long."""
        self._seconds = (time.perf_counter() - self._began) / len(logs)
        self.pending = dict(enumerate(logs, epoch))

    def add(self, epoch: int, logs: Logs) -> None:
        if epoch not in self.pending:
            self.add_all(epoch, [logs])

    def report(self, epoch: int, logs: Logs) -> None:
        # With the additions of callbacks, in case it has to be repeated.
        self.pending[epoch] = logs
        self._report(epoch, logs)
        if not math.isfinite(logs["loss"]):
            # The epochs after it are worthless.
            self.pending.clear()
            raise TrainingError(
                f"the loss became {logs['loss']} in epoch {epoch + 1}; a smaller learning rate, "
                "scaled inputs or clipped gradients (clipnorm) usually help"
            )

    def flush(self) -> None:
        """Reports all trained epochs, also after a callback has failed."""
        while self.pending:
            epoch = min(self.pending)
            self._report(epoch, self.pending[epoch])

    def _report(self, epoch: int, logs: Logs) -> None:
        # Training before validation, and the loss first; Keras sorts by name.
        names = sorted(
            logs, key=lambda name: (name.startswith("val_"), name.removeprefix("val_") != "loss")
        )
        self.observer.epoch_ended(epoch, {name: logs[name] for name in names}, self._seconds)
        # Only now: an interrupt can come at any point, and no epoch may be lost.
        self.pending.pop(epoch, None)
