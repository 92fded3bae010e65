"""Metrics and outputs of a model over prepared rows, in one call into TensorFlow each."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nnrun.prepare import Preparation
from nnrun.records import Array
from nnrun.training.rows import Rows, batch, inputs

# Large enough for speed, small enough for the activations of a deep model.
EVALUATION_ROWS = 1024


class Evaluator:
    """Evaluates one model; traced once, however many epochs and folds.

    Args:
        model: compiled by Keras.
        preparation: expands stored rows.
    """

    def __init__(self, model: keras.Model, preparation: Preparation) -> None:
        self._model = model
        self._preparation = preparation
        self._metrics = tf.function(self._all_metrics)
        self._outputs = tf.function(self._batch_outputs)

    def metrics(self, rows: Rows, indices: Array) -> dict[str, float]:
        """Loss and metrics over some rows under Keras's names; the weights stay as they are."""
        return as_logs(self._metrics(rows.x, rows.y, tf.constant(indices, tf.int32)))

    def outputs(self, rows: Rows) -> Array:
        """What the model puts out for every row, float32 of shape `(rows, units)`."""
        starts = range(0, len(rows), EVALUATION_ROWS)
        parts = [self._outputs(rows.x[start : start + EVALUATION_ROWS]) for start in starts]
        return np.concatenate([np.asarray(part, dtype=np.float32) for part in parts])

    def _all_metrics(self, x: Any, y: Any, indices: Any) -> Any:
        self._model.reset_metrics()
        for start in tf.range(0, tf.size(indices), EVALUATION_ROWS):
            part = indices[start : start + EVALUATION_ROWS]
            self._model.test_step(batch(self._preparation, x, y, part))
        return self._model.get_metrics_result()

    def _batch_outputs(self, x: Any) -> Any:
        return tf.cast(self._model(inputs(self._preparation, x), training=False), tf.float32)


def as_logs(result: dict[str, Any]) -> dict[str, float]:
    """Keras's metrics as plain numbers; a metric of many values counts by its mean."""
    return {name: float(np.mean(value)) for name, value in result.items()}


def probabilities(logits: Array) -> Array:
    """Softmax over the classes, or the sigmoid where there is one unit; same shape."""
    scale = keras.ops.sigmoid if logits.shape[-1] == 1 else keras.ops.softmax
    return np.asarray(scale(logits))
