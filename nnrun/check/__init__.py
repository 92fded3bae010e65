"""Errors and warnings of a spec, found without data and without TensorFlow."""

from nnrun.check.context import SpecContext, spec_context
from nnrun.check.faults import faults, read

__all__ = ["SpecContext", "faults", "read", "spec_context"]
