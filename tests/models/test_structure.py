"""The structure of a model: layers in short form, repetitions once, branches side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nnrun.models import structure
from nnrun.models.build import wire
from nnrun.models.structure import Branches, Group, Layer, LayerSize, Parts
from nnrun.spec.component import Component

BLOCK = {"Block": {"layers": [{"Dense": 4}, "BatchNormalization"], "block": "norm"}}
RESIDUAL = {"Residual": {"main": [BLOCK, {"Dense": {"units": 4, "activation": "relu"}}]}}
NESTED = [
    Component(name="Repeat", arguments={"times": 3, "layers": [RESIDUAL]}),
    Component(
        name="Branches", arguments={"paths": [[{"Dense": 2}], [{"Dense": 3}, BLOCK, "ReLU"], []]}
    ),
    Component(name="Dense", arguments={"units": 1, "kernel_regularizer": {"L2": 0.01}}),
]


def layers(parts: Parts, times: int = 1) -> Iterator[tuple[Layer, int]]:
    """Every layer with the number of its repetitions."""
    for part in parts:
        match part:
            case Layer():
                yield part, times
            case Group():
                yield from layers(part.parts, times * part.times)
            case Branches():
                for stack in part.stacks:
                    yield from layers(stack, times)
                yield part.merge, times


def test_its_parameters_are_those_of_the_model() -> None:
    wired = wire(NESTED, (4,))

    parameters = sum(layer.size.parameters * n for layer, n in layers(wired.structure.parts))

    assert parameters == wired.model.count_params()


def test_its_shapes_are_those_of_the_model() -> None:
    wired = wire(NESTED[1:], (4,))
    shapes = [layer.size.shape for layer, _ in layers(wired.structure.parts)]

    assert sorted(shapes) == sorted(tuple(each.output.shape[1:]) for each in wired.model.layers[1:])


def test_equal_repetitions_are_one_group() -> None:
    halved = {"Conv2D": {"filters": 4, "kernel_size": 1, "strides": 2}}
    repeat = Component(name="Repeat", arguments={"times": 3, "layers": [halved]})
    sizes = [LayerSize((4, 4, 4), 8), LayerSize((2, 2, 4), 20), LayerSize((2, 2, 4), 20)]
    groups = structure.of([repeat], sizes, (8, 8, 1)).parts

    assert [group.times for group in groups if isinstance(group, Group)] == [1, 2]


@pytest.mark.parametrize(
    ("name", "arguments", "short"),
    [
        ("Dense", {"units": 16}, "16"),
        ("Dense", {"units": 1, "use_bias": False}, "1, use_bias false"),
        ("Conv2D", {"filters": 8, "kernel_size": [3, 1]}, "8, kernel_size 3 x 1"),
        ("Dense", {"units": 1, "kernel_regularizer": {"L2": 0.1}}, "1, kernel_regularizer L2"),
        ("Dense", {"units": 1, "name": "last"}, "1"),
        ("Bidirectional", {"layer": {"LSTM": 8}}, "LSTM"),
        ("Rescaling", {"scale": 2.0, "name": None}, "2.0"),
        ("Flatten", {}, ""),
        ("Attention", {"value": {"from": "x0"}, "shared": "a"}, "value from x0, shared a"),
        ("Application", {"weights": None, "name": "VGG16"}, "VGG16, weights null"),
        ("IntegerLookup", {"vocabulary": [*range(100)]}, "vocabulary 0 x 1 x 2 x 3 x 4 x 5 x…"),
    ],
)
def test_arguments_have_a_short_form(name: str, arguments: dict[str, Any], short: str) -> None:
    size = LayerSize((1,))
    [layer] = structure.of([Component(name=name, arguments=arguments)], [size], (1,)).parts

    assert layer == Layer(name, short, size)
