"""Chooses the engine and trains a model with it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal

import keras

from nnrun.data.preprocessing import Preparation
from nnrun.errors import DataError, TrainingError
from nnrun.spec.component import Component
from nnrun.spec.training import Training
from nnrun.training import state
from nnrun.training.compile import Stages, finalize
from nnrun.training.compiled import CompiledLoop
from nnrun.training.evaluate import Evaluator, as_logs
from nnrun.training.keras_fit import StageCallbacks, fit_by_keras
from nnrun.training.rows import Rows, Schedule
from nnrun.training.state import State
from nnrun.types import Fold, Logs, Observer

Engine = Literal["xla", "graph", "fit"]

# `engine: auto` looks at the experiment alone and never at a clock: results must not depend on the
# load of the machine.
#
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

# Callbacks that run after every batch if the argument differs from this value.
_PER_BATCH = {
    "ModelCheckpoint": ("save_freq", "epoch"),
    "BackupAndRestore": ("save_freq", "epoch"),
    "OrbaxCheckpoint": ("save_freq", "epoch"),
    "TensorBoard": ("update_freq", "epoch"),
}


def choose(
    training: Training, model: keras.Model, *, device: str, streamed: bool = False
) -> Engine:
    """The engine for an experiment.

    1. The engine of the spec, if it names one.
    2. `fit` if a callback runs after every batch.
    3. `graph` if rows are read when needed, which XLA cannot do.
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
    if streamed:
        return "graph"
    is_suited = all(type(layer).__name__ in XLA_LAYERS for layer in model.layers)
    return "xla" if is_suited and (device != "cpu" or _is_small(model, training)) else "graph"


def _is_small(model: keras.Model, training: Training) -> bool:
    random_numbers = training.batch_size * sum(map(_random_numbers, model.layers))
    flops = step_flops(model, training.batch_size)
    row = max(math.prod(_row(tensor)) for tensor in model.inputs)
    return flops <= XLA_FLOPS and random_numbers <= XLA_RANDOM_NUMBERS and row <= XLA_ROW


def _works_per_batch(callback: Component) -> bool:
    argument, per_epoch = _PER_BATCH.get(callback.name, ("", ""))
    if callback.name == "TensorBoard" and callback.arguments.get("profile_batch"):
        return True
    return bool(callback.arguments.get(argument, per_epoch) != per_epoch)


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
        model: compiled by Keras.
        preparation: expands stored rows.
        training: the spec's.
        engine: from `choose`.
        evaluator: of the same model.
        stages: of the same training, if it has any.
    """

    model: keras.Model
    preparation: Preparation
    training: Training
    _: KW_ONLY
    engine: Engine
    evaluator: Evaluator
    stages: Stages | None = None

    def __post_init__(self) -> None:
        # Kept over all folds: tracing and compiling cost more than training a small fold.
        self._loop = self._new_loop()

    def _new_loop(self) -> CompiledLoop | None:
        if self.engine == "fit":
            return None
        return CompiledLoop(
            self.model,
            self.preparation,
            evaluator=self.evaluator,
            batch_size=self.training.batch_size,
            xla=self.engine == "xla",
        )

    def enter(self, epoch: int) -> None:
        """Puts the model into the stage of an epoch, counted from 0."""
        if self.stages and self.stages.enter(epoch):
            # Earlier traces use the metrics and the optimizer of the previous stage.
            self.evaluator.clear_traces()
            self._loop = self._new_loop()

    def trace(self, rows: Rows, fold: Fold) -> None:
        """Traces the first stage, unless Keras's `fit` trains.

        Args:
            rows: all training rows, on the device.
            fold: the rows that train.
        """
        if self._loop:
            validates = bool(len(fold.validation)) and not self.training.callbacks
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
            fold: the rows that train and those that validate.
            seed: of the order of the rows.
            callbacks: Keras's.
            observer: receives every epoch.
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
        try:
            train(rows, reporter, [first, *callbacks, last], begin)
        finally:
            reporter.flush()

    def _train_by_keras(
        self,
        rows: Rows,
        reporter: _EpochReporter,
        callbacks: Sequence[keras.callbacks.Callback],
        begin: int,
    ) -> None:
        """Calls `model.fit` once for each stage."""
        schedule = reporter.schedule
        listeners = StageCallbacks(callbacks, self.model, schedule)
        # Restores the state, in its own stage.
        listeners.on_train_begin()
        while True:
            self.enter(begin)
            end = self.stages.end(begin) if self.stages else schedule.epochs
            listeners.last = end >= schedule.epochs
            epochs = range(begin, end)
            fit_by_keras(self.model, rows, self.preparation, schedule, listeners, epochs)
            if listeners.last or self.model.stop_training:
                break
            begin = end

    def _train_compiled(
        self,
        rows: Rows,
        reporter: _EpochReporter,
        callbacks: Sequence[keras.callbacks.Callback],
        begin: int,
    ) -> None:
        """Calls the callbacks after each epoch, as `model.fit` does."""
        model, schedule = self.model, reporter.schedule
        listeners = keras.callbacks.CallbackList(
            callbacks, model=model, epochs=schedule.epochs, steps=schedule.steps, verbose=0
        )
        model.stop_training = False
        logs: dict[str, float] = {}
        listeners.on_train_begin()
        epoch = begin
        while epoch < schedule.epochs and not model.stop_training:
            self.enter(epoch)
            listeners.on_epoch_begin(epoch)
            for number, result in enumerate(self._train_epochs(rows, epoch, listeners, reporter)):
                if number:
                    listeners.on_epoch_begin(epoch)
                reporter.observer.steps_done(schedule.steps)
                logs = dict(result)
                listeners.on_epoch_end(epoch, logs)
                epoch += 1
        finalize(model)
        listeners.on_train_end(logs)

    def _train_epochs(
        self,
        rows: Rows,
        epoch: int,
        listeners: keras.callbacks.CallbackList,
        reporter: _EpochReporter,
    ) -> list[Logs]:
        """Trains several epochs in one call; just one if callbacks can influence the next."""
        assert self._loop
        schedule = reporter.schedule
        # Besides those of `train`.
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
            validated = {f"val_{name}": value for name, value in logs.items()}
            results = [{**results[0], **validated}]
        reporter.add_all(epoch, results)
        return results


class _EpochReporter:
    """Reports each epoch to the observer, and stops a training whose loss is not finite.

    If an interrupt cuts the report of an epoch off, it is repeated, with all epochs after it.
    """

    def __init__(self, observer: Observer, schedule: Schedule) -> None:
        self.observer = observer
        self.schedule = schedule
        self._began = 0.0
        self._seconds = 0.0
        self.pending: dict[int, Logs] = {}
        """Trained epochs that are not reported yet."""

    def begin(self, epoch: int) -> None:
        self._began = time.perf_counter()
        self.observer.epoch_began(epoch, self.schedule.epochs, self.schedule.steps)

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
        logs = {name: logs[name] for name in sorted(logs, key=_reading_order)}
        self.observer.epoch_ended(epoch, logs, self._seconds)
        # Only now: an interrupt can come at any point, and no epoch may be lost.
        self.pending.pop(epoch, None)


def _reading_order(name: str) -> tuple[bool, bool]:
    """Training before validation, and the loss first; Keras sorts by name."""
    return name.startswith("val_"), name.removeprefix("val_") != "loss"
