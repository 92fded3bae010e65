"""Layers that cannot be part of a stack are refused by `check` and by Keras."""

from __future__ import annotations

from typing import Any

import pytest

from nnrun.check.faults import CELLS, NOT_STACKABLE, RECURRENT, SEVERAL_INPUTS, model_problems
from nnrun.errors import IncompatibleSpec
from nnrun.models.build import build
from nnrun.spec import catalogue
from nnrun.spec.component import Component
from tests.models.layers import component

REFUSED = [
    *([component(name)] for name in sorted(SEVERAL_INPUTS | CELLS)),
    *(
        [Component(name=name, arguments={"units": 2, argument: True})]
        for name in ("LSTM", "GRU", "SimpleRNN")
        for argument in ("return_state", "stateful")
    ),
    [Component(name="Dense", arguments={"units": 2, "name": "x"})] * 2,
]


@pytest.mark.parametrize("layers", REFUSED, ids=lambda layers: layers[0].name)
def test_a_layer_is_refused_by_both(layers: list[Component]) -> None:
    assert [*model_problems(layers)]
    with pytest.raises(IncompatibleSpec):
        build(layers, (4, 3))


ADD = "Add takes several inputs; write Branches: {paths: […], merge: add}"


@pytest.mark.parametrize(
    ("name", "arguments", "path"),
    [
        ("Residual", {"main": ["ReLU", "Add"]}, ("main", 1)),
        ("Residual", {"main": "ReLU", "shortcut": "Add"}, ("shortcut",)),
        ("Branches", {"paths": [[], ["ReLU", {"Add": None}]]}, ("paths", 1, 1)),
        (
            "Repeat",
            {"times": 2, "layers": [{"Branches": {"paths": ["ReLU", "Add"]}}]},
            ("layers", 0, "Branches", "paths", 1),
        ),
    ],
)
def test_a_layer_inside_a_composite_is_refused_at_the_same_path(
    name: str, arguments: dict[str, Any], path: tuple[str | int, ...]
) -> None:
    layers = [Component(name=name, arguments=arguments)]

    [problem] = model_problems(layers)
    assert problem.args == ("NN124", ("model", 0, name, *path), ADD)
    with pytest.raises(IncompatibleSpec) as refused:
        build(layers, (4,))
    assert refused.value.path == problem.path


def test_a_cell_is_accepted_inside_a_recurrent_layer() -> None:
    cell = {"LSTMCell": {"units": 3}}

    assert [*model_problems([Component(name="RNN", arguments={"cell": cell})])] == []


def test_all_names_are_layers_of_keras() -> None:
    assert {*catalogue.names("layers")} >= NOT_STACKABLE.keys() | RECURRENT
