"""Prepared rows on the device, and batches of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nnrun.data.preprocessing import Preparation
from nnrun.spec.training import Training
from nnrun.types import Array, Fold, Sequences, Streamed


@dataclass(frozen=True)
class Schedule:
    """The batches of every epoch: a function of seed, fold and epoch alone.

    So a resumed run needs no random state, and every engine uses the same batches.

    Args:
        fold: its training rows.
        training: epochs, batch size, shuffling.
        seed: the experiment's.
    """

    fold: Fold
    training: Training
    seed: int

    @property
    def epochs(self) -> int:
        """Passes over the rows."""
        return self.training.epochs

    @property
    def batch_size(self) -> int:
        """Rows per step, at most all of them."""
        return min(self.training.batch_size, len(self.fold.train))

    @property
    def steps(self) -> int:
        """Steps per epoch; the last may have fewer rows."""
        return -(-len(self.fold.train) // self.batch_size)

    def order(self, epoch: int) -> Array:
        """The training rows in the order of one epoch, counted from 0; int32."""
        rows = self.fold.train.astype(np.int32)
        if not self.training.shuffle:
            return rows
        return np.random.default_rng([self.seed, self.fold.number, epoch]).permutation(rows)


# Multi-hot vectors have some hundred ones in ten thousand columns. A sparse product and its gradient
# take a third of the time of dense ones, with 16 units or 64. TensorFlow's sparse product takes three
# times as long per column with 64 columns as with 16; several narrow ones also share the cores.
COLUMNS = 16

_ROWS = "_sparse_rows"


def sparse_layers(model: keras.Model) -> list[keras.layers.Dense]:
    """The dense layers that take the model's input unchanged."""
    return [
        layer
        for layer in model.layers
        if type(layer) is keras.layers.Dense
        and layer.input is model.inputs[0]
        and layer.dtype_policy.name == "float32"
    ]


def enable_sparse(layer: Any) -> None:
    """Lets a dense layer use the sparse form of inputs from `to_dense`, if they have one."""

    def call(inputs: Any, training: bool | None = None) -> Any:
        rows = getattr(inputs, _ROWS, None)
        if rows is None:
            return keras.layers.Dense.call(layer, inputs, training=training)
        outputs = sparse_product(rows, layer.kernel)
        outputs = outputs if layer.bias is None else keras.ops.add(outputs, layer.bias)
        return outputs if layer.activation is None else layer.activation(outputs)

    layer.call = call


def sparse_product(rows: Any, kernel: Any) -> Any:
    """Sparse rows from `to_dense` times a dense matrix, of shape `(rows, units)`."""
    units = kernel.shape[1]
    widths = [min(COLUMNS, units - start) for start in range(0, units, COLUMNS)]
    parts = tf.split(tf.convert_to_tensor(kernel), widths, axis=1)
    products = [tf.raw_ops.SparseTensorDenseMatMul(**rows, b=part) for part in parts]
    return products[0] if len(products) == 1 else tf.concat(products, axis=1)


def stored(words: Sequences) -> Any:
    """Multi-hot vectors on the device: a ragged tensor of the word numbers, times 2**32."""
    return tf.RaggedTensor.from_row_splits(
        words.values.astype(np.int64) << 32, words.offsets, validate=False
    )


def to_dense(vectors: Any, indices: Any, dimension: int) -> Any:
    """Some multi-hot vectors as model inputs, float32 of shape `(indices, dimension)`.

    A graph with a static number of rows never computes the dense form if only layers from
    `enable_sparse` take it.

    Args:
        vectors: from `stored`.
        indices: of the rows, int32 of shape `(indices,)`.
        dimension: number of words.
    """
    rows = tf.gather(vectors, indices)
    owners = tf.raw_ops.RaggedTensorToSparse(
        rt_nested_splits=[rows.row_splits], rt_dense_values=rows.values
    ).sparse_indices[:, 0]
    # Two halves of 64 bits: the row, and the word in the upper half.
    places = tf.bitcast(rows.values + owners, tf.int32)
    ones = tf.ones(tf.shape(rows.values))
    count = indices.shape[0] or tf.shape(indices)[0]
    shape = tf.stack([count, dimension])
    dense = tf.raw_ops.SparseToDense(
        sparse_indices=places,
        output_shape=shape,
        sparse_values=ones,
        default_value=0.0,
        # The words of a row are not sorted.
        validate_indices=False,
    )
    dense = tf.ensure_shape(dense, (indices.shape[0], dimension))
    sparse = {"a_indices": places, "a_values": ones, "a_shape": tf.cast(shape, tf.int64)}
    setattr(dense, _ROWS, sparse)
    return dense


