"""Prepared rows on the device, and batches of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from nnrun.prepare import Preparation
from nnrun.records import Array


@dataclass(frozen=True)
class Rows:
    """Inputs and labels on the device, stored compactly.

    Args:
        x: stored rows, shape `(rows, ...)`.
        y: encoded labels, shape `(rows,)` or `(rows, columns)`.
    """

    x: Any
    y: Any

    def __len__(self) -> int:
        return int(self.x.shape[0])


def resident(x: Array, y: Array) -> Rows:
    """Rows copied to the device once, so that no step waits for the host."""
    return Rows(tf.constant(x), tf.constant(y))


@tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
def batch(preparation: Preparation, x: Any, y: Any, indices: Any) -> tuple[Any, Any]:
    """Some rows as the model and the loss take them.

    Args:
        x, y: the tensors of `Rows`.
        indices: which rows, int32 of shape `(batch,)`.
    """
    labels = tf.gather(y, indices)
    # One-hot labels are kept as bytes.
    labels = tf.cast(labels, tf.float32) if labels.dtype == tf.uint8 else labels
    return inputs(preparation, tf.gather(x, indices)), labels


@tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
def inputs(preparation: Preparation, stored: Any) -> Any:
    """Stored rows as the model takes them, of shape `(batch, *preparation.shape)`."""
    # What each row looks like is known, but reshapes of a batch of unknown length hide it.
    return tf.ensure_shape(
        preparation.expand(stored, keras.ops), (stored.shape[0], *preparation.shape)
    )
