"""The training loop: one call, whichever engine runs it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras

from nnrun.data.preprocessing import Preparation
from nnrun.errors import DataError, TrainingError
from nnrun.spec.component import Component
from nnrun.spec.training import Training
from nnrun.training import keras_fit, state
from nnrun.training.compile import Stages, finalize
from nnrun.training.compiled import CompiledLoop
from nnrun.training.evaluate import Evaluator
from nnrun.training.rows import Rows, Schedule
from nnrun.training.state import State
from nnrun.types import Fold, Logs, Observer

# The documented rule by which `engine: auto` chooses.
#
# It looks at the experiment alone and never at a clock: a choice that depends on timing would make
# results depend on what else the machine is doing.

Engine = Literal["xla", "graph", "fit"]

# Above this many floating-point operations the products of matrices are nearly all of a step, and
# XLA has nothing to gain but the second that it compiles for; likewise where a row is this wide, and
# the first product nearly all of the step. `benchmarks/` holds the measurement.
XLA_FLOPS = 1_000_000_000
XLA_ROW = 4096
# XLA on a CPU draws random numbers on one core, about 0.012 µs each.
XLA_RANDOM_NUMBERS = 40_000

_RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN"})
_RANDOM = frozenset({"Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout"})
# Layers that XLA is good at on a CPU. Convolutions are slower there, and the gradient of pooling
# has no deterministic form.
XLA_LAYERS = (
    _RECURRENT
    | _RANDOM
    | frozenset(
        "InputLayer Dense Flatten Reshape Activation ReLU LeakyReLU PReLU ELU Softmax Rescaling "
        "Embedding BatchNormalization LayerNormalization ActivityRegularization "
        "GlobalAveragePooling1D".split()
    )
)

# Hooks of callbacks that look at every batch when the argument has such a value.
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

    1. What the spec says, if it says one.
    2. `fit` where a callback works batch by batch.
    3. `graph` where rows are read as they are needed, which XLA cannot.
    4. `xla` where every layer is in `XLA_LAYERS` and, on a CPU, one training step takes no more
       than `XLA_FLOPS` floating-point operations and `XLA_RANDOM_NUMBERS` random numbers, and a row
       has no more than `XLA_ROW` numbers.
    5. `graph` otherwise.

    Raises:
        DataError: the spec says `xla`, and the rows are streamed.
    """
    if streamed and training.engine == "xla":
        raise DataError(
            "the rows are more than are kept in memory, and engine: xla cannot read them as they "
            "are needed; leave it out, or make the pictures smaller"
        )
    if training.engine != "auto":
        return training.engine
    if any(map(_works_per_batch, training.callbacks)):
        return "fit"
    if streamed:
        return "graph"
    known = all(type(layer).__name__ in XLA_LAYERS for layer in model.layers)
    return "xla" if known and (device != "cpu" or _is_small(model, training)) else "graph"


def _is_small(model: keras.Model, training: Training) -> bool:
    random_numbers = training.batch_size * sum(map(_random_numbers, model.layers))
    flops = step_flops(model, training.batch_size)
    row = max(math.prod(_row(each)) for each in model.inputs)
    return flops <= XLA_FLOPS and random_numbers <= XLA_RANDOM_NUMBERS and row <= XLA_ROW


def _works_per_batch(callback: Component) -> bool:
    argument, per_epoch = _PER_BATCH.get(callback.name, ("", ""))
    if callback.name == "TensorBoard" and callback.arguments.get("profile_batch"):
        return True
    return bool(callback.arguments.get(argument, per_epoch) != per_epoch)


def step_flops(model: keras.Model, batch_size: int) -> int:
    """Floating-point operations of one training step, by the rule of thumb for dense layers.

    A weight is multiplied and added once per row going forward and twice going back: once for the
    gradient of the weight, once for that of the input.
    """
    return 6 * batch_size * sum(map(_multiplications, model.layers))


def _multiplications(layer: Any) -> int:
    """Of one row going forward: each weight once per position of the output."""
    if not layer.weights or isinstance(layer, keras.layers.Embedding):
        return 0
    # A recurrent layer uses each weight once per time step, which its output does not show.
    steps = _row(layer.input if type(layer).__name__ in _RECURRENT else layer.output)
    return int(layer.count_params() * math.prod(steps[:-1]))


def _random_numbers(layer: Any) -> int:
    """Drawn for one row in one training step."""
    if type(layer).__name__ in _RANDOM:
        return math.prod(_row(layer.output))
    dropout = getattr(layer, "dropout", 0) or getattr(layer, "recurrent_dropout", 0)
    return math.prod(_row(layer.input)) if dropout else 0


