"""Prepared rows on the device, and batches of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import keras
import numpy as np
import tensorflow as tf

from nnrun.data.preprocessing import AnyPreparation, Preparation
from nnrun.spec.training import Training
from nnrun.types import Array, Fold, Input, Sequences, Streamed, Windows


@dataclass(frozen=True)
class Schedule:
    """The batches of every epoch: a function of seed, fold and epoch alone.

    So a resumed run needs no random state, and every engine uses the same batches.
    """

    fold: Fold
    training: Training
    seed: int

    @property
    def epochs(self) -> int:
        """Passes over the rows."""
        return self.training.epochs

    def batch_size(self, epoch: int) -> int:
        """Rows per step in an epoch, counted from 0; at most all of them."""
        size = self.training.batch_size_of(self.training.stage_of_epoch(epoch))
        return min(size, len(self.fold.train))

    def steps(self, epoch: int) -> int:
        """Steps of an epoch; the last may have fewer rows."""
        return -(-len(self.fold.train) // self.batch_size(epoch))

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


def enable_sparse(layer: keras.layers.Dense) -> None:
    """Lets a dense layer use the sparse form of inputs from `to_dense`, if they have one."""

    def call(inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        rows = getattr(inputs, _ROWS, None)
        if rows is None:
            return keras.layers.Dense.call(layer, inputs, training=training)
        outputs = sparse_product(rows, layer.kernel)
        outputs = outputs if layer.bias is None else keras.ops.add(outputs, layer.bias)
        return outputs if layer.activation is None else layer.activation(outputs)

    layer.call = call


def sparse_product(rows: Mapping[str, tf.Tensor], kernel: keras.Variable) -> tf.Tensor:
    """Sparse rows from `to_dense` times a dense matrix, of shape `(rows, units)`."""
    units = kernel.shape[1]
    widths = [min(COLUMNS, units - start) for start in range(0, units, COLUMNS)]
    parts = tf.split(tf.convert_to_tensor(kernel), widths, axis=1)
    products = [tf.raw_ops.SparseTensorDenseMatMul(**rows, b=part) for part in parts]
    return products[0] if len(products) == 1 else tf.concat(products, axis=1)


def to_dense(vectors: tf.RaggedTensor, indices: tf.Tensor, dimension: int) -> tf.Tensor:
    """Some multi-hot vectors as model inputs, float32 of shape `(indices, dimension)`.

    A graph with a static number of rows never computes the dense form if only layers from
    `enable_sparse` take it.

    Args:
        vectors: the word numbers of each row, times 2**32.
        indices: of the rows, int32.
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


# The rows of the table, the first row of each window, and the offsets of its rows.
StoredWindows: TypeAlias = "tuple[tf.Tensor, tf.Tensor, tf.Tensor]"
StoredInput: TypeAlias = "tf.Tensor | tf.RaggedTensor | StoredWindows"
Stored: TypeAlias = "StoredInput | Mapping[str, StoredInput]"
Fitted = tuple[Mapping[str, tf.Tensor], ...]
RowTensors = tuple[
    Stored, tf.Tensor, Fitted | Mapping[str, Fitted]
]  # inputs, labels and fitted values, as in `Rows`
WeightedRows = tuple[RowTensors, tf.Tensor | tuple[()]]


@dataclass(frozen=True)
class Rows:
    """Inputs and labels on the device, stored compactly.

    Args:
        x: stored rows, shape `(rows, ...)`; or the words of each row, a ragged tensor; or the
            number of a `Streamed`; or the tensors of `Windows`; or of each of several inputs by name.
        y: encoded labels, shape `(rows,)` or `(rows, columns)`.
        state: fitted values of prepare steps that expanding a batch needs. They are arguments of
            the traced function, because folds share it and each has its own values.
        weights: of each row in the loss, float32 of shape `(rows,)`; empty if all are equal.
    """

    x: Stored
    y: tf.Tensor
    state: Fitted | Mapping[str, Fitted] = ()
    weights: tf.Tensor | tuple[()] = ()

    def __len__(self) -> int:
        return int(self.y.shape[0])

    @property
    def tensors(self) -> RowTensors:
        """Arguments of a traced function."""
        return self.x, self.y, self.state

    @property
    def signature(self) -> tuple[object, tf.TypeSpec, object]:
        """For any number of rows, so that one trace takes training and test rows."""
        x, y = (tf.nest.map_structure(_any_length, rows) for rows in (self.x, self.y))
        return x, y, tf.nest.map_structure(tf.TensorSpec.from_tensor, self.state)