@dataclass(frozen=True)
class Rows:
    """Inputs and labels on the device, stored compactly.

    Args:
        x: stored rows, shape `(rows, ...)`; or the words of each row, a ragged tensor; or the
            number of a `Streamed`.
        y: encoded labels, shape `(rows,)` or `(rows, columns)`.
        state: fitted values of prepare steps that expanding a batch needs. They are arguments of
            the traced function, because folds share it and each has its own values.
        weights: of each row in the training loss, float32 of shape `(rows,)`; empty if all are
            equal.
    """

    x: Any
    y: Any
    state: Any = ()
    weights: Any = ()

    def __len__(self) -> int:
        return int(self.y.shape[0])

    @property
    def tensors(self) -> tuple[Any, Any, Any]:
        """Arguments of a traced function."""
        return self.x, self.y, self.state

    @property
    def signature(self) -> Any:
        """For any number of rows, so that one trace takes training and test rows."""
        x, y = map(_of_any_length, (self.x, self.y))
        return x, y, tf.nest.map_structure(tf.TensorSpec.from_tensor, self.state)

    @property
    def weights_signature(self) -> Any:
        """As `signature`, for the weights."""
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
    """Copies rows to the device, so that no step waits for the host; arguments as for `Rows`.

    Rows that do not fit into memory are read in every step instead.
    """
    on_device = tf.nest.map_structure(lambda value: tf.constant(value, tf.float32), tuple(state))
    row_weights = () if weights is None else tf.constant(weights)
    return Rows(_stored(x), tf.constant(y), on_device, row_weights)


def _stored(x: Array | Sequences | Streamed) -> Any:
    match x:
        case Streamed():
            return _number(x)
        case Sequences():
            return stored(x)
    return tf.constant(x)


# A traced function gets a number in this list, because folds and test rows share the trace.
_STREAMED: list[Streamed] = []


def _number(rows: Streamed) -> Any:
    _STREAMED.append(rows)
    return tf.constant(len(_STREAMED) - 1)


def _read(number: Array, indices: Array) -> Array:
    return _STREAMED[int(number)][indices]


def _gather(x: Any, indices: Any) -> Any:
    """Some stored rows."""
    if x.shape.rank:
        return tf.gather(x, indices)
    return tf.numpy_function(_read, [x, indices], tf.uint8)


def batch(preparation: Preparation, tensors: Any, indices: Any) -> tuple[Any, Any]:
    """Some rows as the model and the loss take them.

    Args:
        tensors: of `Rows`.
        indices: of the rows, int32 of shape `(batch,)`.
    """
    labels = tf.gather(tensors[1], indices)
    # One-hot labels are stored as bytes.
    labels = tf.cast(labels, tf.float32) if labels.dtype == tf.uint8 else labels
    return inputs(preparation, tensors, indices), labels


def weighted_batch(
    preparation: Preparation, tensors: Any, weights: Any, indices: Any
) -> tuple[Any, ...]:
    """A training batch: as `batch`, with the weights of the rows if there are any."""
    x, y = batch(preparation, tensors, indices)
    return (x, y) if isinstance(weights, tuple) else (x, y, tf.gather(weights, indices))


def inputs(preparation: Preparation, tensors: Any, indices: Any) -> Any:
    """Some rows as the model takes them, of shape `(batch, *preparation.shape)`."""
    x, _, state = tensors
    if isinstance(x, tf.RaggedTensor):
        return to_dense(x, indices, *preparation.shape)
    expanded = preparation.expand(_gather(x, indices), keras.ops, state)
    # The row shape is static, but reshapes of a batch of unknown length lose it.
    return tf.ensure_shape(expanded, (indices.shape[0], *preparation.shape))
