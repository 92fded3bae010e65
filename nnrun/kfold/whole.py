"""A cross-validation with its folder, and which of its parts are there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from nnrun import layout
from nnrun.errors import NnrunError
from nnrun.intake import Material
from nnrun.records import Fold
from nnrun.runs import Run
from nnrun.spec.experiment import Experiment
from nnrun.spec.loading import digest


@dataclass
class Whole:
    """A cross-validation with its folder.

    Args:
        began: when work on it began, by `time.perf_counter`.
        failed: why each part failed that did.
        before: seconds that were spent on it before it was stopped.
    """

    run: Run
    material: Material
    folds: Sequence[Fold]
    began: float
    failed: dict[str, str] = field(default_factory=dict)
    before: float = 0.0

    def __post_init__(self) -> None:
        # Of one that was stopped: what the folds took that are there.
        self.before = sum(run.metrics()["seconds"]["total"] for _, run in self.finished)

    @property
    def seconds(self) -> float:
        """Spent on it in all."""
        return self.before + time.perf_counter() - self.began

    def part(self, name: str) -> Run:
        """The run of a fold, or of all rows."""
        return Run(self.run.path / name)

    def has(self, name: str, spec: Experiment | None = None) -> bool:
        """Whether a part is there and finished, with all that is needed of it.

        Args:
            name: from `layout`.
            spec: what it should be of, by default the experiment as a whole.
        """
        spec = spec or self.material.spec
        part = self.part(name)
        try:
            record = part.record()
            for needed in (layout.METRICS, layout.JOURNAL, layout.PREDICTIONS):
                part.read_bytes(needed)
        except NnrunError:
            # Damaged, or not there: it is made again.
            return False
        wanted = (layout.FINISHED, spec.training.epochs, digest(spec))
        return (record["status"], record.get("epochs"), record.get("spec_digest")) == wanted

    def lost(self, name: str, reason: str) -> None:
        """Says in a part's record what it could not say itself any more."""
        with suppress(NnrunError):
            self.part(name).update(status=layout.FAILED, error=reason)

    @property
    def finished(self) -> list[tuple[Fold, Run]]:
        """The folds that are there, each with its run."""
        names = [(fold, layout.fold(fold.number)) for fold in self.folds]
        return [(fold, self.part(name)) for fold, name in names if self.has(name)]
