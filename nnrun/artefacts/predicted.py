"""What a run says of some rows: predictions, confusion, report; and the model that said so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from nnrun import layout
from nnrun.artefacts.kept import Kept
from nnrun.check.labels import threshold
from nnrun.intake import Intake
from nnrun.models import saved
from nnrun.records import Array
from nnrun.training import classes
from nnrun.training.compile import puts_out_logits
from nnrun.training.evaluate import Evaluator, probabilities
from nnrun.training.rows import resident

TOLERANCE = 1e-5
"""How far the outputs of the model read back may be off, absolute and relative to the value."""


def predictions(kept: Kept) -> Iterator[str]:
    """`predictions.npz` loads without pickle, and is of the rows that are scored."""
    found = _predictions(kept)
    if missing := sorted({"row", "target", "output"} - found.keys()):
        yield f"lacks {', '.join(missing)}"
        return
    split, rows = kept.intake.scored
    if not np.array_equal(found["row"], rows):
        yield f"is not of the {len(rows)} {split} rows that are scored"
    elif not np.array_equal(found["target"], getattr(kept.intake.dataset, split).y[rows]):
        yield "has other labels than the rows"
    elif found["output"].ndim != 2 or len(found["output"]) != len(rows):
        yield f"has outputs of shape {found['output'].shape}"


def confusion(kept: Kept) -> Iterator[str]:
    """`confusion.csv` counts the predictions."""
    header, rows = kept.table(layout.CONFUSION)
    names = list(kept.classes)
    counts = classes.confusion(*_guess(kept), names)
    if header[1:] != names or [row[0] for row in rows] != names:
        yield "does not name the classes"
    elif [row[1:] for row in rows] != counts.astype(str).tolist():
        yield "counts something else than the predictions"


def report(kept: Kept) -> Iterator[str]:
    """`classification_report.json` judges the predictions."""
    expected = json.loads(json.dumps(classes.report(*_guess(kept), kept.classes)))
    if kept.json(layout.REPORT) != expected:
        yield "judges something else than the predictions"


def model(kept: Kept) -> Iterator[str]:
    """`model.keras` loads in Keras's safe mode and predicts what was written down."""
    loaded = saved.read(kept.present(layout.MODEL))
    known = _predictions(kept)["output"]
    output = _outputs(loaded, kept.intake)
    if output.shape != known.shape:
        yield f"puts out rows of {output.shape[1]}, predictions.npz has rows of {known.shape[1]}"
    elif not np.allclose(output, known, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
        furthest = np.abs(output - known).max()
        yield f"predicts something else than predictions.npz, by up to {furthest:.2g}"


def _predictions(kept: Kept) -> dict[str, Array]:
    kept.present(layout.PREDICTIONS)
    return kept.run.read_arrays(layout.PREDICTIONS)


def _guess(kept: Kept) -> tuple[Array, Array]:
    """True and predicted classes, each of shape `(rows,)`."""
    found = _predictions(kept)
    border = threshold(kept.intake.spec.training.loss.name)
    return found["target"], classes.predicted(found["output"], threshold=border)


def _outputs(loaded: Any, intake: Intake) -> Array:
    """What the model says of the scored rows, as the run wrote it down."""
    split, indices = intake.scored
    source = getattr(intake.dataset, split)
    preparation = intake.preparation
    labels = intake.labels(source.y, loaded.output_shape[-1])
    rows = resident(preparation.store(source.x), labels, preparation.state)
    output = Evaluator(loaded, preparation).outputs(rows, indices)
    return probabilities(output) if puts_out_logits(intake.spec.training) else output
