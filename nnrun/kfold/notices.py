"""What a person should know about a cross-validation before its first fold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nnrun import intake, sanity
from nnrun.check import lint, subject
from nnrun.intake import Material
from nnrun.records import Fold
from nnrun.spec import catalogue
from nnrun.spec.experiment import Experiment


def of(material: Material, folds: Sequence[Fold]) -> list[str]:
    """The warnings about spec and rows, and what is special about their folds."""
    spec, dataset = material.spec, material.dataset
    found = [*lint.findings(subject(spec)), *sanity.fold_notices(dataset, folds)]
    return [
        *intake.told(found, spec),
        *_stopped_by_what_they_are_judged_by(spec),
        *_smoothed_away(spec),
    ]


def _stopped_by_what_they_are_judged_by(spec: Experiment) -> Iterable[str]:
    """Callbacks that choose an epoch by the rows that the fold is then judged by."""
    for callback in spec.training.callbacks:
        monitor = catalogue.monitor(callback) or ""
        if callback.name == "EarlyStopping" and monitor.startswith("val_"):
            yield (
                "EarlyStopping chooses each fold's epoch by the rows that judge the fold, "
                "so validation looks a little better than it is"
            )


def _smoothed_away(spec: Experiment) -> Iterable[str]:
    """A curve of which smoothing would leave nothing."""
    rule, epochs = spec.validation.kfold, spec.training.epochs
    if rule and rule.smooth and rule.smooth.skip >= epochs:
        yield f"not smoothed: of {epochs} epochs, skip: {rule.smooth.skip} leaves none"
