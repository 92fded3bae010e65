"""A trial from its rows to the verdict."""

from __future__ import annotations

from typing import Any

from nnrun import artefacts, experiment
from nnrun.errors import RunError
from nnrun.experiment import Folder
from nnrun.recording import Origin
from nnrun.records import Observer
from nnrun.runs import Run
from nnrun.smoke.rows import Trial


def carry_out(trial: Trial, folder: Folder, *, origin: Origin, observer: Observer) -> Run:
    """Trains, tests and records as `nnrun train` does, then reads every file back.

    Args:
        trial: the rows, and what is left of the experiment.
        folder: makes the run folder; its record says that this is a trial.
        origin: where the spec came from and what was spent so far.
        observer: is told how it goes.

    Returns:
        The finished run.

    Raises:
        Misfit: the model cannot be built.
        TrainingError: training had to stop.
        RunError: a file cannot be written, or does not say what it should when it is read back.
        KeyboardInterrupt: as soon as what there is has been kept.
    """

    def marked(record: dict[str, Any]) -> Run:
        return folder({**record, "verb": "smoke", "data": trial.data})

    run = experiment.train(trial.intake, marked, origin=origin, observer=observer)
    observer.stage("reading back")
    faults = artefacts.faults(run, trial.intake)
    if faults:
        raise RunError("; ".join(faults))
    return run
