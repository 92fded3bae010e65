"""One fold of an experiment: load, split, prepare, build, fit, evaluate, record.

`nnrun train`, each fold of `nnrun kfold`, `nnrun smoke` and `nnrun verify` train here. TensorFlow
loads in `build`, so that errors in the data are reported without waiting for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nnrun.data import splits
from nnrun.experiment.inputs import PreparedData, load_data, prepare_fold
from nnrun.runs import Run
from nnrun.spec.experiment import Experiment
from nnrun.types import Observer

if TYPE_CHECKING:
    from nnrun.experiment.recorder import RunContext
    from nnrun.experiment.setup import TrainingSetup

Folder = Callable[[dict[str, object]], Run]
"""Makes the run folder from the first content of its record."""


def load_and_prepare(spec: Experiment) -> PreparedData:
    """Loads, splits and prepares the data of an experiment with a hold-out or no validation.

    Raises:
        DataError: the data are missing or not finite.
        IncompatibleSpec: spec and data do not fit together.
    """
    raw = load_data(spec)
    dataset = raw.dataset
    fold = splits.holdout(spec.validation, dataset.train, seed=raw.seed)
    return prepare_fold(raw, fold)


def build(
    prepared: PreparedData,
    observer: Observer,
    *,
    device: str = "auto",
    previous: TrainingSetup | None = None,
) -> TrainingSetup:
    """Builds and compiles the model of a fold and copies the rows to the device.

    Args:
        prepared: rows, split and preparation.
        observer: is notified, because this takes a while.
        device: the meaning of `auto` in the spec.
        previous: of another fold of the same experiment; its model and traced functions are reused.

    Raises:
        IncompatibleSpec: the model cannot be built, or does not fit the labels.
        TrainingError: rows or model do not fit into memory.
    """
    from nnrun.experiment import setup  # noqa: PLC0415 - TensorFlow loads here

    return setup.build(prepared, observer, device=device, previous=previous)


def train(setup: TrainingSetup, folder: Folder, *, context: RunContext, observer: Observer) -> Run:
    """Fits, evaluates and records one fold.

    Args:
        setup: from `build`.
        folder: called just before training.
        context: the source of the spec and the time spent so far.
        observer: receives the progress.

    Returns:
        The finished run.

    Raises:
        TrainingError: training had to stop; the folder keeps its results so far.
        KeyboardInterrupt: after the results so far have been written.
    """
    from nnrun.experiment.recorder import Recorder, first_record  # noqa: PLC0415 - loads TensorFlow

    with setup.on_device():
        run = folder(first_record(setup, context))
        record = Recorder(run, observer, context, setup)
        with record.keep_run(), setup.check_memory():
            record.begin()
            setup.fit(run.path, record, start=record.start, save_state=record.save_state)
            observer.stage("testing")
            record.finish(*setup.evaluate())
    return run
