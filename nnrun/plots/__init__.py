"""Pictures of a run: each function draws one figure and returns it, none writes a file.

Figures are made without pyplot: nothing is global, no display is needed, and a figure is freed
like any other value. Equal input gives equal pixels.
"""

from nnrun.plots.comparison import COMPARED, Compared, comparison
from nnrun.plots.confusion import confusion
from nnrun.plots.curves import curve, folds, smoothed
from nnrun.plots.gallery import PICTURES, TEXTS, pictures, texts
from nnrun.plots.model import model
from nnrun.plots.regression import predicted_against_true

__all__ = [
    "COMPARED",
    "PICTURES",
    "TEXTS",
    "Compared",
    "comparison",
    "confusion",
    "curve",
    "folds",
    "model",
    "pictures",
    "predicted_against_true",
    "smoothed",
    "texts",
]
