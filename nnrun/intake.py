"""What an experiment is fed: rows, split and preparation. Imports neither Keras nor TensorFlow.

Everything that can be refused without building the model is refused here, before
TensorFlow is loaded.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from nnrun import crossval, datasets, prepare, sanity, targets
from nnrun.prepare import Preparation
from nnrun.records import Array, Dataset, Fold
from nnrun.spec.experiment import Experiment


@dataclass(frozen=True)
class Intake:
    """All that is known before the model is built.

    Args:
        spec: with a seed, also where the person left it to chance.
        notices: what a person should know of the rows.
        seconds: spent reading and preparing.
    """

    spec: Experiment
    dataset: Dataset
    digest: str
    fold: Fold
    preparation: Preparation
    notices: tuple[str, ...]
    seconds: float

    @property
    def seed(self) -> int:
        """The experiment's seed, drawn where the spec said `null`."""
        assert self.spec.seed is not None
        return self.spec.seed

    def labels(self, y: Array, units: int) -> Array:
        """Labels as the loss needs them, for a model that puts out so many units."""
        return targets.encode(y, self.spec.training, classes=len(self.dataset.classes), units=units)


def take_in(spec: Experiment) -> Intake:
    """Reads, splits and prepares the data of an experiment.

    Raises:
        DataError: the data cannot be had.
        Misfit: spec and data do not go together.
    """
    began = time.perf_counter()
    spec = spec if spec.seed is not None else spec.model_copy(update={"seed": secrets.randbits(31)})
    dataset = datasets.load(spec.dataset)
    units = targets.output_units(spec.model)
    if units is not None:
        targets.check(dataset, spec, units)
    assert spec.seed is not None
    fold = crossval.holdout(spec.validation, dataset.train.y, seed=spec.seed)
    sanity.check_word_indices(dataset, spec)
    preparation = prepare.fit(spec.dataset.prepare, dataset.train.x, rows=fold.train)
    digest = datasets.digest(dataset)
    notices = (*targets.notices(spec), *sanity.notices(dataset, fold))
    seconds = time.perf_counter() - began
    return Intake(spec, dataset, digest, fold, preparation, notices, seconds)
