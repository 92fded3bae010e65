"""Layers read from an architecture of Keras compute what the model of Keras computes."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from nnrun.check.shapes import trace
from nnrun.models.build import build
from nnrun.spec import architecture, catalogue
from nnrun.spec.component import Component


def with_operators() -> keras.Model:
    x = keras.Input((8, 6))
    y = layers.Dense(6)(x * 2 + 1) - x
    y = layers.Dense(6, activation=layers.LeakyReLU(negative_slope=0.1))(y / 4)
    return keras.Model(x, layers.Dense(2, activation="softmax")(y))


def with_attention() -> keras.Model:
    x = keras.Input((8, 6))
    y = layers.LayerNormalization()(x)
    z = layers.MultiHeadAttention(2, 3)(y, x)
    z = layers.MultiHeadAttention(2, 3)(z, z, use_causal_mask=True)
    z = layers.Attention()([z, x, y])
    z = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(z)
    return keras.Model(x, layers.TimeDistributed(layers.Dense(5))(z))


def with_shared_layers() -> keras.Model:
    x = keras.Input((2, 6))
    tower = keras.Sequential([layers.Dense(4, activation="relu"), layers.Dense(3)])
    last = layers.Dense(2)
    sides = (layers.Flatten()(layers.Cropping1D(crop)(x)) for crop in ((0, 1), (1, 0)))
    first, second = (tower(side) for side in sides)
    both = layers.Concatenate()([last(first), last(second)])
    return keras.Model(x, layers.Add()([both, layers.Dot(1)([first, second])]))


def with_skips() -> keras.Model:
    x = keras.Input((16, 16, 3))
    a = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    b = layers.Conv2D(8, 3, padding="same")(layers.MaxPooling2D()(a))
    c = layers.Concatenate()([a, layers.UpSampling2D()(b)])
    scale = layers.Dense(12, activation="sigmoid")(layers.GlobalAveragePooling2D()(c))
    d = layers.Multiply()([c, scale])
    e = layers.SeparableConv2D(12, 3, padding="same")(layers.Add()([d, c]))
    return keras.Model(x, layers.GlobalMaxPooling2D()(layers.Average()([e, c, d])))


MODELS = (with_operators, with_attention, with_shared_layers, with_skips)


def uniform_weights(weight: Any, rng: np.random.Generator) -> Any:
    return rng.uniform(0.05, 0.3, weight.shape)


def small_weights(weight: Any, rng: np.random.Generator) -> Any:
    """So that the sums of many layers stay finite; scales are equal in all forms of LayerScale."""
    if "layer_scale" in weight.path or re.fullmatch(r"\(1, 1, \d+, 1\)", str(tuple(weight.shape))):
        return np.full(weight.shape, 0.3)
    values = rng.normal(0, 0.05, weight.shape)
    return np.abs(values) + 0.5 if weight.name == "moving_variance" else values


def fill(model: keras.Model, values: Callable[..., Any] = uniform_weights) -> None:
    """Sets weights that depend on their names and shapes only."""
    for weight in model.weights:
        if "float" in weight.dtype:
            seed = zlib.crc32(f"{weight.name}{weight.shape}".encode())
            weight.assign(values(weight, np.random.default_rng(seed)))


def read_layers(path: Path) -> list[Component]:
    return [catalogue.parse_component("layers", each) for each in architecture.read(path).layers]


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_its_output_is_that_of_the_model(make: Callable[[], keras.Model], tmp_path: Path) -> None:
    """From a saved model and from its JSON."""
    model = make()
    model.save(tmp_path / "model.keras")
    (tmp_path / "model.json").write_text(model.to_json(), "utf-8")
    shape = model.input_shape[1:]
    components = read_layers(tmp_path / "model.keras")
    built = build(components, shape)
    fill(model)
    fill(built)
    rows = np.random.default_rng(0).uniform(size=(3, *shape)).astype("float32")

    assert components == read_layers(tmp_path / "model.json")
    assert trace(components, shape).parameters == model.count_params() == built.count_params()
    np.testing.assert_allclose(built(rows), model(rows), rtol=1e-5)


NETWORKS = (
    *("VGG16", "ResNet50", "ResNet50V2", "InceptionV3", "Xception", "MobileNet", "MobileNetV2"),
    *("DenseNet121", "EfficientNetB0", "EfficientNetV2B0", "MobileNetV3Small", "NASNetMobile"),
    *("InceptionResNetV2", "ConvNeXtTiny"),
)
# Normalization has mean, variance and count as weights until it is adapted, and no effect.
UNADAPTED = {"EfficientNetB0": 7}


def network(name: str, **options: Any) -> keras.Model:
    keras.utils.clear_session()
    return getattr(keras.applications, name)(weights=None, **options)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_has_the_parameters_of_keras(name: str, tmp_path: Path) -> None:
    with keras.StatelessScope(initialize_variables=False):
        model = network(name)
    path = tmp_path / "model.json"
    path.write_text(model.to_json(), "utf-8")
    shape = [length or 224 for length in model.input_shape[1:]]

    parameters = trace(read_layers(path), tuple(shape)).parameters
    assert parameters == model.count_params() - UNADAPTED.get(name, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["EfficientNetB0", "MobileNetV3Small", "NASNetMobile", "InceptionResNetV2", "ConvNeXtTiny"],
)
def test_a_network_computes_what_that_of_keras_does(name: str, tmp_path: Path) -> None:
    shape = (96, 96, 3)
    model = network(name, include_top=False, input_shape=shape)
    path = tmp_path / "model.json"
    path.write_text(model.to_json(), "utf-8")
    keras.utils.clear_session()
    built = build(read_layers(path), shape)
    rows = np.random.default_rng(0).uniform(size=(2, *shape)).astype("float32")
    fill(model, small_weights)
    fill(built, small_weights)

    expected = np.asarray(model(rows))
    np.testing.assert_allclose(built(rows), expected, rtol=1e-3, atol=1e-5 * abs(expected).max())
