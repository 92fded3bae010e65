"""Every layer of the catalogue is built from YAML, saved and read unchanged, or is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml

from nnrun import check
from nnrun.models import saved
from nnrun.models.build import build
from nnrun.runs import layout
from nnrun.spec import catalogue
from nnrun.spec.component import INPUTS, SOURCES
from nnrun.spec.experiment import Experiment
from nnrun.spec.loading import Loaded, load
from tests.models.layers import NOT_IN_A_STACK, STACKABLE, WORDS, component, shape, tail

TRAINING = {"optimizer": "sgd", "loss": "mse", "epochs": 1}
# Layers of words get texts; others get the 13 columns of a table in their shape.
TABLE = {"name": "boston_housing"}
TEXTS = {"name": "imdb", "num_words": 10, "prepare": [{"pad": 5}]}


def spec(name: str, folder: Path) -> Loaded:
    """An experiment with the layer."""
    numbers = math.prod(shape(name))
    first: list[Any] = [
        {"Dense": {"units": numbers, "activation": "sigmoid"}},
        {"Reshape": {"target_shape": list(shape(name))}},
    ]
    text = name in WORDS
    parts = [component(name), *tail(name)]
    layers = [*([] if text else first), *({each.name: each.arguments} for each in parts)]
    path = folder / f"{name}.yaml"
    content = {"dataset": TEXTS if text else TABLE, "model": layers, "training": TRAINING}
    path.write_text(yaml.safe_dump(content), "utf-8")
    return load(path)


def model(experiment: Experiment, *, words: bool) -> keras.Model:
    """With weights that no layer begins with."""
    built = build(experiment.model, (5,) if words else (13,), dtype="int32" if words else "float32")
    rng = np.random.default_rng(0)
    for variable in built.variables:
        # A variance is above zero; seeds and vocabularies are not floats.
        if "float" in variable.dtype:
            variable.assign(rng.uniform(0.1, 0.9, variable.shape))
    return built


def rows(*, words: bool) -> Any:
    """Three rows for the model."""
    rng = np.random.default_rng(1)
    if words:
        return rng.integers(0, 10, (3, 5)).astype("int32")
    return rng.normal(size=(3, 13)).astype("float32")


# About a mask that a layer does not pass on.
@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name == "Application" else ())
        for name in STACKABLE
    ],
)
def test_a_layer_that_is_saved_and_loaded_predicts_the_same(name: str, tmp_path: Path) -> None:
    """Bit for bit, with every weight."""
    loaded, words = spec(name, tmp_path), name in WORDS
    built = model(loaded.experiment, words=words)
    built.save(tmp_path / "model.keras")
    again = saved.read(tmp_path / "model.keras")
    x = rows(words=words)
    predicted = built(x, training=False)

    assert [each for each in check.faults(loaded, own=layout.OWN) if not each.is_warning] == []
    for weight, other in zip(built.weights, again.weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), other.numpy())
    assert np.isfinite(predicted).all()
    np.testing.assert_array_equal(again(x, training=False), predicted)


@pytest.mark.parametrize("name", sorted(NOT_IN_A_STACK))
def test_a_layer_that_cannot_be_in_a_stack_is_refused_by_the_check(
    name: str, tmp_path: Path
) -> None:
    [fault] = check.faults(spec(name, tmp_path), own=layout.OWN)

    assert (fault.code, fault.path) == ("NN124", "model[2]")
    assert fault.message == f"{name} {NOT_IN_A_STACK[name]}"


def test_every_layer_of_the_catalogue_has_an_example() -> None:
    assert {*STACKABLE, *NOT_IN_A_STACK} == {*catalogue.names("layers")} - SOURCES.keys() - {INPUTS}
