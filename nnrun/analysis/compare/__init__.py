"""Which run is better, and whether the difference is real. Reads runs; loads no TensorFlow."""

from nnrun.analysis.compare.entries import Entry, experiments, grouped
from nnrun.analysis.compare.facts import Facts, read
from nnrun.analysis.compare.table import Comparison, compare, ranking
from nnrun.analysis.compare.verdicts import Verdict

__all__ = [
    "Comparison",
    "Entry",
    "Facts",
    "Verdict",
    "compare",
    "experiments",
    "grouped",
    "ranking",
    "read",
]
