"""Composite layers equal the same models built by hand in Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nnrun.errors import IncompatibleSpec
from nnrun.models import saved
from nnrun.models.build import build
from nnrun.spec.component import MERGES, Component

ROWS = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")
PATHS = [[{"Dense": {"units": 6, "activation": "tanh"}}], [{"Dense": {"units": 6}}], []]


def dense(units: int = 6, **arguments: Any) -> Any:
    return keras.layers.Dense(units, **arguments)


def residual(x: Any) -> Any:
    return keras.layers.Add()([dense()(dense(activation="relu")(x)), dense(use_bias=False)(x)])


def branches(merge: str, paths: int = 3, **arguments: Any) -> Any:
    return lambda x: getattr(keras.layers, merge.capitalize())(**arguments)(
        [dense(activation="tanh")(x), dense()(x), x][:paths]
    )


BY_HAND: dict[str, tuple[Component, Any]] = {
    "Residual": (
        Component(
            name="Residual",
            arguments={
                "main": [{"Dense": {"units": 6, "activation": "relu"}}, {"Dense": 6}],
                "shortcut": [{"Dense": {"units": 6, "use_bias": False}}],
            },
        ),
        residual,
    ),
    "Repeat": (
        Component(name="Repeat", arguments={"times": 2, "layers": [{"Dense": 6}, "ReLU"]}),
        lambda x: keras.layers.ReLU()(dense()(keras.layers.ReLU()(dense()(x)))),
    ),
    "Block": (Component(name="Block", arguments={"layers": [{"Dense": 6}, "ReLU"]}),
              lambda x: keras.layers.ReLU()(dense()(x))),
    **{
        f"Branches, {merge}": (
            Component(name="Branches", arguments={"paths": PATHS, "merge": merge}),
            branches(merge),
        )
        for merge in MERGES[:-2]
    },
    "Branches, subtract": (
        Component(name="Branches", arguments={"paths": PATHS[:2], "merge": "subtract"}),
        branches("subtract", paths=2),
    ),
    "Branches, dot": (
        Component(
            name="Branches",
            arguments={"paths": PATHS[:2], "merge": {"dot": {"axes": 1, "normalize": True}}},
        ),
        branches("dot", paths=2, axes=1, normalize=True),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BY_HAND)
def test_its_output_is_that_of_the_same_layers_by_hand(case: str, tmp_path: Path) -> None:
    """Also after it was saved and read."""
    component, apply = BY_HAND[case]
    model = build([component], (6,))
    inputs = keras.Input((6,))
    by_hand = keras.Model(inputs, apply(inputs))
    by_hand.set_weights(model.get_weights())
    model.save(tmp_path / "model.keras")

    np.testing.assert_array_equal(model(ROWS), by_hand(ROWS))
    np.testing.assert_array_equal(saved.read(tmp_path / "model.keras")(ROWS), model(ROWS))


def test_an_error_of_keras_inside_is_reported_at_its_layer() -> None:
    stack = [{"Dense": 3}, {"Conv2D": {"filters": 1, "kernel_size": 1}}]
    component = Component(name="Repeat", arguments={"times": 2, "layers": stack})
    with pytest.raises(IncompatibleSpec) as refused:
        build([component], (6,))

    assert refused.value.path == ("model", 0, "Repeat", "layers", 1)
    assert refused.value.message.startswith("Conv2D cannot follow an output of shape (3,): ")
