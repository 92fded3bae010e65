"""The data sets: one module each, or one per close family; none of them imports Keras."""

from nnrun.datasets.decoding import decoded
from nnrun.datasets.digest import digest
from nnrun.datasets.registry import check_filled, load, missing

__all__ = ["check_filled", "decoded", "digest", "load", "missing"]
