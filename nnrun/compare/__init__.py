"""Which run is better, and whether the difference is real. Reads runs; loads no TensorFlow."""

from nnrun.compare.entries import Entry, experiments, grouped
from nnrun.compare.facts import Facts, read
from nnrun.compare.table import Comparison, compare, ranking
from nnrun.compare.verdicts import Verdict

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
