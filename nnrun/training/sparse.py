"""Bags of words as sparse rows, for dense layers that take them first.

Of ten thousand columns of a bag some hundred are ones. A product that skips the zeros, and its
gradient, take a third of the time that those of the whole matrix take, with 16 units or 64.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nnrun.records import Sequences

# TensorFlow's product of a sparse matrix and a dense one takes three times as long per column where
# there are 64 as where there are 16; several narrow ones also share the cores.
COLUMNS = 16

_ROWS = "_sparse_rows"


def takers(model: keras.Model) -> list[keras.layers.Dense]:
    """The dense layers that take the model's input as it comes."""
    return [
        layer
        for layer in model.layers
        if type(layer) is keras.layers.Dense
        and layer.input is model.inputs[0]
        and layer.dtype_policy.name == "float32"
    ]


def teach(layer: Any) -> None:
    """Lets a dense layer skip the zeros of what `expanded` made; all else it takes as before."""

    def call(inputs: Any, training: bool | None = None) -> Any:
        rows = getattr(inputs, _ROWS, None)
        if rows is None:
            return keras.layers.Dense.call(layer, inputs, training=training)
        outputs = product(rows, layer.kernel)
        outputs = outputs if layer.bias is None else keras.ops.add(outputs, layer.bias)
        return outputs if layer.activation is None else layer.activation(outputs)

    layer.call = call


def product(rows: Any, kernel: Any) -> Any:
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


def expanded(bags: Any, indices: Any, dimension: int) -> Any:
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
