"""The data sets: one module each, or one per close family; none of them imports Keras."""

from nnrun.data.datasets.registry import (
    check_filled,
    decoded,
    digest,
    load,
    missing,
    with_inputs_as_labels,
)

__all__ = ["check_filled", "decoded", "digest", "load", "missing", "with_inputs_as_labels"]
