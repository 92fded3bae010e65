"""What is wrong with an experiment that no single value shows, found without data or Keras."""

from nnrun.check.faults import faults, read
from nnrun.check.subject import Subject, subject

__all__ = ["Subject", "faults", "read", "subject"]
