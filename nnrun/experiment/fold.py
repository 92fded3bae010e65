"""One experiment, from its rows to a finished run folder."""

from __future__ import annotations

import inspect
import math
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import keras
import tensorflow as tf

from nnrun.errors import TrainingError
from nnrun.experiment import predictions
from nnrun.experiment.inputs import PreparedData
from nnrun.experiment.recorder import Recorder, RunContext, describe, finish, first_record, kept
from nnrun.experiment.setup import TrainingSetup, build_setup
from nnrun.models import components
from nnrun.models.build import REFUSALS, TOO_LARGE
from nnrun.runs import Run
from nnrun.spec.text import size
from nnrun.training import callbacks, devices
from nnrun.types import Observer

FLOAT_BYTES = 4
# What callbacks and kernels raise in the middle of training.
FROM_KERAS = (*REFUSALS, KeyError, OSError, RuntimeError, ImportError)

Folder = Callable[[dict[str, Any]], Run]
"""Makes the run folder, given what its record says from the start."""


def train(
    prepared: PreparedData, folder: Folder, *, context: RunContext, observer: Observer
) -> Run:
    """Trains, tests and records one experiment.

    Args:
        prepared: rows, split and preparation.
        folder: called as soon as nothing about the spec can be refused any more.
        context: where the spec came from and what was spent so far.
        observer: is told how it goes.

    Returns:
        The finished run.

    Raises:
        Misfit: the model cannot be built; no folder is made.
        TrainingError: training had to stop; the folder keeps what there is.
        KeyboardInterrupt: as soon as what there is has been kept.
    """
    setup = prepare(prepared, observer)
    return fit_fold(setup, folder, context=context, observer=observer)


def prepare(
    prepared: PreparedData,
    observer: Observer,
    *,
    device: str = "auto",
    previous: TrainingSetup | None = None,
) -> TrainingSetup:
    """A fold's model, compiled, with its rows on the device.

    Args:
        prepared: of the fold.
        observer: is told that it takes a while.
        device: what `auto` in the spec means.
        previous: of another fold of the same experiment, to be used again.

    Raises:
        Misfit: the model cannot be built.
        TrainingError: rows or model do not fit into memory.
    """
    wanted = prepared.spec.training.device
    chosen = devices.choose(device if wanted == "auto" else wanted)
    with _in_memory(prepared), tf.device(devices.tensorflow_name(chosen)):
        return build_setup(prepared, chosen, observer, previous=previous)


def fit_fold(
    setup: TrainingSetup, folder: Folder, *, context: RunContext, observer: Observer
) -> Run:
    """Trains one fold, judges it and records it; arguments and errors as of `train`."""
    with tf.device(devices.tensorflow_name(setup.device)):
        run = folder(first_record(setup, context))
        growing = callbacks.growing(setup.prepared.spec.training.callbacks)
        recorder = Recorder(run, observer, context, growing)
        with kept(recorder, setup), _in_memory(setup.prepared):
            observer.run_began(run.path)
            for notice in setup.prepared.notices:
                recorder.notice(notice)
            recorder.begin()
            describe(run, setup)
            fit(setup, recorder)
            finish(recorder, setup)
    return run


def fit(setup: TrainingSetup, recorder: Recorder) -> None:
    """Trains for all epochs.

    Raises:
        TrainingError: the loss is lost, memory ran out, or a callback failed.
    """
    prepared, training = setup.prepared, setup.prepared.spec.training
    start, path = recorder.start, recorder.run.path
    listeners = callbacks.build(training.callbacks, path)
    try:
        callbacks.make_folders(training.callbacks, path)
        if start:
            sizes = {name: grown.size for name, grown in start.grown.items()}
            callbacks.resume_callbacks(listeners, path, sizes)
        setup.trainer.trace(setup.train, prepared.fold)
        # Not before: tracing is Python, as loading is, and training is not.
        with predictions.preload(prepared.dataset):
            setup.trainer.fit(
                setup.train,
                prepared.fold,
                seed=prepared.seed,
                callbacks=listeners,
                observer=recorder,
                start=start.state if start else None,
                reached=recorder.reached,
            )
    except FROM_KERAS as error:
        # Whole into the log, because only the first line of it helps a person.
        with suppress(OSError):
            traceback.print_exc()
        reason = components.reason(error)
        raise TrainingError(f"{_where(error, setup)} failed: {reason}") from error


@contextmanager
def _in_memory(prepared: PreparedData) -> Iterator[None]:
    """Within it, what does not fit into memory is said with what to change."""
    try:
        yield
    except TOO_LARGE as error:
        raise TrainingError(_too_large(prepared)) from error


def _too_large(prepared: PreparedData) -> str:
    """What would not fit into memory, and what to change."""
    batch_size, shape = prepared.spec.training.batch_size, prepared.preparation.shape
    rows = len(prepared.dataset.train) + len(prepared.dataset.test)
    row = math.prod(shape) * FLOAT_BYTES
    return (
        f"out of memory: {rows:,} rows, prepared {size(rows * row)} in all, and batch_size "
        f"{batch_size:,}, {size(min(batch_size, rows) * row)} a step before the first layer; "
        "a smaller batch_size, smaller layers or fewer columns need less"
    )


def _where(error: BaseException, setup: TrainingSetup) -> str:
    """Which callback an error comes from, or that it comes from the engine."""
    frames = traceback.extract_tb(error.__traceback__)
    names = [component.name for component in setup.prepared.spec.training.callbacks]
    for name in names:
        file = inspect.getsourcefile(getattr(keras.callbacks, name))
        if any(frame.filename == file for frame in frames):
            return f"the callback {name}"
    return f"training with the {setup.engine} engine"
