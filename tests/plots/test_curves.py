import math

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nnrun import plots
from nnrun.plots import curve, style
from nnrun.types import History

NAN = float("nan")
HISTORY = History(
    {
        "loss": [0.9, 0.5, 0.3],
        "val_loss": [0.8, 0.6, 0.7],
        "binary_accuracy": [0.6, 0.8, 0.9],
        "val_binary_accuracy": [0.7, 0.8, 0.75],
    }
)


def draw(best_epoch: int | None = None, **metrics: list[float]) -> Figure:
    return curve(History(metrics), next(iter(metrics)), best_epoch=best_epoch)


def axes_of(figure: Figure) -> Axes:
    [axes] = figure.axes
    return axes


def lines(figure: Figure) -> dict[str, Line2D]:
    """The lines in the legend by their label."""
    return {str(line.get_label()): line for line in axes_of(figure).get_legend_handles_labels()[0]}


@pytest.mark.parametrize("metric", ["loss", "binary_accuracy"])
@pytest.mark.parametrize(("label", "prefix"), [("training", ""), ("validation", "val_")])
def test_curves_begin_at_epoch_1(metric, label, prefix):
    line = lines(curve(HISTORY, metric, best_epoch=None))[label]

    assert line.get_xydata().tolist() == [
        [epoch, value] for epoch, value in enumerate(HISTORY.epochs[prefix + metric], 1)
    ]


def test_validation_may_be_an_epoch_shorter():
    """A run may be stopped between training and validation."""
    figure = draw(loss=[3.0, 2.0], val_loss=[2.5])

    assert lines(figure)["validation"].get_xydata().tolist() == [[1, 2.5]]


def test_labels_have_spaces_instead_of_underscores():
    axes = axes_of(draw(binary_accuracy=[1.0]))

    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "binary accuracy")


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"loss": [0.9, 0.5], "val_loss": [0.8, 0.6]}, {"best epoch 2: 0.6": [2, 0.6]}),
        ({"mae": [3.0, 2.0]}, {"best epoch 2: 2": [2, 2.0]}),
    ],
)
def test_the_best_epoch_is_marked_on_validation_else_training(metrics, expected):
    [(label, point)] = expected.items()

    assert lines(draw(2, **metrics))[label].get_xydata().tolist() == [point]


def test_a_best_epoch_without_a_value_shows_no_number():
    assert list(lines(draw(2, loss=[1.0, NAN]))) == ["training", "best epoch 2"]


@pytest.mark.parametrize("value", [NAN, math.inf, -math.inf])
def test_a_value_that_is_not_finite_leaves_a_gap(value):
    figure = draw(loss=[1.0, value, 0.5])

    assert np.isnan(lines(figure)["training"].get_ydata()).tolist() == [False, True, False]
    assert max(axes_of(figure).get_ylim()) < 1.1


def test_a_run_without_a_finite_value_has_a_note():
    texts = axes_of(draw(loss=[NAN, NAN])).texts

    assert [text.get_text() for text in texts] == ["no finite values"]


@pytest.mark.parametrize(
    ("values", "markers"), [([1.0], [0]), ([1.0] * 50 + [NAN, 0.5, NAN], [51])]
)
def test_an_epoch_without_neighbors_has_a_marker(values, markers):
    """A line through a single point is invisible."""
    line = lines(draw(loss=values))["training"]

    assert (line.get_marker(), line.get_markevery()) == ("o", markers)


@pytest.mark.parametrize("epochs", [1, 2, 3, 9, 20, 50, 500])
def test_ticks_are_at_whole_epochs_from_1_on(epochs):
    axes = axes_of(draw(loss=[1.0] * epochs))
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]

    assert ticks
    assert all(tick == round(tick) >= 1 for tick in ticks)


def fold(*values: float) -> History:
    return History({"val_mae": list(values)})


def test_every_fold_and_the_mean_are_drawn() -> None:
    """A fold that stopped early has a shorter curve."""
    histories = {1: fold(3, 2, 1), 2: fold(5)}
    axes = axes_of(plots.folds(histories, fold(4, 2, 1), "val_mae", best_epoch=3))
    drawn = {line.get_label(): list(line.get_ydata()) for line in axes.lines}

    assert drawn["fold 1"] == [3, 2, 1]
    assert drawn["fold 2"] == [5]
    assert drawn["mean of 2 folds"] == [4, 2, 1]
    assert axes.get_ylabel() == "validation mae"


def test_many_folds_share_a_color_and_a_legend_entry() -> None:
    many = {number: fold(number, 1.0) for number in range(1, 41)}
    axes = axes_of(plots.folds(many, fold(2.0, 1.0), "val_mae", best_epoch=2))
    labels = [text.get_text() for text in axes.get_legend().get_texts()]

    assert labels[:2] == ["single folds", "mean of 40 folds"]
    assert {line.get_color() for line in axes.lines[:40]} == {style.FAINT}


def test_a_smoothed_curve_keeps_its_epochs() -> None:
    figure = plots.smoothed([3.0, 2.0, 2.5], "val_mae", skip=10, best_epoch=12)
    [line, *_] = axes_of(figure).lines
    drawn = np.isfinite(np.asarray(line.get_ydata(), dtype=float))

    assert np.asarray(line.get_xdata())[drawn].tolist() == [11, 12, 13]