def _any_length(rows: tf.Tensor | tf.RaggedTensor) -> tf.TypeSpec:
    if isinstance(rows, tf.RaggedTensor):
        return tf.RaggedTensorSpec((None, None), rows.dtype)
    if not rows.shape.rank:
        return tf.TensorSpec((), rows.dtype)
    return tf.TensorSpec((None, *rows.shape[1:]), rows.dtype)


INDICES = tf.TensorSpec((None,), tf.int32)

# A traced function gets the place in this list, because folds and test rows share the trace.
_STREAMED: list[Streamed] = []


def resident(
    x: Input | Mapping[str, Input],
    y: Array,
    state: object = (),
    *,
    weights: Array | None = None,
) -> Rows:
    """Copies rows to the device, so that no step waits for the host; arguments as for `Rows`.

    Rows that do not fit into memory are read in every step instead.
    """
    stored: Stored
    if isinstance(x, Mapping):
        stored = {name: _stored(part) for name, part in x.items()}
    else:
        stored = _stored(x)
    on_device = tf.nest.map_structure(lambda value: tf.constant(value, tf.float32), state)
    row_weights = () if weights is None else tf.constant(weights)
    return Rows(stored, tf.constant(y), on_device, row_weights)


def _stored(x: Input) -> StoredInput:
    match x:
        case Windows():
            starts, offsets = (tf.constant(rows, tf.int32) for rows in (x.starts, x.offsets))
            return tf.constant(x.table), starts, offsets
        case Streamed():
            _STREAMED.append(x)
            return tf.constant(len(_STREAMED) - 1)
        case Sequences():
            words = x.values.astype(np.int64) << 32
            return tf.RaggedTensor.from_row_splits(words, x.offsets, validate=False)
    return tf.constant(x)


def batch(
    preparation: AnyPreparation, tensors: RowTensors, indices: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Some rows as the model and the loss take them; `indices` are int32 of shape `(batch,)`."""
    if tensors[1].shape.rank == 2 and tensors[1].shape[1] == 0:
        # The inputs are the labels of an autoencoder.
        x = inputs(preparation, tensors, indices)
        return x, x
    labels = tf.gather(tensors[1], indices)
    # One-hot labels are stored as bytes.
    labels = tf.cast(labels, tf.float32) if labels.dtype == tf.uint8 else labels
    return inputs(preparation, tensors, indices), labels


def weighted_batch(
    preparation: AnyPreparation, rows: WeightedRows, indices: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """A training batch: as `batch`, with the weights of the rows if there are any."""
    tensors, weights = rows
    x, y = batch(preparation, tensors, indices)
    return (x, y) if isinstance(weights, tuple) else (x, y, tf.gather(weights, indices))


def inputs(
    preparation: AnyPreparation, tensors: RowTensors, indices: tf.Tensor
) -> tf.Tensor | dict[str, tf.Tensor]:
    """Some rows as the model takes them, of shape `(batch, *preparation.shape)`, or by input."""
    x, _, state = tensors
    if isinstance(preparation, Preparation):
        assert isinstance(state, tuple)
        return _input(preparation, x, state, indices)
    assert isinstance(x, Mapping)
    assert isinstance(state, Mapping)
    return {
        name: _input(part, x[name], state[name], indices)
        for name, part in preparation.parts.items()
    }


def _input(
    preparation: Preparation, x: StoredInput, state: Fitted, indices: tf.Tensor
) -> tf.Tensor:
    if isinstance(x, tf.RaggedTensor):
        return to_dense(x, indices, *preparation.shape)
    if isinstance(x, tuple):
        table, starts, offsets = x
        rows = tf.gather(table, tf.gather(starts, indices)[:, None] + offsets)
    else:
        rows = tf.gather(x, indices) if x.shape.rank else _read(x, indices)
    expanded = preparation.expand(rows, keras.ops, state)
    # The row shape is static, but reshapes of a batch of unknown length lose it.
    return tf.ensure_shape(expanded, (indices.shape[0], *preparation.shape))


def _read(place: tf.Tensor, indices: tf.Tensor) -> tf.Tensor:
    def read(place: Array, indices: Array) -> Array:
        return _STREAMED[int(place)][indices]

    return tf.numpy_function(read, [place, indices], tf.uint8)
