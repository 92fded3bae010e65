"""Plots of a run: each function draws one figure and returns it, none writes a file.

Figures are made without pyplot: there is no global state and no display. Equal input gives equal
pixels.
"""

from nnrun.plots.confusion import confusion, label_confusions
from nnrun.plots.curves import MAX_RUNS, RunCurves, comparison, curve, folds, smoothed
from nnrun.plots.gallery import (
    MAX_IMAGES,
    MAX_PICTURES,
    MAX_TEXTS,
    image_gallery,
    picture_gallery,
    text_gallery,
)
from nnrun.plots.model import model
from nnrun.plots.regression import predicted_against_true, values_against_true

__all__ = [
    "MAX_IMAGES",
    "MAX_PICTURES",
    "MAX_RUNS",
    "MAX_TEXTS",
    "RunCurves",
    "comparison",
    "confusion",
    "curve",
    "folds",
    "image_gallery",
    "label_confusions",
    "model",
    "picture_gallery",
    "predicted_against_true",
    "smoothed",
    "text_gallery",
    "values_against_true",
]
