"""Output shapes and parameters as Keras computes them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nnrun.check.shapes import LayerOutput, Shape
from nnrun.models.build import build
from nnrun.spec.component import Component


def keras_outputs(
    layers: Sequence[Component], shape: Shape, dtype: str = "float32"
) -> tuple[LayerOutput, ...]:
    """The outputs of a stack of Keras layers.

    Raises:
        IncompatibleSpec: Keras refuses a layer.
    """
    outputs = []
    for layer in build(layers, shape, dtype=dtype).layers[1:]:
        trainable = sum(math.prod(weight.shape) for weight in layer.trainable_weights)
        frozen = layer.count_params() - trainable
        outputs.append(LayerOutput(tuple(layer.output.shape[1:]), trainable, frozen))
    return tuple(outputs)
