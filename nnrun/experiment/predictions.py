"""Writes predictions with confusion matrix, report and plots. Needs no TensorFlow."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from nnrun import plots
from nnrun.data.datasets import decoded
from nnrun.data.labels import (
    classification_report,
    confidence,
    confusion_matrix,
    join_labels,
    label_confusion,
    load_scikit_learn,
    position_confusion,
    position_report,
    predicted_classes,
    predicted_labels,
    squared_errors,
    value_report,
)
from nnrun.runs import Run, layout
from nnrun.spec.labels import are_probabilities, threshold
from nnrun.spec.training import Training
from nnrun.types import Array, Dataset, NamedInputs, Sequences, Split, Windows

MOST_POINTS = 5000  # of a plot of predicted and true values


@dataclass(frozen=True)
class Predictions:
    """The output of a model, or of one model per fold, for some rows.

    Args:
        dataset: of the rows.
        split: `train` or `test`.
        rows: numbers of the rows in that split.
        output: probabilities or values, of shape `(rows, units)`.
        more: further arrays of shape `(rows,)` to write.
        target: the prepared inputs, if they are the labels.
    """

    dataset: Dataset
    split: str
    rows: Array
    output: Array
    more: Mapping[str, Array] = field(default_factory=dict)
    target: Array | None = None

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
    if dataset.target.kind in ("class", "labels"):
        load_scikit_learn()


def write(run: Run, predicted: Predictions, training: Training) -> None:
    """Writes predictions and their plots into a run folder."""
    target, more = predicted.source.y[predicted.rows], dict(predicted.more)
    if predicted.target is not None:
        target = predicted.target
        more["error"] = squared_errors(target, predicted.output)
    # As the source numbers them, so that predictions can be joined with it.
    numbers = predicted.source.row_numbers(predicted.rows)
    tests = predicted.source.tests
    if tests is not None:
        more["test_set"] = tests[predicted.rows]
    arrays = {"row": numbers, "target": target, "output": predicted.output, **more}
    if predicted.output.ndim > 2 or predicted.target is not None:
        # The pixels of many pictures.
        halves = {key: arrays[key].astype(np.float16) for key in ("target", "output")}
        arrays |= {key: value for key, value in halves.items() if arrays[key].dtype.kind == "f"}
    run.write_arrays(layout.PREDICTIONS, **arrays)
    match predicted.dataset.target.kind:
        case "class" if predicted.dataset.target.shape:
            _write_positions(run, predicted, target, training)
        case "class":
            _write_classes(run, predicted, target, training)
        case "labels":
            _write_labels(run, predicted, target, training)
        case _:
            _write_values(run, predicted, target)


def _write_values(run: Run, predicted: Predictions, target: Array) -> None:
    names, output = predicted.dataset.target.names, predicted.output
    if predicted.target is not None:
        output = output.reshape(target.shape)
        features = predicted.dataset.features
        names = features if target.shape[1:] == (len(features),) else ()
    if predicted.target is not None and not names:
        x = predicted.source.single
        shape = target.shape if isinstance(x, Sequences) else (len(target), *x.shape[1:])
        is_same = math.prod(shape) == target.size
        shape = shape if is_same else target.shape
        _write_reconstructions(run, target.reshape(shape), output.reshape(shape))
        figure = plots.predicted_against_true(*_points(target, output), name="values")
    elif target.ndim > 2:
        output = output.reshape(target.shape)
        figure = plots.predicted_against_true(*_points(target, output), name="values")
        _write_pictures(run, predicted, target, output)
    elif not names:
        figure = plots.predicted_against_true(target, output, name=predicted.dataset.target.name)
    else:
        listed = [*map(str, names)]
        run.write_json(layout.VALUES, value_report(target, output, listed))
        figure = plots.values_against_true(target, output, listed)
    run.write_figure("predicted", figure)


def _points(target: Array, output: Array) -> tuple[Array, Array]:
    """Some of all values, to be drawn."""
    some = slice(None, None, -(-target.size // MOST_POINTS))
    return target.ravel()[some], output.ravel()[some]


def _write_reconstructions(run: Run, target: Array, output: Array) -> None:
    """Draws the first prepared pictures beside their reconstructions."""
    if target.ndim > 2:
        shown = slice(0, plots.MAX_PICTURES)
        run.write_figure("gallery", plots.picture_gallery(None, target[shown], output[shown]))


def _write_positions(run: Run, predicted: Predictions, target: Array, training: Training) -> None:
    names = [*map(str, predicted.dataset.target.names)]
    classes = predicted_classes(predicted.output, threshold=threshold(training.loss.name))
    counts = position_confusion(target, classes, len(names))
    rows = [[name, *row] for name, row in zip(names, counts.tolist(), strict=True)]
    run.write_table(layout.CONFUSION, [["true \\ predicted", *names], *rows])
    run.write_json(layout.REPORT, position_report(counts, names))
    run.write_figure("confusion", plots.confusion(counts, names))
    _write_pictures(run, predicted, target, classes, classes=len(names))


def _write_pictures(
    run: Run, predicted: Predictions, target: Array, output: Array, *, classes: int = 0
) -> None:
    """Draws the first pictures beside their true and predicted pictures or masks."""
    x, shown = predicted.source.x, slice(0, plots.MAX_PICTURES)
    if isinstance(x, Sequences | NamedInputs | Windows) or x.ndim < 3 or target.ndim < 3:
        return
    pictures = x[predicted.rows[shown]]
    figure = plots.picture_gallery(pictures, target[shown], output[shown], classes=classes)
    run.write_figure("gallery", figure)


def _write_classes(run: Run, predicted: Predictions, target: Array, training: Training) -> None:
    names, output = predicted.dataset.classes, predicted.output
    classes = predicted_classes(output, threshold=threshold(training.loss.name))
    counts = confusion_matrix(target, classes, names)
    rows = [[name, *row] for name, row in zip(names, counts.tolist(), strict=True)]
    run.write_table(layout.CONFUSION, [["true \\ predicted", *names], *rows])
    run.write_json(layout.REPORT, classification_report(target, classes, names))
    run.write_figure("confusion", plots.confusion(counts, names))
    sure = confidence(output[: plots.MAX_IMAGES]).tolist() if are_probabilities(training) else None
    labels = [names[number] for number in target[: plots.MAX_IMAGES]]
    guesses = [names[number] if number >= 0 else "-" for number in classes[: plots.MAX_IMAGES]]
    _write_gallery(run, predicted, labels, guesses, sure)


def _write_labels(run: Run, predicted: Predictions, target: Array, training: Training) -> None:
    names = [*map(str, predicted.dataset.target.names)]
    guess = predicted_labels(predicted.output, threshold=threshold(training.loss.name))
    counts = label_confusion(target, guess)
    rows = [[name, *row] for name, row in zip(names, counts.reshape(-1, 4).tolist(), strict=True)]
    header = ("label", "true negatives", "false positives", "false negatives", "true positives")
    run.write_table(layout.CONFUSION, [header, *rows])
    run.write_json(layout.REPORT, classification_report(target, guess, names))
    run.write_figure("confusion", plots.label_confusions(counts, names))
    shown, guesses = (
        [join_labels(names, row) for row in rows[: plots.MAX_IMAGES]] for rows in (target, guess)
    )
    _write_gallery(run, predicted, shown, guesses, None)


def _write_gallery(
    run: Run,
    predicted: Predictions,
    labels: Sequence[str],
    guesses: Sequence[str],
    sure: Sequence[float] | None,
) -> None:
    """Draws the first texts or images with their true and predicted classes or labels."""
    for dataset in predicted.dataset.views.values():
        x = (dataset.train if predicted.split == "train" else dataset.test).single
        if isinstance(x, Sequences) or (not isinstance(x, Windows) and x.ndim > 2):
            break
    else:
        return
    count = plots.MAX_TEXTS if isinstance(x, Sequences) else plots.MAX_IMAGES
    rows, labels, guesses = predicted.rows[:count], labels[:count], guesses[:count]
    sure = sure and sure[:count]
    if isinstance(x, Sequences):
        texts = decoded(dataset, x, rows)
        figure = plots.text_gallery(texts, labels, guesses, confidence=sure)
    else:
        figure = plots.image_gallery(x[rows], labels, guesses, confidence=sure)
    run.write_figure("gallery", figure)
