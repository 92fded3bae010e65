"""Writes predictions with confusion matrix, report and plots. Needs no TensorFlow."""

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
    """The output of a model, or of one model per fold, for some rows.

    Args:
        dataset: of the rows.
        split: `train` or `test`.
        rows: numbers of the rows in that split.
        output: probabilities or values, of shape `(rows, units)`.
        more: further arrays of shape `(rows,)` to write.
    """

    dataset: Dataset
    split: str
    rows: Array
    output: Array
    more: Mapping[str, Array] = field(default_factory=dict)

    @property
    def _rows_of_split(self) -> Split:
        return self.dataset.train if self.split == "train" else self.dataset.test

    @property
    def target(self) -> Array:
        """The true class or value of each row, shape `(rows,)`."""
        return self._rows_of_split.y[self.rows]

    @property
    def x(self) -> Inputs:
        """The inputs that the rows are taken from."""
        return self._rows_of_split.x


@contextmanager
def preload(dataset: Dataset) -> Iterator[None]:
    """Loads the packages that `write` needs in another thread: that takes a second."""
    thread = threading.Thread(target=lambda: load(dataset), daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def load(dataset: Dataset) -> None:
    """Loads Matplotlib, and scikit-learn where there are classes."""
    plots.style.preload()
    if dataset.classes:
        load_scikit_learn()


def write(run: Run, predicted: Predictions, training: Training) -> None:
    """Writes predictions and their plots into a run folder."""
    run.write_arrays(
        layout.PREDICTIONS,
        row=predicted.rows,
        target=predicted.target,
        output=predicted.output,
        **predicted.more,
    )
    names = predicted.dataset.classes
    if not names:
        figure = plots.predicted_against_true(
            predicted.target, predicted.output[:, 0], name=predicted.dataset.target
        )
        run.write_figure("predicted", figure)
        return
    classes = predicted_classes(predicted.output, threshold=threshold(training.loss.name))
    counts = confusion_matrix(predicted.target, classes, names)
    header = ["true \\ predicted", *names]
    rows = [[name, *row] for name, row in zip(names, counts.tolist(), strict=True)]
    run.write_table(layout.CONFUSION, [header, *rows])
    run.write_json(layout.REPORT, classification_report(predicted.target, classes, names))
    run.write_figure("confusion", plots.confusion(counts, names))
    _gallery(run, predicted, classes, probable=are_probabilities(training))


def _gallery(run: Run, predicted: Predictions, classes: Array, *, probable: bool) -> None:
    names, x = predicted.dataset.classes, predicted.x
    count = plots.MAX_TEXTS if isinstance(x, Sequences) else plots.MAX_IMAGES
    labels = [names[index] for index in predicted.target[:count]]
    predictions = [names[index] for index in classes[:count]]
    sure = confidence(predicted.output[:count]).tolist() if probable else None
    if isinstance(x, Sequences):
        texts = decoded(predicted.dataset, x, predicted.rows[:count])
        run.write_figure("gallery", plots.text_gallery(texts, labels, predictions, confidence=sure))
    elif x.ndim > 2:
        pictures = x[predicted.rows[:count]]
        run.write_figure(
            "gallery", plots.image_gallery(pictures, labels, predictions, confidence=sure)
        )
