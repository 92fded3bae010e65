"""An experiment with what is known of its rows and of its model before there is either."""

from __future__ import annotations

from dataclasses import dataclass

from nnrun.errors import Misfit
from nnrun.shapes import Row, Trace, trace
from nnrun.spec.experiment import Experiment
from nnrun.spec.profile import Profile, dtype_after, prepared, profile


@dataclass(frozen=True)
class Subject:
    """An experiment as it is looked at.

    Args:
        known: of its data set.
        row: what the model gets to see; None where the steps do not fit the data.
        trace: the shapes of its layers; None likewise.
    """

    spec: Experiment
    known: Profile
    row: Row | None
    trace: Trace | None

    @property
    def units(self) -> int | None:
        """Width of the model's output, as far as it is known."""
        shape = self.trace.shape if self.trace else None
        return shape[0] if shape and len(shape) == 1 else None


def subject(spec: Experiment) -> Subject:
    """Looks up what is known of an experiment."""
    known, steps = profile(spec.dataset), spec.dataset.prepare
    if known.open:
        return Subject(spec, known, None, None)
    try:
        shape = prepared(known, steps)
    except Misfit:
        return Subject(spec, known, None, None)
    row = Row(shape or (), dtype_after(steps))
    return Subject(spec, known, row, trace(spec.model, row))
