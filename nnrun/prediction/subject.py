"""A run that can be asked: its model, its spec, and how it prepares rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nnrun import layout
from nnrun.appearance import Appearance
from nnrun.errors import CommandError
from nnrun.prediction import fitted
from nnrun.prediction.fitted import Fitted
from nnrun.records import Vocabulary
from nnrun.runs import Run
from nnrun.spec.experiment import Experiment
from nnrun.spec.loading import load


@dataclass(frozen=True)
class Subject:
    """A run with a model; of a cross-validation the one on all training rows.

    Args:
        run: its folder.
        spec: the experiment, as the run wrote it down.
        fitted: what rows look like, and how they are prepared.
    """

    run: Run
    spec: Experiment
    fitted: Fitted

    @property
    def looks(self) -> Appearance:
        """What rows look like before they are prepared."""
        return self.fitted.looks

    @property
    def name(self) -> str:
        """Of the data set."""
        return self.spec.dataset.name

    @property
    def classes(self) -> tuple[str, ...]:
        """One name per class; empty for a regression."""
        return self.fitted.classes

    @property
    def target(self) -> str:
        """What a label says."""
        return self.looks.target

    @property
    def notices(self) -> tuple[str, ...]:
        """What a person should know of the model."""
        status = self.run.status()
        if status == layout.FINISHED:
            return ()
        return (f"{self.run.path} was {status}; its model is the one of that moment",)

    def vocabulary(self) -> Vocabulary:
        """How texts are encoded.

        Raises:
            CommandError: the run has no words.
            RunError: they cannot be read.
        """
        return fitted.vocabulary(self.run, self.fitted)


def subject(path: Path) -> Subject:
    """Reads what is needed of a run but its model.

    Raises:
        NotARun: the folder holds no run.
        CommandError: it has no model, or not one alone.
        RunError: a file of it is damaged, or says what no run says.
        SpecError: its spec is none.
    """
    run = _with_model(path)
    return Subject(run, load(run.whole(layout.SPEC)).experiment, fitted.read(run))


def _with_model(path: Path) -> Run:
    """The run that has the model.

    Raises:
        CommandError: there is none.
    """
    run = Run(path)
    record = run.record()
    if "fold" in record:
        raise CommandError(
            f"{path} is a fold, whose model has seen a part of the training rows; "
            f"`nnrun kfold {path.resolve().parent / layout.SPEC} --final` trains one on all"
        )
    if "folds" in record:
        final = Run(path / layout.FINAL)
        if not final.holds(layout.MODEL):
            raise CommandError(
                f"{path} has a model per fold and none on all training rows; "
                f"`nnrun kfold {path / layout.SPEC} --final` trains one"
            )
        return final
    if not run.holds(layout.MODEL):
        status = run.status()
        remedy = "wait" if status == layout.RUNNING else f"`nnrun resume {path}` goes on"
        raise CommandError(f"{path} is {status} and has no model yet; {remedy}")
    return run
