"""The data sets: one module each, or one per close family; none of them imports Keras."""

from nnrun.datasets.digest import digest
from nnrun.datasets.registry import load

__all__ = ["digest", "load"]
