"""Layers that no stack can hold are those that Keras refuses in one."""

from __future__ import annotations

from typing import Any

import pytest

from nnrun.check.model import CELLS, RECURRENT, SEVERAL_INPUTS, UNFIT, model_problems
from nnrun.errors import IncompatibleSpec
from nnrun.models.build import build
from nnrun.spec import catalogue
from nnrun.spec.component import Component
from tests.models.layers import component


@pytest.mark.parametrize("name", sorted(SEVERAL_INPUTS | CELLS))
def test_a_layer_of_more_than_one_input_is_refused_by_both(name: str) -> None:
    layers = [component(name)]

    assert [*model_problems(layers)]
    with pytest.raises(IncompatibleSpec):
        build(layers, (4, 3))


ADD = "Add takes several inputs, and a stack has one"
INSIDE: dict[str, tuple[str, dict[str, Any], tuple[str | int, ...]]] = {
    "main": ("Residual", {"main": ["ReLU", "Add"]}, ("main", 1)),
    "shortcut": ("Residual", {"main": "ReLU", "shortcut": "Add"}, ("shortcut",)),
    "a path": ("Branches", {"paths": [[], ["ReLU", {"Add": None}]]}, ("paths", 1, 1)),
    "deep inside": (
        "Repeat",
        {"times": 2, "layers": [{"Branches": {"paths": ["ReLU", "Add"]}}]},
        ("layers", 0, "Branches", "paths", 1),
    ),
}


@pytest.mark.parametrize("case", INSIDE)
def test_it_is_refused_inside_of_another_too(case: str) -> None:
    """Where it stands, and by Keras at the same place."""
    name, arguments, way = INSIDE[case]
    layers = [Component(name=name, arguments=arguments)]

    [found] = model_problems(layers)
    assert found.args == ("NN124", ("model", 0, name, *way), ADD)
    with pytest.raises(IncompatibleSpec) as refused:
        build(layers, (4,))
    assert refused.value.path == found.path


def test_a_cell_stands_inside_a_recurrent_layer() -> None:
    cell = {"LSTMCell": {"units": 3}}

    assert [*model_problems([Component(name="RNN", arguments={"cell": cell})])] == []


@pytest.mark.parametrize("argument", ["return_state", "stateful"])
@pytest.mark.parametrize("name", ["LSTM", "GRU", "SimpleRNN"])
def test_a_layer_that_hands_out_or_keeps_its_state_is_refused_by_both(
    name: str, argument: str
) -> None:
    layers = [Component(name=name, arguments={"units": 2, argument: True})]

    assert [*model_problems(layers)]
    with pytest.raises(IncompatibleSpec):
        build(layers, (4, 3))


def test_two_layers_of_one_name_are_refused_by_both() -> None:
    layers = [Component(name="Dense", arguments={"units": 2, "name": "x"}) for _ in range(2)]

    assert [*model_problems(layers)]
    with pytest.raises(IncompatibleSpec):
        build(layers, (3,))


def test_all_of_them_are_layers_of_keras() -> None:
    assert set(catalogue.names("layers")) >= UNFIT.keys() | RECURRENT
