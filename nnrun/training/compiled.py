"""The training loop as one compiled function over many steps.

`model.fit` spends milliseconds of Python on each step. Here the rows stay on the device and a
loop inside TensorFlow calls Keras's own public `train_step` for each batch, so every layer, loss,
metric and regularizer is Keras's, and only the walk over the batches is ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nnrun.prepare import Preparation
from nnrun.records import Array
from nnrun.training.evaluate import as_logs
from nnrun.training.rows import INDICES, Rows, weighed_batch

# One call into TensorFlow lasts about this long, so that progress moves and Ctrl-C is heard.
CALL_SECONDS = 0.2


class CompiledLoop:
    """Trains one model; traced once, however many epochs and folds.

    Args:
        model: compiled by Keras.
        preparation: expands stored rows.
        batch_size: rows per step.
        xla: compile the loop with XLA, or leave it a TensorFlow graph.
    """

    def __init__(
        self, model: keras.Model, preparation: Preparation, *, batch_size: int, xla: bool
    ) -> None:
        self._model = model
        self._preparation = preparation
        self._batch_size = batch_size
        self._seconds_per_step: float | None = None
        self._steps = tf.function(self._train_steps, jit_compile=xla)
        self._rest: Any = None
        # Lambdas: TensorFlow would otherwise write its trace into Keras's bound methods.
        self._fast_reset = tf.function(lambda: model.reset_metrics())
        self._reset: Callable[[], None] = model.reset_metrics
        self._result = tf.function(lambda: model.get_metrics_result())

    def epoch(self, rows: Rows, order: Array, *, report: Callable[[int], None]) -> dict[str, float]:
        """One pass over the rows.

        Args:
            rows: on the device.
            order: row numbers, int32; the last batch may be smaller.
            report: is told the steps done so far, a few times a second.

        Returns:
            Keras's logs: the mean loss and the metrics over the epoch.
        """
        full, rest = divmod(len(order), self._batch_size)
        # Of one length whatever the fold: XLA compiles anew for each shape that it meets.
        ordered = tf.constant(np.pad(order, (0, len(rows) - len(order))))
        self._reset()
        # Keras makes the metrics in the first step; a trace from before it would miss them.
        self._reset = self._fast_reset
        step = 0
        while step < full:
            step = self._timed_call(rows, ordered, step, full)
            report(step)
        if rest:
            self._train_rest(rows, order[-rest:])
            report(full + 1)
        return as_logs(self._result())

    def _timed_call(self, rows: Rows, order: Any, step: int, full: int) -> int:
        """Runs as many steps as fit one call. Where a call ends changes no number."""
        known = self._seconds_per_step
        stop = min(full, step + (1 if known is None else max(1, int(CALL_SECONDS / known))))
        began = time.perf_counter()
        self._steps(rows.tensors, rows.weights, order, tf.constant(step), tf.constant(stop))
        took = (time.perf_counter() - began) / (stop - step)
        # The first call compiles, which says nothing about a step.
        self._seconds_per_step = 0.01 if known is None else max(took, 1e-7)
        return stop

    def _train_rest(self, rows: Rows, indices: Array) -> None:
        """The last rows, fewer than a batch. Not under XLA: how few differs from fold to fold."""
        if self._rest is None:
            signature = (rows.signature, rows.weights_signature, INDICES)
            self._rest = tf.function(self._train_batch, input_signature=signature)
        self._rest(rows.tensors, rows.weights, tf.constant(indices))

    def _train_steps(self, tensors: Any, weights: Any, order: Any, start: Any, stop: Any) -> None:
        # Not `for … in tf.range`: under XLA that makes its bounds part of the compiled program,
        # which is then compiled anew for each pair of bounds.
        step = start
        while step < stop:
            indices = tf.slice(order, [step * self._batch_size], [self._batch_size])
            self._train_batch(tensors, weights, indices)
            step += 1

    def _train_batch(self, tensors: Any, weights: Any, indices: Any) -> None:
        self._model.train_step(weighed_batch(self._preparation, tensors, weights, indices))
