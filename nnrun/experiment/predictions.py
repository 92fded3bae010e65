"""What a run's predictions are described by: confusion, report, pictures. Needs no TensorFlow."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from nnrun import plots
from nnrun.data.datasets import decoded
from nnrun.data.labels import (
    classification_report,
    confidence,
    confusion_matrix,
    load_scikit_learn,
    predicted_classes,
)
from nnrun.runs import Run, layout
from nnrun.spec.labels import are_probabilities, threshold
from nnrun.spec.training import Training
from nnrun.types import Array, Dataset, Inputs, Sequences, Split


@dataclass(frozen=True)
class Predictions:
    """What a model, or one model per fold, says of some rows.

    Args:
        dataset: that the rows are of.
        split: `train` or `test`.
        rows: numbers of the rows in that split.
        output: probabilities or values, of shape `(rows, units)`.
        more: arrays of shape `(rows,)` to be kept beside them.
    """

    dataset: Dataset
    split: str
    rows: Array
    output: Array
    more: Mapping[str, Array] = field(default_factory=dict)

    @property
    def _source(self) -> Split:
        split: Split = getattr(self.dataset, self.split)
        return split

    @property
    def target(self) -> Array:
        """The true class or value of each row, shape `(rows,)`."""
        return self._source.y[self.rows]

    @property
    def x(self) -> Inputs:
        """The inputs that the rows are taken from."""
        return self._source.x


@contextmanager
def preload(dataset: Dataset) -> Iterator[None]:
    """Beside what is within it, which trains, loads what `write` needs: that takes a second."""
    beside = threading.Thread(target=lambda: load(dataset), daemon=True)
    beside.start()
    try:
        yield
    finally:
        beside.join()


def load(dataset: Dataset) -> None:
    """Loads Matplotlib, and scikit-learn where there are classes."""
    plots.style.preload()
    if dataset.classes:
        load_scikit_learn()


def write(run: Run, found: Predictions, training: Training) -> None:
    """Writes predictions, and what can be seen in them, into a run folder."""
    run.write_arrays(
        layout.PREDICTIONS, row=found.rows, target=found.target, output=found.output, **found.more
    )
    names = found.dataset.classes
    if not names:
        figure = plots.predicted_against_true(
            found.target, found.output[:, 0], name=found.dataset.target
        )
        run.write_figure("predicted", figure)
        return
    guess = predicted_classes(found.output, threshold=threshold(training.loss.name))
    counts = confusion_matrix(found.target, guess, names)
    header = ["true \\ predicted", *names]
    rows = [[name, *row] for name, row in zip(names, counts.tolist(), strict=True)]
    run.write_table(layout.CONFUSION, [header, *rows])
    run.write_json(layout.REPORT, classification_report(found.target, guess, names))
    run.write_figure("confusion", plots.confusion(counts, names))
    _gallery(run, found, guess, probable=are_probabilities(training))


def _gallery(run: Run, found: Predictions, guess: Array, *, probable: bool) -> None:
    names, x = found.dataset.classes, found.x
    many = plots.MAX_TEXTS if isinstance(x, Sequences) else plots.MAX_IMAGES
    labels = [names[index] for index in found.target[:many]]
    guesses = [names[index] for index in guess[:many]]
    sure = confidence(found.output[:many]).tolist() if probable else None
    if isinstance(x, Sequences):
        texts = decoded(found.dataset, x, found.rows[:many])
        run.write_figure("gallery", plots.text_gallery(texts, labels, guesses, confidence=sure))
    elif x.ndim > 2:
        pictures = x[found.rows[:many]]
        run.write_figure("gallery", plots.image_gallery(pictures, labels, guesses, confidence=sure))
