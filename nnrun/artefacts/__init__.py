"""Reads a finished run back, file by file, and says what is not as it should be."""

from nnrun.artefacts.checks import CHECKS, faults
from nnrun.artefacts.kept import Kept

__all__ = ["CHECKS", "Kept", "faults"]
