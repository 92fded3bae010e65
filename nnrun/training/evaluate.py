"""Computes metrics and outputs of a model over prepared rows, in one TensorFlow call each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf
from tensorflow.types.experimental import PolymorphicFunction

from nnrun.data.preprocessing import AnyPreparation, Preparation
from nnrun.spec.labels import outputs_logits
from nnrun.spec.training import Training
from nnrun.training.compile import compile_model
from nnrun.training.rows import INDICES, Rows, RowTensors, batch, inputs, resident
from nnrun.training.state import seeds
from nnrun.types import Active, Array, Target

# Large enough for speed, small enough for the activations of a deep model.
EVALUATION_ROWS = 1024
_EVALUATION_BYTES = 40 * 2**20

TensorLogs = Mapping[str, tf.Tensor]


def rows_at_once(size: int) -> int:
    """The number of rows of a size, in numbers, that are evaluated at once."""
    return max(1, min(EVALUATION_ROWS, _EVALUATION_BYTES // (4 * size)))


class Evaluator:
    """Evaluates one compiled model; traced once for all epochs and folds."""

    def __init__(self, model: keras.Model, preparation: AnyPreparation) -> None:
        self.model, self.preparation = model, preparation
        self._traced: dict[str, PolymorphicFunction] = {}
        self._batch_rows = rows_at_once(preparation.size)

    def clear_traces(self) -> None:
        """Removes all traces, because the model was compiled again."""
        self._traced.clear()

    def metrics(self, rows: Rows, indices: Array) -> dict[str, float]:
        """Loss and metrics over some rows under Keras's names; the weights stay as they are."""
        return as_logs(self.traced_metrics(rows)(rows.tensors, tf.constant(indices, tf.int32)))

    def traced_metrics(self, rows: Rows) -> PolymorphicFunction:
        """The function of `rows.tensors` and indices, int32, that computes them as tensors."""
        if "metrics" not in self._traced:
            # Keras builds metrics in their first step, and resets only those that are built.
            self.model.test_step(batch(self.preparation, rows.tensors, tf.constant([0])))
        return self._trace("metrics", self._metrics, rows)

    def outputs(self, rows: Rows, indices: Array) -> Array:
        """The output of the model for some rows, float32 of shape `(indices, units)`."""
        traced = self._trace("outputs", self._batch_outputs, rows)
        starts = range(0, len(indices), self._batch_rows)
        parts = [
            traced(rows.tensors, tf.constant(indices[start : start + self._batch_rows], tf.int32))
            for start in starts
        ]
        return np.concatenate([np.asarray(part, dtype=np.float32) for part in parts])

    def inputs(self, rows: Rows, indices: Array) -> Array:
        """Some rows as the model gets them, float32; of a model with one input."""
        traced = self._trace("inputs", self._batch_inputs, rows)
        parts = [
            traced(rows.tensors, tf.constant(indices[start : start + self._batch_rows], tf.int32))
            for start in range(0, len(indices), self._batch_rows)
        ]
        return np.concatenate([np.asarray(part) for part in parts])

    def _batch_inputs(self, tensors: RowTensors, indices: tf.Tensor) -> tf.Tensor:
        return tf.cast(inputs(self.preparation, tensors, indices), tf.float32)

    def _trace(
        self, name: str, body: Callable[[RowTensors, tf.Tensor], object], rows: Rows
    ) -> PolymorphicFunction:
        if name not in self._traced:
            signature = (rows.signature, INDICES)
            self._traced[name] = tf.function(body, input_signature=signature, autograph=False)
        return self._traced[name]

    def _metrics(self, tensors: RowTensors, indices: tf.Tensor) -> TensorLogs:
        self.model.reset_metrics()
        count, start = self._batch_rows, (tf.constant(0),)

        def test(part: tf.Tensor) -> None:
            self.model.test_step(batch(self.preparation, tensors, part))

        def full(start: tf.Tensor) -> tuple[tf.Tensor]:
            test(tf.slice(indices, [start], [count]))
            return (start + count,)

        def any_length(start: tf.Tensor) -> tuple[tf.Tensor]:
            test(indices[start : start + count])
            return (start + count,)

        if isinstance(tensors[0], tf.RaggedTensor):
            # Keras needs a static number of rows; otherwise the rows would be expanded to count.
            start = tf.while_loop(lambda start: start + count <= tf.size(indices), full, start)
        tf.while_loop(lambda start: start < tf.size(indices), any_length, start)
        logs: TensorLogs = self.model.get_metrics_result()
        return logs

    def _batch_outputs(self, tensors: RowTensors, indices: tf.Tensor) -> tf.Tensor:
        x = inputs(self.preparation, tensors, indices)
        return tf.cast(self.model(x, training=False), tf.float32)


