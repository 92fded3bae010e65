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

# Which rows each step of each epoch takes: a function of seed, fold and epoch alone.


@dataclass(frozen=True)
class Schedule:
    """The batches of every epoch.

    No random state passes from one epoch to the next, so a resumed run needs none, and every
    engine sees the same batches.

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
        """How many passes over the rows."""
        return self.training.epochs

    @property
    def batch_size(self) -> int:
        """Rows per step; never more than there are."""
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


# Bags of words as sparse rows, for dense layers that take them first.
#
# Of ten thousand columns of a bag some hundred are ones. A product that skips the zeros, and its
# gradient, take a third of the time that those of the whole matrix take, with 16 units or 64.

# TensorFlow's product of a sparse matrix and a dense one takes three times as long per column where
# there are 64 as where there are 16; several narrow ones also share the cores.
COLUMNS = 16

_ROWS = "_sparse_rows"


def sparse_layers(model: keras.Model) -> list[keras.layers.Dense]:
    """The dense layers that take the model's input as it comes."""
    return [
        layer
        for layer in model.layers
        if type(layer) is keras.layers.Dense
        and layer.input is model.inputs[0]
        and layer.dtype_policy.name == "float32"
    ]


def enable_sparse(layer: Any) -> None:
    """Lets a dense layer skip the zeros of what `expanded` made; all else it takes as before."""

    def call(inputs: Any, training: bool | None = None) -> Any:
        rows = getattr(inputs, _ROWS, None)
        if rows is None:
            return keras.layers.Dense.call(layer, inputs, training=training)
        outputs = sparse_product(rows, layer.kernel)
        outputs = outputs if layer.bias is None else keras.ops.add(outputs, layer.bias)
        return outputs if layer.activation is None else layer.activation(outputs)

    layer.call = call


def sparse_product(rows: Any, kernel: Any) -> Any:
    """Sparse rows, as `expanded` describes them, times a dense matrix: shape `(rows, units)`."""
    units = kernel.shape[1]
    widths = [min(COLUMNS, units - start) for start in range(0, units, COLUMNS)]
    parts = tf.split(tf.convert_to_tensor(kernel), widths, axis=1)
    products = [tf.raw_ops.SparseTensorDenseMatMul(**rows, b=part) for part in parts]
    return products[0] if len(products) == 1 else tf.concat(products, axis=1)


def stored(words: Sequences) -> Any:
    """Bags as they lie on the device: a ragged tensor of the numbers of the words, times 2**32."""
    return tf.RaggedTensor.from_row_splits(
        words.values.astype(np.int64) << 32, words.offsets, validate=False
    )


def to_dense(bags: Any, indices: Any, dimension: int) -> Any:
    """Some bags as the model sees them, float32 of shape `(indices, dimension)`.

    A graph that knows how many there are never computes it, where only layers that `teach` was
    told of take it.

    Args:
        bags: as `stored` made them.
        indices: which of them, int32 of shape `(indices,)`.
        dimension: how many words there may be.
    """
    found = tf.gather(bags, indices)
    owners = tf.raw_ops.RaggedTensorToSparse(
        rt_nested_splits=[found.row_splits], rt_dense_values=found.values
    ).sparse_indices[:, 0]
    # Two halves of 64 bits: the row, and the word that was stored in the upper one.
    places = tf.bitcast(found.values + owners, tf.int32)
    ones = tf.ones(tf.shape(found.values))
    many = indices.shape[0] or tf.shape(indices)[0]
    shape = tf.stack([many, dimension])
    dense = tf.raw_ops.SparseToDense(
        sparse_indices=places,
        output_shape=shape,
        sparse_values=ones,
        default_value=0.0,
        # The words of a bag are in no order.
        validate_indices=False,
    )
    dense = tf.ensure_shape(dense, (indices.shape[0], dimension))
    rows = {"a_indices": places, "a_values": ones, "a_shape": tf.cast(shape, tf.int64)}
    setattr(dense, _ROWS, rows)
    return dense


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
            return stored(x)
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
        return to_dense(x, indices, *preparation.shape)
    expanded = preparation.expand(_taken(x, indices), keras.ops, state)
    # What each row looks like is known, but reshapes of a batch of unknown length hide it.
    return tf.ensure_shape(expanded, (indices.shape[0], *preparation.shape))
