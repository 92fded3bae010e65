"""Prepares a stopped or finished run for more epochs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import keras

from nnrun.models import saved
from nnrun.runs import Run, layout
from nnrun.runs.run import reopen_record
from nnrun.spec.training import Training
from nnrun.training import callbacks, checkpoints, state
from nnrun.training.checkpoints import Checkpoint

# Callbacks that carry no state from epoch to epoch.
STATELESS = frozenset(("CSVLogger", "LearningRateScheduler", "RemoteMonitor", "TerminateOnNaN"))


def extend(run: Run, training: Training, record: Mapping[str, object]) -> None:
    """Reopens a run so that it can train on.

    A finished run continues from its model if that has the last weights, and no other state passes
    from epoch to epoch; else it restarts, with the same result.

    Args:
        training: with the new number of epochs.
    """
    optimizers = (training.optimizer, *(stage.optimizer for stage in training.stages))
    averaged = any(each.arguments.get("use_ema") for each in optimizers if each)
    replaced = averaged or training.restored_by
    is_stateless = all(callback.name in STATELESS for callback in training.callbacks)
    if run.record().status == layout.FINISHED and is_stateless and not replaced:
        _keep_model_as_checkpoint(run, training)
    reopen_record(run, record)


def _keep_model_as_checkpoint(run: Run, training: Training) -> None:
    model: keras.Model = saved.read(run.whole(layout.MODEL))
    for seed, value in zip(state.seeds(model), run.record().layer_seeds, strict=True):
        seed.assign(value)
    model.stop_training = False
    history, seconds = run.history(), run.metrics().seconds
    last = state.capture(model, (), epochs=len(history))
    checkpoint = Checkpoint(
        replace(last, callbacks=({},) * len(training.callbacks)),
        history,
        (seconds.get("epoch_median", 0.0),) * len(history),
        seconds.get("total", 0.0),
        checkpoints.appended_files(run, callbacks.appended_files(training.callbacks)),
    )
    checkpoints.write(run, checkpoint)
