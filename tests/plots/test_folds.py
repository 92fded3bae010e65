"""Curves of several folds: each of them, their mean, and the mean smoothed."""

from __future__ import annotations

import numpy as np

from nnrun import plots
from nnrun.plots import style
from nnrun.types import History


def fold(*values: float) -> History:
    return History({"val_mae": list(values)})


def test_every_fold_and_the_mean_are_drawn() -> None:
    figure = plots.folds(
        {1: fold(3, 2, 1), 2: fold(5, 4, 3)}, fold(4, 3, 2), "val_mae", best_epoch=3
    )
    [axes] = figure.axes
    drawn = {line.get_label(): list(line.get_ydata()) for line in axes.lines}

    assert drawn["fold 1"] == [3, 2, 1]
    assert drawn["fold 2"] == [5, 4, 3]
    assert drawn["mean of 2 folds"] == [4, 3, 2]
    assert axes.get_ylabel() == "validation mae"


def test_very_many_folds_share_a_colour_and_a_word() -> None:
    """Four hundred entries of a legend tell nothing."""
    many = {number: fold(number, 1.0) for number in range(1, 41)}
    figure = plots.folds(many, fold(2.0, 1.0), "val_mae", best_epoch=2)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]

    assert labels[:2] == ["single folds", "mean of 40 folds"]
    assert {line.get_color() for line in figure.axes[0].lines[:40]} == {style.FAINT}


def test_a_fold_that_stopped_early_ends_early() -> None:
    figure = plots.folds({1: fold(3, 2, 1), 2: fold(5)}, fold(4), "val_mae", best_epoch=1)
    drawn = {line.get_label(): len(line.get_xdata()) for line in figure.axes[0].lines}

    assert (drawn["fold 1"], drawn["fold 2"]) == (3, 1)


def test_the_smoothed_curve_stands_at_its_own_epochs() -> None:
    """After ten epochs left out the first point is that of the eleventh."""
    figure = plots.smoothed([3.0, 2.0, 2.5], "val_mae", skip=10, best_epoch=12)
    [line, *_] = figure.axes[0].lines
    there = np.isfinite(np.asarray(line.get_ydata(), dtype=float))

    assert np.asarray(line.get_xdata())[there].tolist() == [11, 12, 13]
