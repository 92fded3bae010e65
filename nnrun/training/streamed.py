"""Training by Keras's own `model.fit`, for what the compiled loop cannot take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from nnrun.prepare import Preparation
from nnrun.records import Array, Logs
from nnrun.training.evaluate import EVALUATION_ROWS, as_logs
from nnrun.training.rows import Rows, batch
from nnrun.training.schedule import Schedule


def fit(
    model: keras.Model,
    rows: Rows,
    preparation: Preparation,
    schedule: Schedule,
    validation: Array,
    callbacks: list[Any],
    *,
    begin: int = 0,
) -> None:
    """Trains batch by batch, every callback called for every batch.

    Args:
        model: compiled.
        rows: on the device.
        schedule: the batches of each epoch, the same as the compiled loop's.
        validation: rows that validate, perhaps none.
        callbacks: Keras's.
        begin: the epoch to begin with, counted from 0.
    """

    def expanded(indices: Any) -> Any:
        return batch(preparation, rows.tensors, indices)

    def batches() -> Iterator[Array]:
        for epoch in range(begin, schedule.epochs):
            order = schedule.order(epoch)
            for start in range(0, len(order), schedule.batch_size):
                yield order[start : start + schedule.batch_size]

    signature = tf.TensorSpec((None,), tf.int32)
    training_data = tf.data.Dataset.from_generator(batches, output_signature=signature)
    held_out = tf.data.Dataset.from_tensor_slices(tf.constant(validation, tf.int32))
    model.fit(
        training_data.map(expanded).prefetch(2),
        epochs=schedule.epochs,
        initial_epoch=begin,
        steps_per_epoch=schedule.steps,
        validation_data=held_out.batch(EVALUATION_ROWS).map(expanded) if len(validation) else None,
        callbacks=callbacks,
        verbose=0,
        shuffle=False,
    )


class Hooks(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Turns Keras's hooks into plain calls.

    Args:
        began: called with the epoch.
        stepped: called with the steps done.
        ended: called with the epoch and its logs.
        entered: called as training begins.
    """

    def __init__(self, *, began: Any, stepped: Any, ended: Any, entered: Any) -> None:
        super().__init__()
        self._began, self._stepped, self._ended = began, stepped, ended
        self._entered = entered

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Tells that training begins."""
        self._entered()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Tells of the epoch that begins."""
        self._began(epoch)

    def on_train_batch_end(self, step: int, logs: Logs | None = None) -> None:
        """Tells of the steps done."""
        self._stepped(step + 1)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Tells of the epoch that ended."""
        self._ended(epoch, as_logs(dict(logs or {})))
