"""What a trained run says of rows that a person brings. Only `model` needs TensorFlow."""

from nnrun.analysis.predict.inputs import Raw
from nnrun.analysis.predict.trained import TrainedRun, trained_run

__all__ = ["Raw", "TrainedRun", "trained_run"]
