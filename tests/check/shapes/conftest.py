"""What Keras itself says of a stack of layers."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from nnrun.check.shapes import Row, Traced
from nnrun.models.build import build
from nnrun.spec.component import Component


def _keras_says(stack: list[Component], row: Row) -> tuple[Traced, ...]:
    model = build(stack, row.shape, dtype=row.dtype)
    layers = tuple(
        Traced(
            index,
            component.name,
            tuple(layer.output.shape[1:]),
            layer.count_params(),
            sum(math.prod(each.shape) for each in layer.trainable_weights),
        )
        for index, (component, layer) in enumerate(zip(stack, model.layers[1:], strict=True))
    )
    assert sum(each.parameters for each in layers) == model.count_params()
    trained = sum(math.prod(each.shape) for each in model.trainable_weights)
    assert sum(each.trainable for each in layers) == trained
    return layers


@pytest.fixture(scope="session")
def keras_says() -> Callable[[list[Component], Row], tuple[Traced, ...]]:
    """The layers of a model as Keras builds it; a Misfit where it refuses."""
    return _keras_says
