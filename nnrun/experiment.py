"""One experiment, from its rows to a finished run folder."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import keras
import tensorflow as tf

from nnrun import keras_objects, recording, runs
from nnrun.assembly import Assembly, assemble
from nnrun.errors import TrainingError
from nnrun.intake import Intake
from nnrun.models.build import REFUSALS
from nnrun.recording import Origin, Recorder
from nnrun.records import Observer
from nnrun.runs import Run
from nnrun.training import callbacks, devices
from nnrun.training.fit import Trainer

# What callbacks and kernels raise in the middle of training.
FROM_KERAS = (*REFUSALS, KeyError, OSError, RuntimeError, ImportError)


def train(
    intake: Intake,
    *,
    root: Path,
    origin: Origin,
    observer: Observer,
    clock: Callable[[], datetime] = datetime.now,
) -> Run:
    """Trains, tests and records one experiment.

    Args:
        intake: rows, split and preparation.
        root: the folder of all runs.
        origin: where the spec came from and what was spent so far.
        observer: is told how it goes.
        clock: tells the local time.

    Returns:
        The finished run.

    Raises:
        Misfit: the model cannot be built; no folder is made.
        TrainingError: training had to stop; the folder keeps what there is.
        KeyboardInterrupt: as soon as what there is has been kept.
    """
    device = devices.choose(intake.spec.training.device)
    with tf.device(devices.tensorflow_name(device)):
        assembly = assemble(intake, device, observer)
        record = recording.first_record(assembly, origin)
        run = runs.create(root, intake.spec.name, now=clock(), record=record)
        recorder = Recorder(run, observer, origin)
        observer.run_began(run.path)
        with recording.kept(recorder, assembly, clock):
            for notice in intake.notices:
                recorder.notice(notice)
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
    trainer = Trainer(
        assembly.model,
        intake.preparation,
        training,
        engine=assembly.engine,
        evaluator=assembly.evaluator,
    )
    callbacks.make_folders(training.callbacks, recorder.run.path)
    listeners = callbacks.build(training.callbacks, recorder.run.path)
    try:
        trainer.fit(
            assembly.train, intake.fold, seed=intake.seed, callbacks=listeners, observer=recorder
        )
    except tf.errors.ResourceExhaustedError as error:
        message = f"out of memory with batch_size {training.batch_size}; a smaller one needs less"
        raise TrainingError(message) from error
    except FROM_KERAS as error:
        # Whole into the log, because only the first line of it helps a person.
        traceback.print_exc()
        reason = keras_objects.reason(error)
        raise TrainingError(f"{_where(error, assembly)} failed: {reason}") from error


def _where(error: BaseException, assembly: Assembly) -> str:
    """Which callback an error comes from, or that it comes from the engine."""
    frames = traceback.extract_tb(error.__traceback__)
    names = [component.name for component in assembly.intake.spec.training.callbacks]
    for name in names:
        file = inspect.getsourcefile(getattr(keras.callbacks, name))
        if any(frame.filename == file for frame in frames):
            return f"the callback {name}"
    return f"training with the {assembly.engine} engine"