def as_logs(result: Mapping[str, Array | float | tf.Tensor]) -> dict[str, float]:
    """Keras's metrics as plain numbers; a metric with several values becomes their mean."""
    return {name: float(np.mean(value)) for name, value in result.items()}


def probabilities(logits: Array, target: Target | None = None) -> Array:
    """Softmax over the classes, or the sigmoid of one unit or of each label; same shape."""
    scale = keras.ops.sigmoid if _is_alone(logits, target) else keras.ops.softmax
    return np.asarray(scale(logits))


def _is_alone(output: Array, target: Target | None) -> bool:
    """Whether each unit has a probability of its own."""
    return output.shape[-1] == 1 or (target is not None and target.kind == "labels")


def activate(model: keras.Model, kind: Active, seed: Sequence[int]) -> bool:
    """Lets random layers do in predictions what they do in training; all others stay as they are.

    Args:
        model: its outputs are not traced yet.
        kind: augmentation such as `RandomFlip`, or dropout, also that of recurrent layers.
        seed: from which all layers draw.

    Returns:
        Whether the model has such layers.
    """
    layers = [layer for layer in model._flatten_layers() if _is_random(layer, kind)]
    for layer in layers:
        layer.call = _as_in_training(layer.call)
    rng = np.random.default_rng(seed)
    for variable in seeds(model):
        variable.assign(rng.integers(0, 2**31, variable.shape))
    return bool(layers)


def _is_random(layer: keras.layers.Layer, kind: Active) -> bool:
    name = type(layer).__name__
    if kind == "augment":
        # MixUp and CutMix would mix the rows.
        return name.startswith("Random") or name in ("AugMix", "RandAugment")
    rates = ["rate"] if "Dropout" in name else ["dropout", "recurrent_dropout"]
    values = [getattr(layer, rate, 0) for rate in rates]
    return any(isinstance(value, int | float) and value > 0 for value in values)


def _as_in_training(call: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    def active(*arguments: object, **options: object) -> tf.Tensor:
        return call(*arguments, **{**options, "training": True})

    return active


def metrics_of_outputs(
    output: Array, y: Array, training: Training, target: Target | None = None
) -> dict[str, float]:
    """Loss and metrics of outputs that come from several models, under Keras's names.

    Args:
        output: averaged probabilities or values, of shape `(rows, units)`.
        y: labels as the loss needs them.
        training: names the loss and the metrics.
        target: the meaning of a label, as of `compile_model`.
    """
    if outputs_logits(training):
        output = logits(output, target)
    same = keras.layers.Activation("linear", dtype="float32")
    model = keras.Sequential([keras.Input(output.shape[1:]), same])
    compile_model(model, training, target)
    preparation = Preparation((), output.shape[1:], "float32", stored_expanded=True)
    return Evaluator(model, preparation).metrics(resident(output, y), np.arange(len(y)))


def logits(shares: Array, target: Target | None = None) -> Array:
    """Outputs of which `probabilities` makes these probabilities; same shape."""
    is_alone = _is_alone(shares, target)
    smallest = np.finfo(np.float32).eps if is_alone else np.finfo(np.float32).tiny
    shares = shares.clip(smallest, 1 - np.finfo(np.float32).epsneg)
    rest = 1 - shares if is_alone else 1
    return np.log(shares / rest).astype(np.float32)
