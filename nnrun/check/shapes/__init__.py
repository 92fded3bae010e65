"""Output shapes and parameter counts of a stack of layers, computed without Keras.

The rules follow Keras's documentation, <https://keras.io/api/layers/>, and tests compare them with
Keras. A layer without a rule, or with an unusual form of an argument, leaves itself and all layers
after it unchecked. A problem is reported only where Keras is certain to refuse the layer.
"""

# ruff: noqa: F401 - the modules register their rules
from nnrun.check.shapes import core, graph, spatial
from nnrun.check.shapes.layer import RULES, LayerOutput, Shape, Trace, trace

SUPPORTED = frozenset(RULES)
"""The layers with a rule."""

__all__ = ["SUPPORTED", "LayerOutput", "Shape", "Trace", "trace"]
