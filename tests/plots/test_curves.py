import math

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nnrun.plots import curve
from nnrun.types import History

NAN = float("nan")


def history() -> History:
    return History(
        {
            "loss": [0.9, 0.5, 0.3],
            "val_loss": [0.8, 0.6, 0.7],
            "binary_accuracy": [0.6, 0.8, 0.9],
            "val_binary_accuracy": [0.7, 0.8, 0.75],
        }
    )


def axes(figure: Figure) -> Axes:
    (only,) = figure.axes
    return only


def lines(figure: Figure) -> dict[str, Line2D]:
    """The lines that stand in the legend, by what it calls them."""
    return {str(line.get_label()): line for line in axes(figure).get_legend_handles_labels()[0]}


@pytest.mark.parametrize("metric", ["loss", "binary_accuracy"])
@pytest.mark.parametrize(("label", "prefix"), [("training", ""), ("validation", "val_")])
def test_both_lines_hold_their_values(metric, label, prefix):
    """Each metric with a validation gets two lines, drawn over epochs that count from 1."""
    line = lines(curve(history(), metric, best_epoch=None))[label]

    assert line.get_xydata().tolist() == [
        [1 + epoch, value] for epoch, value in enumerate(history().epochs[prefix + metric])
    ]


def test_a_metric_without_validation_has_one_line():
    """A run without validation has nothing to compare with, so nothing is promised."""
    drawn = lines(curve(History({"mae": [3.0, 2.0]}), "mae", best_epoch=None))

    assert list(drawn) == ["training"]


def test_validation_may_be_an_epoch_behind():
    """A run stopped between training and validation still shows what it reached."""
    figure = curve(History({"loss": [3.0, 2.0], "val_loss": [2.5]}), "loss", best_epoch=None)

    assert lines(figure)["validation"].get_xydata().tolist() == [[1, 2.5]]


@pytest.mark.parametrize(
    ("metric", "written"),
    [("binary_accuracy", "binary accuracy"), ("mae", "mae"), ("loss", "loss")],
)
def test_axes_are_named_as_people_write_it(metric, written):
    """An underscore belongs to a program."""
    drawn = axes(curve(History({metric: [1.0]}), metric, best_epoch=None))

    assert (drawn.get_xlabel(), drawn.get_ylabel()) == ("epoch", written)


def test_the_best_epoch_is_marked_on_the_validation_line():
    """The best epoch is chosen by validation, so it is validation's value that is marked."""
    mark = lines(curve(history(), "loss", best_epoch=2))["best epoch 2: 0.6"]

    assert mark.get_xydata().tolist() == [[2, 0.6]]


def test_without_validation_the_best_epoch_is_marked_on_the_training_line():
    """Then training's value is the only one there is."""
    figure = curve(History({"mae": [3.0, 2.0]}), "mae", best_epoch=2)

    assert lines(figure)["best epoch 2: 2"].get_xydata().tolist() == [[2, 2.0]]


def test_a_best_epoch_without_a_value_claims_none():
    """A figure must not invent a number for an epoch that has none."""
    figure = curve(History({"loss": [1.0, NAN]}), "loss", best_epoch=2)

    assert list(lines(figure)) == ["training", "best epoch 2"]


@pytest.mark.parametrize("lost", [NAN, math.inf, -math.inf])
def test_a_value_that_is_not_finite_leaves_a_gap(lost):
    """A line across it would show a value that was never reached."""
    drawn = lines(curve(History({"loss": [1.0, lost, 0.5]}), "loss", best_epoch=None))

    assert np.isnan(drawn["training"].get_ydata()).tolist() == [False, True, False]


def test_an_infinite_value_does_not_flatten_the_others():
    """The axis spans the finite values."""
    drawn = axes(curve(History({"loss": [1.0, math.inf, 0.5]}), "loss", best_epoch=None))

    assert max(drawn.get_ylim()) < 1.1


def test_a_run_without_a_finite_value_says_so():
    """Empty axes alone would look like a fault of the plot."""
    drawn = axes(curve(History({"loss": [NAN, NAN]}), "loss", best_epoch=None))

    assert [text.get_text() for text in drawn.texts] == ["no finite values"]


def test_a_single_epoch_shows_as_a_point():
    """A line of one point is invisible."""
    line = lines(curve(History({"loss": [1.0]}), "loss", best_epoch=None))["training"]

    assert (line.get_marker(), line.get_markevery()) == ("o", [0])


def test_an_epoch_between_two_gaps_shows_as_a_point():
    """However many epochs there are, one that no line reaches stays visible."""
    values = [1.0] * 50 + [NAN, 0.5, NAN]
    line = lines(curve(History({"loss": values}), "loss", best_epoch=None))["training"]

    assert (line.get_marker(), line.get_markevery()) == ("o", [51])


@pytest.mark.parametrize("epochs", [1, 2, 3, 9, 20, 50, 500])
def test_ticks_stand_at_whole_epochs(epochs):
    """There is no epoch 2.5, and none before the first."""
    drawn = axes(curve(History({"loss": [1.0] * epochs}), "loss", best_epoch=None))
    low, high = drawn.get_xlim()
    ticks = [tick for tick in drawn.get_xticks() if low <= tick <= high]

    assert ticks
    assert all(tick == round(tick) >= 1 for tick in ticks)
