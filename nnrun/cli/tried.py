"""How the trial of a spec went."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nnrun.errors import SpecError

PASSED = "passed"
FAILED = "failed"
REFUSED = "refused"
"""The spec cannot be loaded, or does not fit the data."""
INTERRUPTED = "interrupted"
UNTRIED = "not tried"

_CODES = {PASSED: 0, FAILED: 1, REFUSED: 2}


@dataclass
class Tried:
    """A spec, and how its trial went as soon as there was one.

    Args:
        spec: as the person named it.
        name: the experiment's, once it is loaded.
        status: one of the words above.
        data: `real` or `synthetic`, once the rows are there.
        seconds: without those that TensorFlow took to load.
        errors: a line each.
        trace: of an error that is ours to mend.
        skipped: keys of the spec that a trial does not look at.
        path: of the run folder, where it is kept.
        metrics: what the run's `metrics.json` says.
    """

    spec: str
    name: str = ""
    status: str = UNTRIED
    data: str = ""
    seconds: float = 0.0
    errors: tuple[str, ...] = ()
    trace: str = ""
    skipped: tuple[str, ...] = ()
    path: Path | None = None
    metrics: dict[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> int:
        """What the command ends with if all others pass."""
        return _CODES.get(self.status, 1)

    @property
    def rows(self) -> str:
        """Which rows it was tried on."""
        return f"{self.data} rows" if self.data else ""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Its errors, each with the spec in front; a fault of a file has its place there already."""
        spec = self.spec
        return tuple(each if each.startswith(spec) else f"{spec}: {each}" for each in self.errors)

    @property
    def result(self) -> str:
        """The status, and what was not looked at."""
        return ", ".join([self.status, *(f"{key} skipped" for key in self.skipped)])

    def refuse(self, error: SpecError) -> None:
        """Notes that the spec has faults."""
        # Only a refused spec needs it.
        from nnrun.spec.rendering import render

        self.status = REFUSED
        # The first line says it; those below it show the place in the file.
        self.errors = tuple(render(fault).splitlines()[0] for fault in error.faults)

    def as_json(self) -> dict[str, Any]:
        """Of the same keys as a run in every verb's `--json`, and some of its own."""
        own: dict[str, Any] = {"spec": self.spec, "data": self.data or None}
        error = {"error": "; ".join(self.errors)} if self.errors else {}
        return {
            "path": str(self.path) if self.path else None,
            "name": self.name or None,
            "status": self.status,
            **error,
            **own,
            "seconds": round(self.seconds, 3),
            "skipped": list(self.skipped),
            "metrics": self.metrics,
        }
