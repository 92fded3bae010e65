"""Trains many steps, or many short epochs, in one compiled function.

`model.fit` spends milliseconds of Python on each step. Here the rows stay on the device, and a
loop inside TensorFlow calls Keras's public `train_step` for each batch. Layers, losses, metrics and
regularizers are Keras's; only the loop over the batches is not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import ModuleType

import numpy as np
import tensorflow as tf
from tensorflow.types.experimental import ConcreteFunction, PolymorphicFunction

from nnrun.training.evaluate import Evaluator, as_logs
from nnrun.training.rows import INDICES, Rows, WeightedRows, weighted_batch
from nnrun.types import Array, Logs

# The functions from which Keras draws random numbers, with the argument that names the algorithm.
_RANDOM_FUNCTIONS: tuple[tuple[ModuleType, str, str], ...] = (
    (tf.nn.experimental, "stateless_dropout", "rng_alg"),
    (tf.random, "stateless_normal", "alg"),
    (tf.random, "stateless_truncated_normal", "alg"),
    (tf.random, "stateless_uniform", "alg"),
)


@contextmanager
def use_philox() -> Iterator[None]:
    """While entered, traced random functions name the Philox algorithm.

    By default TensorFlow chooses it too on a CPU, but under XLA it chooses at run time, which makes
    the same numbers seven times slower.
    """
    functions = [getattr(owner, name) for owner, name, _ in _RANDOM_FUNCTIONS]
    try:
        for (owner, name, argument), draw in zip(_RANDOM_FUNCTIONS, functions, strict=True):
            setattr(owner, name, partial(draw, **{argument: "philox"}))
        yield
    finally:
        for (owner, name, _), draw in zip(_RANDOM_FUNCTIONS, functions, strict=True):
            setattr(owner, name, draw)


# Duration of one call into TensorFlow, so that progress is shown and Ctrl-C is handled.
CALL_SECONDS = 0.2
# Epochs of one call are reported after it, and are lost if the machine fails in it.
MOST_EPOCHS = 100


class CompiledLoop:
    """Trains one model; traced once for all epochs and folds.

    Args:
        evaluator: of the model, for validation between two epochs of one call.
        xla: compile the steps with XLA; else they stay a TensorFlow graph.
    """

    def __init__(self, evaluator: Evaluator, *, batch_size: int, xla: bool) -> None:
        self._model, self._evaluator = evaluator.model, evaluator
        self._batch_size = batch_size
        self._seconds_per_step: float | None = None
        # Without AutoGraph, as in `model.fit`: it would parse every line of Keras.
        self._steps = tf.function(self._train_steps, jit_compile=xla, autograph=False)
        self._traced: ConcreteFunction = None
        self._validate: PolymorphicFunction = None
        self._features: frozenset[str] = frozenset()
        # Names of Keras's metrics with the number of their values.
        self._metrics: list[tuple[str, int]] = []

    def trace(self, rows: Rows, count: int, *, validates: bool) -> ConcreteFunction:
        """The traced function for epochs of `count` rows; traced again only for new features."""
        needs = {"rest"} if count % self._batch_size else set()
        needs |= {"validation"} if validates else set()
        if self._traced is None or not self._features.issuperset(needs):
            self._features |= needs
            # Keras makes metrics in the first step, but a loop needs them before.
            self._evaluator.metrics(rows, np.zeros(1, np.int32))
            self._validate = self._evaluator.traced_metrics(rows)
            self._traced = tf.function(self._train_epochs, autograph=False).get_concrete_function(
                tf.nest.map_structure(tf.type_spec_from_value, (rows.tensors, rows.weights)),
                *(
                    tf.TensorSpec((None, self._width(rows)), tf.int32),
                    tf.TensorSpec((3,), tf.int32),
                ),
                INDICES,
            )
        return self._traced

    def train_epochs(
        self,
        rows: Rows,
        order: Callable[[int], Array],
        epochs: range,
        *,
        validation: Array | None = None,
        report: Callable[[int], None],
    ) -> list[Logs]:
        """Trains for as many of the epochs as one call takes.

        Args:
            order: the row numbers of an epoch, int32, of equal length for all epochs.
            validation: rows to validate on after each epoch; None for no validation.
            report: called with the number of steps done, a few times per second.

        Returns:
            Keras's logs of each epoch: mean loss and metrics, and `val_` for the validation.
        """
        first = order(epochs[0])
        steps = len(first) // self._batch_size
        seconds = self._seconds_per_step
        count = 1 if seconds is None else int(CALL_SECONDS / (seconds * max(1, steps)))
        if count > 1:
            orders = [first, *map(order, epochs[1 : min(count, MOST_EPOCHS)])]
            return self._call(rows, orders, (0, steps), validation)
        done = 0
        while True:
            seconds = self._seconds_per_step
            # The first call compiles, so its time is not that of a step.
            count = 1 if seconds is None else max(1, int(CALL_SECONDS / seconds))
            stop = min(steps, done + count)
            logs = self._call(rows, [first], (done, stop), validation)
            if stop == steps:
                return logs
            report(stop)
            done = stop

    def _call(
        self, rows: Rows, orders: Sequence[Array], span: tuple[int, int], validation: Array | None
    ) -> list[Logs]:
        """Trains some steps of one epoch, or some epochs; the division into calls changes no result."""
        # The same length for all folds: XLA compiles again for each new shape.
        padded = np.stack([np.pad(order, (0, self._width(rows) - len(order))) for order in orders])
        traced = self.trace(rows, len(orders[0]), validates=validation is not None)
        held_out = np.empty(0, np.int32) if validation is None else validation
        began = time.perf_counter()
        results = traced(
            *((rows.tensors, rows.weights), tf.constant(padded)),
            tf.constant([*span, len(orders[0])], tf.int32),
            tf.constant(held_out, tf.int32),
        ).numpy()
        took = (time.perf_counter() - began) / max(1, len(orders) * (span[1] - span[0]))
        self._seconds_per_step = 0.01 if self._seconds_per_step is None else max(took, 1e-7)
        return [self._logs(values, validated=validation is not None) for values in results]

    def _width(self, rows: Rows) -> int:
        """The length of padded row numbers: XLA needs room for one batch even if none is full."""
        return max(len(rows), self._batch_size)

    def _train_epochs(
        self, rows: WeightedRows, orders: tf.Tensor, span: tf.Tensor, validation: tf.Tensor
    ) -> tf.Tensor:
        start, stop, count = tf.unstack(span)
        full, rest = count // self._batch_size, count % self._batch_size

        def nothing() -> tf.Tensor:
            return tf.constant(0)

        def reset() -> tf.Tensor:
            self._model.reset_metrics()
            return tf.constant(0)

        def train_rest(order: tf.Tensor) -> tf.Tensor:
            """The last rows, fewer than a batch. Without XLA: their number differs between folds."""
            self._train_batch(rows, order[full * self._batch_size : count])
            return tf.constant(0)

        def validate() -> tf.Tensor:
            return self._as_vector(self._validate(rows[0], validation))

        def train_epoch(epoch: tf.Tensor, results: tf.TensorArray) -> tuple[tf.Tensor, ...]:
            order = orders[epoch]
            tf.cond(start == 0, reset, nothing)
            self._steps(rows, order, start, stop)
            is_complete = stop == full
            if "rest" in self._features:
                tf.cond(tf.logical_and(is_complete, rest > 0), lambda: train_rest(order), nothing)
            values = self._as_vector(self._model.get_metrics_result())
            if "validation" in self._features:
                held_out = tf.cond(is_complete, validate, lambda: tf.zeros_like(values))
                values = tf.concat([values, held_out], axis=0)
            return epoch + 1, results.write(epoch, values)

        epochs = tf.shape(orders)[0]
        results = tf.TensorArray(tf.float32, size=epochs, infer_shape=False)
        initial = (tf.constant(0), results)
        _, results = tf.while_loop(lambda epoch, _: epoch < epochs, train_epoch, initial)
        return results.stack()

    @use_philox()
    def _train_steps(
        self, rows: WeightedRows, order: tf.Tensor, start: tf.Tensor, stop: tf.Tensor
    ) -> None:
        def train_step(step: tf.Tensor) -> tuple[tf.Tensor]:
            indices = tf.slice(order, [step * self._batch_size], [self._batch_size])
            self._train_batch(rows, indices)
            return (step + 1,)

        tf.while_loop(lambda step: step < stop, train_step, (start,))

    def _train_batch(self, rows: WeightedRows, indices: tf.Tensor) -> None:
        self._model.train_step(weighted_batch(self._evaluator.preparation, rows, indices))

    def _as_vector(self, logs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The values of all metrics in one vector, as a loop can return only one tensor."""
        flat = {name: tf.reshape(tf.cast(value, tf.float32), [-1]) for name, value in logs.items()}
        self._metrics = [(name, value.shape[0]) for name, value in flat.items()]
        return tf.concat(list(flat.values()), axis=0)

    def _logs(self, values: Array, *, validated: bool) -> Logs:
        prefixes = ("", "val_") if validated else ("",)
        names = [f"{prefix}{name}" for prefix in prefixes for name, _ in self._metrics]
        ends = np.cumsum([size for _ in prefixes for _, size in self._metrics])
        if ends[-1] == len(names):
            # Each metric has one value.
            return dict(zip(names, values[: ends[-1]].tolist(), strict=True))
        parts = np.split(values[: ends[-1]], ends[:-1])
        return as_logs(dict(zip(names, parts, strict=True)))
