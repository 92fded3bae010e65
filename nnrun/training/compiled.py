"""The training loop as one compiled function over many steps, and over many short epochs.

`model.fit` spends milliseconds of Python on each step. Here the rows stay on the device and a
loop inside TensorFlow calls Keras's own public `train_step` for each batch, so every layer, loss,
metric and regularizer is Keras's, and only the walk over the batches is ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nnrun.data.preprocessing import Preparation
from nnrun.training.evaluate import Evaluator, as_logs
from nnrun.training.rows import INDICES, Rows, weighed_batch
from nnrun.types import Array, Logs

# Random numbers that XLA draws as quickly as TensorFlow does.

# What Keras draws with, and the argument that names the algorithm.
_DRAWN_WITH: tuple[tuple[Any, str, str], ...] = (
    (tf.nn.experimental, "stateless_dropout", "rng_alg"),
    (tf.random, "stateless_normal", "alg"),
    (tf.random, "stateless_truncated_normal", "alg"),
    (tf.random, "stateless_uniform", "alg"),
)


@contextmanager
def name_algorithm() -> Iterator[None]:
    """While a function is traced within it, every draw names the algorithm.

    Keras leaves the choice to TensorFlow, which takes Philox on a CPU. Under XLA it then chooses
    while the step runs, and pays for it with seven times as long for the same numbers.
    """
    known = [getattr(owner, name) for owner, name, _ in _DRAWN_WITH]
    try:
        for (owner, name, argument), draw in zip(_DRAWN_WITH, known, strict=True):
            setattr(owner, name, partial(draw, **{argument: "philox"}))
        yield
    finally:
        for (owner, name, _), draw in zip(_DRAWN_WITH, known, strict=True):
            setattr(owner, name, draw)


# One call into TensorFlow lasts about this long, so that progress moves and Ctrl-C is heard.
CALL_SECONDS = 0.2
# Held back until the call is over, and lost in it when the machine fails.
MOST_EPOCHS = 100

_NOTHING = np.empty(0, np.int32)


class CompiledLoop:
    """Trains one model; traced once, however many epochs and folds.

    Args:
        model: compiled by Keras.
        preparation: expands stored rows.
        evaluator: of the same model, for what is validated between two epochs of one call.
        batch_size: rows per step.
        xla: compile the steps with XLA, or leave them a TensorFlow graph.
    """

    def __init__(
        self,
        model: keras.Model,
        preparation: Preparation,
        *,
        evaluator: Evaluator,
        batch_size: int,
        xla: bool,
    ) -> None:
        self._model = model
        self._preparation = preparation
        self._evaluator = evaluator
        self._batch_size = batch_size
        self._seconds_per_step: float | None = None
        # As `model.fit` traces a step: without AutoGraph, which would read every line of Keras.
        self._steps = tf.function(self._train_steps, jit_compile=xla, autograph=False)
        self._traced: Any = None
        self._validated: Any = None
        self._able: frozenset[str] = frozenset()
        self._names: list[tuple[str, int]] = []

    def trace(self, rows: Rows, count: int, *, validates: bool) -> Any:
        """The traced function; traced anew only for what it was not able to do before.

        Args:
            rows: on the device.
            count: of the rows of one epoch.
            validates: whether rows held out follow each epoch.
        """
        needs = {"rest"} if count % self._batch_size else set()
        needs |= {"validation"} if validates else set()
        if self._traced is None or not self._able.issuperset(needs):
            self._able |= needs
            # Keras makes metrics in the first step, which is too late for a loop to begin with them.
            self._evaluator.metrics(rows, np.zeros(1, np.int32))
            self._validated = self._evaluator.traced_metrics(rows)
            tensors, weights = tf.nest.map_structure(
                tf.type_spec_from_value, (rows.tensors, rows.weights)
            )
            self._traced = tf.function(self._epochs_body, autograph=False).get_concrete_function(
                *(tensors, weights, tf.TensorSpec((None, len(rows)), tf.int32)),
                *(tf.TensorSpec((3,), tf.int32), INDICES),
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
        """Trains for some epochs: for all, or the first few, as many as one call takes.

        Args:
            rows: on the device.
            order: the row numbers of an epoch, int32, for each equally many; the last batch may be
                smaller.
            epochs: at least one.
            validation: rows to validate on after each epoch; None for no validation.
            report: is told the steps done so far, a few times a second, until the last.

        Returns:
            Keras's logs of each epoch: the mean loss and the metrics over it, and after `val_`
            those over the rows held out.
        """
        first = order(epochs[0])
        steps = len(first) // self._batch_size
        known = self._seconds_per_step
        many = 1 if known is None else int(CALL_SECONDS / (known * max(1, steps)))
        if many > 1:
            orders = [first, *map(order, epochs[1 : min(many, MOST_EPOCHS)])]
            return self._call(rows, orders, (0, steps), validation)
        done = 0
        while True:
            stop = min(steps, done + self._steps_per_call())
            found = self._call(rows, [first], (done, stop), validation)
            if stop == steps:
                return found
            report(stop)
            done = stop

    def _steps_per_call(self) -> int:
        known = self._seconds_per_step
        # The first call compiles, which says nothing about a step.
        return 1 if known is None else max(1, int(CALL_SECONDS / known))

    def _call(
        self, rows: Rows, orders: Sequence[Array], span: tuple[int, int], validation: Array | None
    ) -> list[Logs]:
        """Some steps of one epoch, or some epochs. Where a call ends changes no number."""
        # Of one length whatever the fold: XLA compiles anew for each shape that it meets.
        padded = np.stack([np.pad(order, (0, len(rows) - len(order))) for order in orders])
        traced = self.trace(rows, len(orders[0]), validates=validation is not None)
        held_out = _NOTHING if validation is None else validation
        began = time.perf_counter()
        found = traced(
            *(rows.tensors, rows.weights, tf.constant(padded)),
            tf.constant([*span, len(orders[0])], tf.int32),
            tf.constant(held_out, tf.int32),
        ).numpy()
        took = (time.perf_counter() - began) / max(1, len(orders) * (span[1] - span[0]))
        self._seconds_per_step = 0.01 if self._seconds_per_step is None else max(took, 1e-7)
        return [self._logs(values, validated=validation is not None) for values in found]

    def _epochs_body(
        self, tensors: Any, weights: Any, orders: Any, span: Any, validation: Any
    ) -> Any:
        start, stop, count = tf.unstack(span)
        full, rest = count // self._batch_size, count % self._batch_size

        def reset() -> Any:
            self._model.reset_metrics()
            return tf.constant(0)

        def train_rest(order: Any) -> Any:
            """The last rows, fewer than a batch. Not under XLA: how many differs between folds."""
            self._train_batch(tensors, weights, order[full * self._batch_size : count])
            return tf.constant(0)

        def validate() -> Any:
            return self._as_vector(self._validated(tensors, validation))

        def one(epoch: Any, found: Any) -> tuple[Any, Any]:
            order = orders[epoch]
            tf.cond(start == 0, reset, _nothing)
            self._steps(tensors, weights, order, start, stop)
            over = stop == full
            if "rest" in self._able:
                tf.cond(tf.logical_and(over, rest > 0), lambda: train_rest(order), _nothing)
            values = self._as_vector(self._model.get_metrics_result())
            if "validation" in self._able:
                held_out = tf.cond(over, validate, lambda: tf.zeros_like(values))
                values = tf.concat([values, held_out], axis=0)
            return epoch + 1, found.write(epoch, values)

        many = tf.shape(orders)[0]
        found = tf.TensorArray(tf.float32, size=many, infer_shape=False)
        return tf.while_loop(lambda epoch, _: epoch < many, one, (tf.constant(0), found))[1].stack()

    @name_algorithm()
    def _train_steps(self, tensors: Any, weights: Any, order: Any, start: Any, stop: Any) -> None:
        def one(step: Any) -> tuple[Any]:
            indices = tf.slice(order, [step * self._batch_size], [self._batch_size])
            self._train_batch(tensors, weights, indices)
            return (step + 1,)

        tf.while_loop(lambda step: step < stop, one, (start,))

    def _train_batch(self, tensors: Any, weights: Any, indices: Any) -> None:
        self._model.train_step(weighed_batch(self._preparation, tensors, weights, indices))

    def _as_vector(self, logs: dict[str, Any]) -> Any:
        """The values of all metrics in a row, because a loop can only hand over one thing."""
        flat = {name: tf.reshape(tf.cast(value, tf.float32), [-1]) for name, value in logs.items()}
        self._names = [(name, value.shape[0]) for name, value in flat.items()]
        return tf.concat(list(flat.values()), axis=0)

    def _logs(self, values: Array, *, validated: bool) -> Logs:
        ends = np.cumsum([many for _, many in self._names])
        logs = self._named("", values[: ends[-1]], ends)
        return logs | self._named("val_", values[ends[-1] :], ends) if validated else logs

    def _named(self, prefix: str, values: Array, ends: Array) -> dict[str, float]:
        names = [f"{prefix}{name}" for name, _ in self._names]
        if len(values) == len(names):
            return dict(zip(names, values.tolist(), strict=True))
        return as_logs(dict(zip(names, np.split(values, ends[:-1]), strict=True)))


def _nothing() -> Any:
    return tf.constant(0)
