"""Predicts with a trained run on given rows. Only `model` needs TensorFlow."""

from nnrun.analysis.predict.inputs import Raw
from nnrun.analysis.predict.trained import Ensemble, TrainedRun, ensemble, trained_run

__all__ = ["Ensemble", "Raw", "TrainedRun", "ensemble", "trained_run"]
