"""What a trained run says of rows that a person brings. Only `model` needs TensorFlow."""

from nnrun.prediction.raw import Raw
from nnrun.prediction.subject import Subject, subject

__all__ = ["Raw", "Subject", "subject"]
