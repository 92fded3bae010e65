"""Predicts with a trained run on given rows. Only `model` needs TensorFlow."""

from nnrun.analysis.predict.inputs import Raw
from nnrun.analysis.predict.trained import TrainedRun, trained_run

__all__ = ["Raw", "TrainedRun", "trained_run"]
