"""Lets a finished run go on for more epochs."""

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

# Of these the next epochs need to know nothing but the epoch; others carry something along.
FORGETFUL = frozenset(("CSVLogger", "LearningRateScheduler", "RemoteMonitor", "TerminateOnNaN"))


def extend(run: Run, training: Training, now: Mapping[str, Any]) -> None:
    """Makes a run of one model be at work again.

    A finished one goes on from its model, where nothing but the model was carried from epoch to
    epoch; else it begins again, which comes to the same.

    Args:
        run: locked by this process.
        training: what it goes on with.
        now: its record from now on.

    Raises:
        RunError: its files are damaged, or cannot be written.
    """
    if run.record()["status"] == layout.FINISHED and _carries_only_its_model(training):
        _keep_model_as_checkpoint(run, training)
    reopen_record(run, now)


def _carries_only_its_model(training: Training) -> bool:
    averaged = training.optimizer.arguments.get("use_ema")
    return not averaged and all(each.name in FORGETFUL for each in training.callbacks)


def _keep_model_as_checkpoint(run: Run, training: Training) -> None:
    model: keras.Model = saved.read(run.whole(layout.MODEL))
    for seed, value in zip(state.seeds(model), run.record()["layer_seeds"], strict=True):
        seed.assign(value)
    history, metrics = run.history(), run.metrics()
    model.stop_training = False
    seconds = metrics.get("seconds", {})
    growing = callbacks.growing(training.callbacks)
    reached = state.capture(model, (), epochs=len(history))
    checkpoint = Checkpoint(
        replace(reached, callbacks=({},) * len(training.callbacks)),
        history,
        (seconds.get("epoch_median", 0.0),) * len(history),
        seconds.get("total", 0.0),
        checkpoints.grown(run, growing),
    )
    checkpoints.write(run, checkpoint)
