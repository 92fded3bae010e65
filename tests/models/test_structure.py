"""What a person sees of a model: its layers in short, repetitions once, ways side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nnrun.models import structure
from nnrun.models.build import wire
from nnrun.models.structure import Branches, Group, Layer, Made, Parts
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
    """Every layer with how often it is there."""
    for part in parts:
        match part:
            case Layer():
                yield part, times
            case Group():
                yield from layers(part.parts, times * part.times)
            case Branches():
                for way in part.stacks:
                    yield from layers(way, times)
                yield part.merge, times


def test_it_holds_all_parameters_of_the_model() -> None:
    wired = wire(NESTED, (4,))

    held = sum(layer.made.parameters * times for layer, times in layers(wired.structure.parts))

    assert held == wired.model.count_params()


def test_the_shape_of_each_layer_is_the_one_that_keras_gives_it() -> None:
    """Layers are told in the order in which Keras has them, where nothing is repeated."""
    wired = wire(NESTED[1:], (4,))
    told = [layer.made.shape for layer, _ in layers(wired.structure.parts)]

    assert sorted(told) == sorted(tuple(each.output.shape[1:]) for each in wired.model.layers[1:])


def test_what_comes_again_alike_is_told_once() -> None:
    halved = {"Conv2D": {"filters": 4, "kernel_size": 1, "strides": 2}}
    repeat = Component(name="Repeat", arguments={"times": 3, "layers": [halved]})
    sizes = [Made((4, 4, 4), 8), Made((2, 2, 4), 20), Made((2, 2, 4), 20)]
    first, rest = structure.of([repeat], sizes, (8, 8, 1)).parts

    assert isinstance(first, Group)
    assert isinstance(rest, Group)
    assert (first.times, rest.times) == (1, 2)


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
        ("Application", {"name": "VGG16", "weights": None}, "VGG16, weights null"),
        ("IntegerLookup", {"vocabulary": [*range(100)]}, "vocabulary 0 x 1 x 2 x 3 x 4 x 5 x…"),
    ],
)
def test_arguments_are_told_in_short(name: str, arguments: dict[str, Any], short: str) -> None:
    [layer] = structure.of([Component(name=name, arguments=arguments)], [Made((1,))], (1,)).parts

    assert layer == Layer(name, short, Made((1,)))
