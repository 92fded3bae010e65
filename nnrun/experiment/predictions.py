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
from nnrun.types import Array, Dataset, Sequences, Split


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
    def source(self) -> Split:
        """The split that the rows are taken from."""
        return self.dataset.train if self.split == "train" else self.dataset.test


@contextmanager
def preload(dataset: Dataset) -> Iterator[None]:
    """Loads the packages that `write` needs in another thread: that takes a second."""
    thread = threading.Thread(target=load, args=(dataset,), daemon=True)
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
    names, output = predicted.dataset.classes, predicted.output
    target = predicted.source.y[predicted.rows]
    # As the source numbers them, so that predictions can be joined with it.
    numbers = predicted.source.row_numbers(predicted.rows)
    run.write_arrays(
        layout.PREDICTIONS, row=numbers, target=target, output=output, **predicted.more
    )
    if not names:
        figure = plots.predicted_against_true(
            target, output[:, 0], name=predicted.dataset.target.name
        )
        run.write_figure("predicted", figure)
        return
    classes = predicted_classes(output, threshold=threshold(training.loss.name))
    counts = confusion_matrix(target, classes, names)
    rows = [[name, *row] for name, row in zip(names, counts.tolist(), strict=True)]
    run.write_table(layout.CONFUSION, [["true \\ predicted", *names], *rows])
    run.write_json(layout.REPORT, classification_report(target, classes, names))
    run.write_figure("confusion", plots.confusion(counts, names))
    _write_gallery(run, predicted, classes, probable=are_probabilities(training))


def _write_gallery(run: Run, predicted: Predictions, classes: Array, *, probable: bool) -> None:
    """Draws the first texts or images with their true and predicted classes."""
    names, x = predicted.dataset.classes, predicted.source.x
    is_text = isinstance(x, Sequences)
    rows = predicted.rows[: plots.MAX_TEXTS if is_text else plots.MAX_IMAGES]
    labels = [names[index] for index in predicted.source.y[rows]]
    predictions = [names[index] if index >= 0 else "-" for index in classes[: len(rows)]]
    sure = confidence(predicted.output[: len(rows)]).tolist() if probable else None
    if isinstance(x, Sequences):
        texts = decoded(predicted.dataset, x, rows)
        figure = plots.text_gallery(texts, labels, predictions, confidence=sure)
        run.write_figure("gallery", figure)
    elif x.ndim > 2:
        figure = plots.image_gallery(x[rows], labels, predictions, confidence=sure)
        run.write_figure("gallery", figure)
