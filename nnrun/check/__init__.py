"""What is wrong with an experiment that no single value shows, found without data or Keras."""

from nnrun.check.faults import faults, read
from nnrun.check.subject import SpecContext, spec_context

__all__ = ["SpecContext", "faults", "read", "spec_context"]
