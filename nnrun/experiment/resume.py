"""Prepares a stopped or finished run for more epochs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import keras

from nnrun.models import saved
from nnrun.runs import Run, layout
from nnrun.runs.run import reopen_record
from nnrun.spec.training import Training
from nnrun.training import callbacks, checkpoints, state
from nnrun.training.checkpoints import Checkpoint

# Callbacks that carry no state from epoch to epoch.
STATELESS = frozenset(("CSVLogger", "LearningRateScheduler", "RemoteMonitor", "TerminateOnNaN"))


def extend(run: Run, training: Training, record: Mapping[str, Any]) -> None:
    """Reopens a run so that it can train on.

    A finished run continues from its model if no other state passes from epoch to epoch; else it
    restarts, with the same result.

    Args:
        run: locked by this process.
        training: with the new number of epochs.
        record: the new record.

    Raises:
        RunError: its files are damaged, or not writable.
    """
    if run.record().status == layout.FINISHED and _is_stateless(training):
        _keep_model_as_checkpoint(run, training)
    reopen_record(run, record)


def _is_stateless(training: Training) -> bool:
    averaged = training.optimizer.arguments.get("use_ema")
    return not averaged and all(callback.name in STATELESS for callback in training.callbacks)


def _keep_model_as_checkpoint(run: Run, training: Training) -> None:
    model: keras.Model = saved.read(run.whole(layout.MODEL))
    for seed, value in zip(state.seeds(model), run.record().layer_seeds, strict=True):
        seed.assign(value)
    history, seconds = run.history(), run.metrics().seconds
    model.stop_training = False
    growing = callbacks.appended_files(training.callbacks)
    last = state.capture(model, (), epochs=len(history))
    checkpoint = Checkpoint(
        replace(last, callbacks=({},) * len(training.callbacks)),
        history,
        (seconds.get("epoch_median", 0.0),) * len(history),
        seconds.get("total", 0.0),
        checkpoints.appended_files(run, growing),
    )
    checkpoints.write(run, checkpoint)
