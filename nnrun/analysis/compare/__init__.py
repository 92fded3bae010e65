"""Ranks runs and tests which differences are significant. Loads no TensorFlow.

A damaged file is a RunError; an option that names nothing is a CommandError.
"""

from nnrun.analysis.compare.entries import Entry, experiments, grouped
from nnrun.analysis.compare.facts import Facts, read
from nnrun.analysis.compare.table import Comparison, compare, standings
from nnrun.analysis.compare.verdicts import Verdict

__all__ = [
    "Comparison",
    "Entry",
    "Facts",
    "Verdict",
    "compare",
    "experiments",
    "grouped",
    "read",
    "standings",
]
