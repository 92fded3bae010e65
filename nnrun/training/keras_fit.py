"""Trains with Keras's `model.fit`, for callbacks that the compiled loop does not support."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import keras
import tensorflow as tf

from nnrun.data.preprocessing import Preparation
from nnrun.training.evaluate import rows_at_once
from nnrun.training.rows import Rows, Schedule, batch, weighted_batch
from nnrun.types import Array, Logs


def fit_by_keras(
    model: keras.Model,
    rows: Rows,
    preparation: Preparation,
    schedule: Schedule,
    callbacks: StageCallbacks,
    epochs: range,
) -> None:
    """Trains batch by batch, and calls every callback for every batch.

    Args:
        model: compiled.
        rows: on the device.
        schedule: the batches of each epoch, the same as in the compiled loop.
        epochs: counted from 0.
    """
    validation = schedule.fold.validation

    def expand(indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return batch(preparation, rows.tensors, indices)

    def expand_weighted(indices: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return weighted_batch(preparation, rows.tensors, rows.weights, indices)

    def batches() -> Iterator[Array]:
        for epoch in epochs:
            order = schedule.order(epoch)
            for start in range(0, len(order), schedule.batch_size):
                yield order[start : start + schedule.batch_size]

    signature = tf.TensorSpec((None,), tf.int32)
    training_data = tf.data.Dataset.from_generator(batches, output_signature=signature)
    batch_rows = rows_at_once(preparation.shape)
    held_out = tf.data.Dataset.from_tensor_slices(tf.constant(validation, tf.int32))
    model.fit(
        training_data.map(expand_weighted).prefetch(2),
        epochs=epochs.stop,
        initial_epoch=epochs.start,
        steps_per_epoch=schedule.steps,
        validation_data=held_out.batch(batch_rows).map(expand) if len(validation) else None,
        callbacks=callbacks,
        verbose=0,
        shuffle=False,
    )


class StageCallbacks(keras.callbacks.CallbackList):  # type: ignore[misc]  # Keras ships no types
    """Callbacks whose training begins and ends once, although `model.fit` runs once per stage.

    Args:
        callbacks: Keras's.
        model: the one that is trained.
        schedule: of all epochs.
    """

    def __init__(
        self,
        callbacks: Sequence[keras.callbacks.Callback],
        model: keras.Model,
        schedule: Schedule,
    ) -> None:
        # Keras returns its own history at the end of each call.
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
        """Whether no further call follows."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begins in the first call only."""
        if not self._begun:
            self._begun = True
            super().on_train_begin(logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Ends in the last call, or in one that a callback has stopped."""
        if self.last or self.model.stop_training:
            super().on_train_end(logs)
