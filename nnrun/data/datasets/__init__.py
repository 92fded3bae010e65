"""The data sets: one module each, or one per close family; none of them imports Keras."""

from nnrun.data.datasets.registry import check_filled
from nnrun.data.datasets.registry import decoded
from nnrun.data.datasets.registry import digest
from nnrun.data.datasets.registry import load
from nnrun.data.datasets.registry import missing

__all__ = ["check_filled", "decoded", "digest", "load", "missing"]
