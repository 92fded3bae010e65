"""What an exported model wants and says, written down for whoever uses it without nnrun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nnrun import layout
from nnrun.check.labels import are_probabilities
from nnrun.exporting.formats import INPUT
from nnrun.prediction import Subject

if TYPE_CHECKING:
    from nnrun.exporting.flow import Exported

# What the numbers are that come out.
PROBABILITIES, SCORES, VALUES = "probabilities", "scores", "values"


def name(subject: Subject) -> str:
    """Of the run; that of a cross-validation on all training rows is named after both."""
    path = subject.run.path.resolve()
    return f"{path.parent.name}-{path.name}" if path.name == layout.FINAL else path.name


def description(subject: Subject, found: Exported, output: tuple[int, ...]) -> dict[str, Any]:
    """Rows, outputs, and how rows are prepared, as JSON holds them.

    Args:
        subject: the run.
        found: the export.
        output: shape of what the model says of one row.
    """
    prepared = subject.run.read_json(layout.PREPARATION)
    x = found.asked.x
    said: dict[str, Any] = {
        "schema_version": layout.SCHEMA_VERSION,
        "run": name(subject),
        "dataset": subject.name,
        "format": str(found.format),
        "input": {
            "name": INPUT,
            "shape": [found.batch, *x.shape[1:]],
            "dtype": str(x.dtype),
        },
        "output": {
            "shape": [found.batch, *output],
            "dtype": "float32",
            "holds": _holds(subject),
            "target": subject.target,
            "classes": list(subject.classes),
        },
        "rows": prepared["rows"],
        "prepare": prepared["steps"],
        "compared": {
            "rows": len(x),
            "source": found.asked.source,
            "largest_difference": found.difference,
            "tolerance": found.tolerance,
        },
    }
    if subject.run.holds(layout.WORDS):
        said["words"] = subject.run.read_json(layout.WORDS)
    return said


def _holds(subject: Subject) -> str:
    """What the numbers are that come out."""
    training = subject.spec.training
    if not subject.classes:
        return VALUES
    from_logits = training.loss.arguments.get("from_logits") is True
    return PROBABILITIES if are_probabilities(training) and not from_logits else SCORES
