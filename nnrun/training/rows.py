"""Prepared rows on the device, and batches of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from nnrun.prepare import Preparation
from nnrun.records import Array, Sequences, Streamed
from nnrun.training import sparse


@dataclass(frozen=True)
class Rows:
    """Inputs and labels on the device, stored compactly.

    Args:
        x: stored rows, shape `(rows, ...)`; or the words of each, a ragged tensor; or the number
            of some that are read when needed.
        y: encoded labels, shape `(rows,)` or `(rows, columns)`.
        state: what the prepare steps learnt, as far as expanding a batch needs it. It lies beside
            the rows and not in a traced function, which folds share though each learns its own.
        weights: how much each row counts in the training loss, float32 of shape `(rows,)`; empty
            where all count the same.
    """

    x: Any
    y: Any
    state: Any = ()
    weights: Any = ()

    def __len__(self) -> int:
        return int(self.y.shape[0])

    @property
    def tensors(self) -> tuple[Any, Any, Any]:
        """What a traced function is given."""
        return self.x, self.y, self.state

    @property
    def signature(self) -> Any:
        """The same for any number of rows, so that one trace takes training and test rows."""
        x, y = map(_of_any_length, (self.x, self.y))
        return x, y, tf.nest.map_structure(tf.TensorSpec.from_tensor, self.state)

    @property
    def weights_signature(self) -> Any:
        """As `signature`, of the weights."""
        return tf.nest.map_structure(_of_any_length, self.weights)


def _of_any_length(rows: Any) -> Any:
    if isinstance(rows, tf.RaggedTensor):
        return tf.RaggedTensorSpec((None, None), rows.dtype)
    if not rows.shape.rank:
        return tf.TensorSpec((), rows.dtype)
    return tf.TensorSpec((None, *rows.shape[1:]), rows.dtype)


INDICES = tf.TensorSpec((None,), tf.int32)


def resident(
    x: Array | Sequences | Streamed,
    y: Array,
    state: Sequence[Mapping[str, Array]] = (),
    *,
    weights: Array | None = None,
) -> Rows:
    """Rows copied to the device once, so that no step waits for the host; arguments as of `Rows`.

    Rows that would fill the memory stay where they are, and every step reads its own.
    """
    on_device = tf.nest.map_structure(lambda each: tf.constant(each, tf.float32), tuple(state))
    weighed = () if weights is None else tf.constant(weights)
    return Rows(_stored(x), tf.constant(y), on_device, weighed)


def _stored(x: Array | Sequences | Streamed) -> Any:
    match x:
        case Streamed():
            return _number(x)
        case Sequences():
            return sparse.stored(x)
    return tf.constant(x)


# Rows that are read as they are needed. A traced function is given their number here, because it
# serves many of them, as folds and test rows are.
_STREAMED: list[Streamed] = []


def _number(rows: Streamed) -> Any:
    _STREAMED.append(rows)
    return tf.constant(len(_STREAMED) - 1)


def _read(number: Array, indices: Array) -> Array:
    return _STREAMED[int(number)][indices]


def _taken(x: Any, indices: Any) -> Any:
    """Some stored rows."""
    if x.shape.rank:
        return tf.gather(x, indices)
    return tf.numpy_function(_read, [x, indices], tf.uint8)


def batch(preparation: Preparation, tensors: Any, indices: Any) -> tuple[Any, Any]:
    """Some rows as the model and the loss take them.

    Args:
        tensors: of `Rows`.
        indices: which rows, int32 of shape `(batch,)`.
    """
    labels = tf.gather(tensors[1], indices)
    # One-hot labels are kept as bytes.
    labels = tf.cast(labels, tf.float32) if labels.dtype == tf.uint8 else labels
    return inputs(preparation, tensors, indices), labels


def weighed_batch(
    preparation: Preparation, tensors: Any, weights: Any, indices: Any
) -> tuple[Any, ...]:
    """A batch to train on: as `batch`, and how much each row counts where they differ."""
    x, y = batch(preparation, tensors, indices)
    return (x, y) if isinstance(weights, tuple) else (x, y, tf.gather(weights, indices))


def inputs(preparation: Preparation, tensors: Any, indices: Any) -> Any:
    """Some rows as the model takes them, of shape `(batch, *preparation.shape)`."""
    x, _, state = tensors
    if isinstance(x, tf.RaggedTensor):
        return sparse.expanded(x, indices, *preparation.shape)
    expanded = preparation.expand(_taken(x, indices), keras.ops, state)
    # What each row looks like is known, but reshapes of a batch of unknown length hide it.
    return tf.ensure_shape(expanded, (indices.shape[0], *preparation.shape))
