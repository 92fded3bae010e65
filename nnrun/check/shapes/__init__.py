"""Output shapes and parameter counts of a stack of layers, without Keras.

The rules are those of Keras's documentation of each layer, <https://keras.io/api/layers/>, and
the tests hold them against Keras itself. They know less than Keras does, and say so: a layer
without a rule, and an argument in a form that a rule does not read, leave it and all that follow
unchecked. A problem is reported only where Keras is sure to refuse the layer.
"""

# ruff: noqa: F401 - modules are imported for the rules that they enter
from nnrun.check.shapes import features, grid
from nnrun.check.shapes.layer import RULES
from nnrun.check.shapes.tracing import Row, Trace, Traced, trace

KNOWN = frozenset(RULES)
"""The layers that have a rule, by their names in Keras."""

__all__ = ["KNOWN", "Row", "Trace", "Traced", "trace"]
