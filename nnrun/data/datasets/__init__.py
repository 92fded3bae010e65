"""The data sets: one module each, or one per close family; none of them imports Keras."""

from nnrun.data.datasets.registry import check_filled, decoded, digest, load, missing

__all__ = ["check_filled", "decoded", "digest", "load", "missing"]
