"""Layers that no stack can hold are those that Keras refuses in one."""

from __future__ import annotations

from typing import Any

import pytest

from nnrun.check.stack import RECURRENT, SEVERAL_INPUTS, misfits
from nnrun.errors import Misfit
from nnrun.models.build import build
from nnrun.spec import catalogue
from nnrun.spec.component import Component

NEEDED: dict[str, dict[str, Any]] = {
    "Dot": {"axes": 1},
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 2},
    "GroupQueryAttention": {"head_dim": 2, "num_query_heads": 2, "num_key_value_heads": 2},
}


@pytest.mark.parametrize("name", sorted(SEVERAL_INPUTS))
def test_a_layer_of_several_inputs_is_refused_by_both(name: str) -> None:
    layers = [Component(name=name, arguments=NEEDED.get(name, {}))]

    assert [*misfits(layers)]
    with pytest.raises(Misfit):
        build(layers, (4, 3))


@pytest.mark.parametrize("argument", ["return_state", "stateful"])
@pytest.mark.parametrize("name", ["LSTM", "GRU", "SimpleRNN"])
def test_a_layer_that_hands_out_or_keeps_its_state_is_refused_by_both(
    name: str, argument: str
) -> None:
    layers = [Component(name=name, arguments={"units": 2, argument: True})]

    assert [*misfits(layers)]
    with pytest.raises(Misfit):
        build(layers, (4, 3))


def test_two_layers_of_one_name_are_refused_by_both() -> None:
    layers = [Component(name="Dense", arguments={"units": 2, "name": "x"}) for _ in range(2)]

    assert [*misfits(layers)]
    with pytest.raises(Misfit):
        build(layers, (3,))


def test_all_of_them_are_layers_of_keras() -> None:
    assert set(catalogue.names("layers")) >= SEVERAL_INPUTS | RECURRENT