def _row(tensors: Any) -> tuple[int, ...]:
    """The shape of one row; a layer that is masked has its mask as a second input."""
    return tuple(size or 1 for size in keras.tree.flatten(tensors)[0].shape[1:])


class Trainer:
    """Fits one compiled model, on as many folds as there are.

    Args:
        model: compiled by Keras.
        preparation: expands stored rows.
        training: the spec's.
        engine: what `engine.choose` said.
        evaluator: of the same model.
        stages: of the same training, where it has any.
    """

    def __init__(
        self,
        model: keras.Model,
        preparation: Preparation,
        training: Training,
        *,
        engine: Engine,
        evaluator: Evaluator,
        stages: Stages | None = None,
    ) -> None:
        self._model = model
        self._preparation = preparation
        self._training = training
        self._engine = engine
        self._evaluator = evaluator
        self._stages = stages
        # Kept over all folds, because tracing and compiling cost more than training a small fold.
        self._loop = self._new_loop()

    def enter(self, epoch: int) -> None:
        """Brings the model into the stage of an epoch, counted from 0."""
        if self._stages and self._stages.enter(epoch):
            # What was traced before speaks of the metrics and the optimizer that were there then.
            self._evaluator.forget()
            self._loop = self._new_loop()

    def trace(self, rows: Rows, fold: Fold) -> None:
        """Traces the first stage, where the engine is ours; `fit` would do so as well.

        Args:
            rows: all training rows, on the device.
            fold: which of them are going to train.
        """
        if self._loop:
            validates = bool(len(fold.validation)) and not self._training.callbacks
            self._loop.trace(rows, len(fold.train), validates=validates)

    def _new_loop(self) -> CompiledLoop | None:
        if self._engine == "fit":
            return None
        return CompiledLoop(
            self._model,
            self._preparation,
            evaluator=self._evaluator,
            batch_size=self._training.batch_size,
            xla=self._engine == "xla",
        )

    def fit(
        self,
        rows: Rows,
        fold: Fold,
        *,
        seed: int,
        callbacks: list[Any],
        observer: Observer,
        start: State | None = None,
        reached: Callable[[Callable[[], State]], None] | None = None,
    ) -> None:
        """Trains on a fold's rows and validates after each epoch.

        Args:
            rows: all training rows, on the device.
            fold: which of them train and which validate.
            seed: of the order of the rows.
            callbacks: Keras's.
            observer: is told of every epoch.
            start: what was reached before, to be gone on from.
            reached: is told how to get at what was reached, at the end of every epoch, or of some
                short ones that were trained in one call.

        Raises:
            TrainingError: the loss is not a number any more.
            ValueError: `start` is of another model, or of other callbacks.
        """
        schedule = Schedule(fold, self._training, seed)
        watch = _Watch(observer, schedule)

        def entered() -> None:
            # When the others have begun, which makes them forget what they knew.
            if start:
                state.restore(start, self._model, callbacks)

        def ended(epoch: int, logs: Logs) -> None:
            watch.ended(epoch, logs)
            # Of the epochs of one call only the last has left the model as it is now.
            if reached and watch.all_told:
                reached(lambda: state.capture(self._model, callbacks, epochs=epoch + 1))

        # The first hook notes an epoch before a callback can fail; the last sees the learning rate
        # that a callback has added to it, and what all of them have come to.
        first = keras_fit.Hooks(
            began=watch.began, stepped=watch.stepped, ended=watch.trained, entered=_nothing
        )
        last = keras_fit.Hooks(began=_nothing, stepped=_nothing, ended=ended, entered=entered)
        begin = 0 if start is None else schedule.epochs if start.stopped else start.epochs
        # What was reached is that of the stage in which it was.
        self.enter(start.epochs - 1 if start else 0)
        try:
            self._fit(rows, schedule, [first, *callbacks, last], begin, watch)
        finally:
            watch.flush()

    def _fit(
        self,
        rows: Rows,
        schedule: Schedule,
        callbacks: list[Any],
        begin: int,
        watch: _Watch,
    ) -> None:
        if self._engine == "fit":
            self._fit_streamed(rows, schedule, callbacks, begin)
        else:
            self._fit_compiled(rows, schedule, callbacks, begin, watch)

    def _fit_streamed(
        self, rows: Rows, schedule: Schedule, callbacks: list[Any], begin: int
    ) -> None:
        """Calls `model.fit` once for each stage."""
        model, validation = self._model, schedule.fold.validation
        listeners = keras_fit.Throughout(callbacks, model, schedule)
        # What was reached is put in place here, in the stage in which it was.
        listeners.on_train_begin()
        while True:
            self.enter(begin)
            end = self._stages.end(begin) if self._stages else schedule.epochs
            listeners.last = end >= schedule.epochs
            keras_fit.fit(
                model, rows, self._preparation, schedule, validation, listeners, range(begin, end)
            )
            if listeners.last or model.stop_training:
                break
            begin = end

    def _fit_compiled(
        self,
        rows: Rows,
        schedule: Schedule,
        callbacks: list[Any],
        begin: int,
        watch: _Watch,
    ) -> None:
        """Calls the callbacks as `model.fit` does, per epoch."""
        model = self._model
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
            for number, found in enumerate(
                self._train_some(rows, schedule, epoch, listeners, watch)
            ):
                if number:
                    listeners.on_epoch_begin(epoch)
                watch.stepped(schedule.steps)
                logs = dict(found)
                listeners.on_epoch_end(epoch, logs)
                epoch += 1
        finalize(model)
        listeners.on_train_end(logs)

    def _train_some(
        self, rows: Rows, schedule: Schedule, epoch: int, listeners: Any, watch: _Watch
    ) -> list[Logs]:
        """Trains for some epochs: for one, where callbacks may want to act upon the next."""
        assert self._loop
        # Those of our own tell the observer and change nothing.
        alone = not all(isinstance(each, keras_fit.Hooks) for each in listeners.callbacks)
        end = self._stages.end(epoch) if self._stages else schedule.epochs
        epochs = range(epoch, epoch + 1 if alone else end)
        held_out = schedule.fold.validation
        validation = held_out if len(held_out) and not alone else None
        trained = self._loop.epochs(
            rows, schedule.order, epochs, validation=validation, report=watch.stepped
        )
        if alone:
            trained = [{**trained[0], **self._validated(rows, schedule.fold, listeners)}]
        watch.trained_together(epoch, trained)
        return trained

    def _validated(self, rows: Rows, fold: Fold, listeners: Any) -> dict[str, float]:
        if not len(fold.validation):
            return {}
        listeners.on_test_begin()
        logs = self._evaluator.metrics(rows, fold.validation)
        listeners.on_test_end(logs)
        return {f"val_{name}": value for name, value in logs.items()}


