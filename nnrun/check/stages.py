"""Stages of the training that name layers which the model has not, or never begin."""

from __future__ import annotations

from collections.abc import Iterator

from nnrun.check.subject import Subject
from nnrun.errors import Misfit
from nnrun.spec import composites
from nnrun.spec.experiment import Experiment
from nnrun.spec.finding import Finding
from nnrun.spec.suggest import nearest
from nnrun.spec.words import nearby, shown


def misfits(spec: Experiment) -> Iterator[Misfit]:
    """Layers to freeze that are not there."""
    known = [name for layer in composites.within([*spec.model]) for name in composites.names(layer)]
    known = sorted({*known} - {"Block"})
    for stage, each in enumerate(spec.training.stages):
        for position, name in enumerate(each.freeze):
            if name not in known:
                path = ("training", "stages", stage, "freeze", position)
                guess = nearest(name, known)
                there_are = f"there are {nearby(name, known, 'in the model')}"
                hint = f"did you mean {shown(guess)}?" if guess else there_are
                yield Misfit("NN104", path, f"the model has no layer {shown(name)}; {hint}")


def stages_that_never_begin(about: Subject) -> Iterator[Finding]:
    """NN226."""
    training = about.spec.training
    before = 0
    for number, stage in enumerate(training.stages):
        if before >= training.epochs:
            message = f"begins after {before} epochs, and training ends after {training.epochs}"
            yield Finding("NN226", ("training", "stages", number), message)
            return
        before += stage.epochs


RULES = {"NN226": stages_that_never_begin}
