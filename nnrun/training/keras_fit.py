"""Training by Keras's own `model.fit`, for what the compiled loop cannot take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from nnrun.data.preprocessing import Preparation
from nnrun.training.evaluate import as_logs, rows_at_once
from nnrun.training.rows import Rows, Schedule, batch, weighed_batch
from nnrun.types import Array, Logs


def fit(
    model: keras.Model,
    rows: Rows,
    preparation: Preparation,
    schedule: Schedule,
    validation: Array,
    callbacks: Any,
    epochs: range,
) -> None:
    """Trains batch by batch, every callback called for every batch.

    Args:
        model: compiled.
        rows: on the device.
        schedule: the batches of each epoch, the same as the compiled loop's.
        validation: rows that validate, perhaps none.
        callbacks: Keras's, or `Throughout`.
        epochs: those to train, counted from 0.
    """

    def expanded(indices: Any) -> Any:
        return batch(preparation, rows.tensors, indices)

    def to_train_on(indices: Any) -> Any:
        return weighed_batch(preparation, rows.tensors, rows.weights, indices)

    def batches() -> Iterator[Array]:
        for epoch in epochs:
            order = schedule.order(epoch)
            for start in range(0, len(order), schedule.batch_size):
                yield order[start : start + schedule.batch_size]

    signature = tf.TensorSpec((None,), tf.int32)
    training_data = tf.data.Dataset.from_generator(batches, output_signature=signature)
    many = rows_at_once(preparation.shape)
    held_out = tf.data.Dataset.from_tensor_slices(tf.constant(validation, tf.int32))
    model.fit(
        training_data.map(to_train_on).prefetch(2),
        epochs=epochs.stop,
        initial_epoch=epochs.start,
        steps_per_epoch=schedule.steps,
        validation_data=held_out.batch(many).map(expanded) if len(validation) else None,
        callbacks=callbacks,
        verbose=0,
        shuffle=False,
    )


class Throughout(keras.callbacks.CallbackList):  # type: ignore[misc]  # Keras ships no types
    """Callbacks whose training begins and ends once, however often `model.fit` is called.

    Args:
        callbacks: Keras's.
        model: the one that is trained.
        schedule: of all epochs.
    """

    def __init__(self, callbacks: list[Any], model: keras.Model, schedule: Schedule) -> None:
        # Keras wants to hand out its own history at the end of each call.
        super().__init__(
            callbacks,
            add_history=True,
            model=model,
            epochs=schedule.epochs,
            steps=schedule.steps,
            verbose=0,
        )
        self._begun = False
        self.last = True
        """Whether no call is to follow."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Tells it of the first call."""
        if not self._begun:
            self._begun = True
            super().on_train_begin(logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Tells it of the last call, or of one that a callback has stopped."""
        if self.last or self.model.stop_training:
            super().on_train_end(logs)


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