class _Watch:
    """Tells the observer of each epoch, and stops a run whose loss is lost.

    An epoch in whose telling an interrupt came is told again, as is what was trained after it.
    """

    def __init__(self, observer: Observer, schedule: Schedule) -> None:
        self._observer = observer
        self._schedule = schedule
        self.stepped = observer.steps_done
        self._since = 0.0
        self._seconds = 0.0
        self._untold: dict[int, Logs] = {}

    @property
    def all_told(self) -> bool:
        """Whether no epoch waits that has been trained."""
        return not self._untold

    def began(self, epoch: int) -> None:
        self._since = time.perf_counter()
        self._observer.epoch_began(epoch, self._schedule.epochs, self._schedule.steps)

    def trained_together(self, epoch: int, logs: Sequence[Logs]) -> None:
        """Some epochs have been trained in one call, and count as equally long."""
        self._seconds = (time.perf_counter() - self._since) / len(logs)
        self._untold = dict(enumerate(logs, epoch))

    def trained(self, epoch: int, logs: Logs) -> None:
        if epoch not in self._untold:
            self.trained_together(epoch, [logs])

    def ended(self, epoch: int, logs: Logs) -> None:
        # With what callbacks have added to it, should it have to be told again.
        self._untold[epoch] = logs
        self._tell(epoch, logs)
        if not math.isfinite(logs["loss"]):
            # Whatever was trained after it is worth nothing.
            self._untold.clear()
            raise TrainingError(
                f"the loss became {logs['loss']} in epoch {epoch + 1}; a smaller learning rate, "
                "scaled inputs or clipped gradients (clipnorm) usually help"
            )

    def flush(self) -> None:
        """Tells of what was trained, also where a callback failed after it."""
        while self._untold:
            epoch = min(self._untold)
            self._tell(epoch, self._untold[epoch])

    def _tell(self, epoch: int, logs: Logs) -> None:
        logs = {name: logs[name] for name in sorted(logs, key=_as_people_read)}
        self._observer.epoch_ended(epoch, logs, self._seconds)
        # Not before: an interrupt may come at any point, and no epoch may be lost in between.
        self._untold.pop(epoch, None)


def _as_people_read(name: str) -> tuple[bool, bool]:
    """Training before validation, and the loss first; Keras hands them over by the alphabet."""
    return name.startswith("val_"), name.removeprefix("val_") != "loss"


def _nothing(*_: object) -> None:
    """For a hook that nobody waits for."""
