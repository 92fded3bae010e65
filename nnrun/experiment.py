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

from nnrun import keras_objects, outcome, recording
from nnrun.assembly import Assembly, assemble
from nnrun.errors import TrainingError
from nnrun.intake import Intake
from nnrun.models.build import REFUSALS, TOO_LARGE
from nnrun.number import size
from nnrun.recording import Origin, Recorder
from nnrun.records import Observer
from nnrun.runs import Run
from nnrun.training import callbacks, devices

FLOAT_BYTES = 4
# What callbacks and kernels raise in the middle of training.
FROM_KERAS = (*REFUSALS, KeyError, OSError, RuntimeError, ImportError)

Folder = Callable[[dict[str, Any]], Run]
"""Makes the run folder, given what its record says from the start."""


def train(intake: Intake, folder: Folder, *, origin: Origin, observer: Observer) -> Run:
    """Trains, tests and records one experiment.

    Args:
        intake: rows, split and preparation.
        folder: called as soon as nothing about the spec can be refused any more.
        origin: where the spec came from and what was spent so far.
        observer: is told how it goes.

    Returns:
        The finished run.

    Raises:
        Misfit: the model cannot be built; no folder is made.
        TrainingError: training had to stop; the folder keeps what there is.
        KeyboardInterrupt: as soon as what there is has been kept.
    """
    assembly = prepare(intake, observer)
    return fit_fold(assembly, folder, origin=origin, observer=observer)


def prepare(
    intake: Intake, observer: Observer, *, device: str = "auto", previous: Assembly | None = None
) -> Assembly:
    """A fold's model, compiled, with its rows on the device.

    Args:
        intake: of the fold.
        observer: is told that it takes a while.
        device: what `auto` in the spec means.
        previous: of another fold of the same experiment, to be used again.

    Raises:
        Misfit: the model cannot be built.
        TrainingError: rows or model do not fit into memory.
    """
    wanted = intake.spec.training.device
    chosen = devices.choose(device if wanted == "auto" else wanted)
    with _in_memory(intake), tf.device(devices.tensorflow_name(chosen)):
        return assemble(intake, chosen, observer, previous=previous)


def fit_fold(assembly: Assembly, folder: Folder, *, origin: Origin, observer: Observer) -> Run:
    """Trains one fold, judges it and records it; arguments and errors as of `train`."""
    with tf.device(devices.tensorflow_name(assembly.device)):
        run = folder(recording.first_record(assembly, origin))
        growing = callbacks.growing(assembly.intake.spec.training.callbacks)
        recorder = Recorder(run, observer, origin, growing)
        with recording.kept(recorder, assembly), _in_memory(assembly.intake):
            observer.run_began(run.path)
            for notice in assembly.intake.notices:
                recorder.notice(notice)
            recorder.begin()
            recording.describe(run, assembly)
            fit(assembly, recorder)
            recording.finish(recorder, assembly)
    return run


def fit(assembly: Assembly, recorder: Recorder) -> None:
    """Trains for all epochs.

    Raises:
        TrainingError: the loss is lost, memory ran out, or a callback failed.
    """
    intake, training = assembly.intake, assembly.intake.spec.training
    start, path = recorder.start, recorder.run.path
    listeners = callbacks.build(training.callbacks, path)
    try:
        callbacks.make_folders(training.callbacks, path)
        if start:
            sizes = {name: grown.size for name, grown in start.grown.items()}
            callbacks.go_on(listeners, path, sizes)
        assembly.trainer.trace(assembly.train, intake.fold)
        # Not before: tracing is Python, as loading is, and training is not.
        with outcome.getting_ready(intake.dataset):
            assembly.trainer.fit(
                assembly.train,
                intake.fold,
                seed=intake.seed,
                callbacks=listeners,
                observer=recorder,
                start=start.state if start else None,
                reached=recorder.reached,
            )
    except FROM_KERAS as error:
        # Whole into the log, because only the first line of it helps a person.
        with suppress(OSError):
            traceback.print_exc()
        reason = keras_objects.reason(error)
        raise TrainingError(f"{_where(error, assembly)} failed: {reason}") from error


@contextmanager
def _in_memory(intake: Intake) -> Iterator[None]:
    """Within it, what does not fit into memory is said with what to change."""
    try:
        yield
    except TOO_LARGE as error:
        raise TrainingError(_too_large(intake)) from error


def _too_large(intake: Intake) -> str:
    """What would not fit into memory, and what to change."""
    batch_size, shape = intake.spec.training.batch_size, intake.preparation.shape
    rows = len(intake.dataset.train) + len(intake.dataset.test)
    row = math.prod(shape) * FLOAT_BYTES
    return (
        f"out of memory: {rows:,} rows, prepared {size(rows * row)} in all, and batch_size "
        f"{batch_size:,}, {size(min(batch_size, rows) * row)} a step before the first layer; "
        "a smaller batch_size, smaller layers or fewer columns need less"
    )


def _where(error: BaseException, assembly: Assembly) -> str:
    """Which callback an error comes from, or that it comes from the engine."""
    frames = traceback.extract_tb(error.__traceback__)
    names = [component.name for component in assembly.intake.spec.training.callbacks]
    for name in names:
        file = inspect.getsourcefile(getattr(keras.callbacks, name))
        if any(frame.filename == file for frame in frames):
            return f"the callback {name}"
    return f"training with the {assembly.engine} engine"
