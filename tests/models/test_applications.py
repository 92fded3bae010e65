"""A network of `keras.applications` in a stack equals the one built by hand."""

from __future__ import annotations

import sys
from typing import Any

import keras
import numpy as np
import pytest

from nnrun.errors import DataError, IncompatibleSpec
from nnrun.models.build import Wired, wire
from nnrun.spec.component import NETWORKS, Component
from nnrun.spec.training import FrozenPart

SIZE = (32, 32, 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (2, *SIZE)).astype("float32")


def wire_network(shape: tuple[int, ...] = SIZE, **arguments: Any) -> Wired:
    arguments = {"name": "MobileNetV3Small", "weights": None, **arguments}
    return wire([Component(name="Application", arguments=arguments)], shape)


def test_every_network_of_keras_can_be_named() -> None:
    networks = [name for name, value in vars(keras.applications).items() if callable(value)]

    assert sorted(NETWORKS) == sorted(networks)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("DenseNet121", id="torch", marks=pytest.mark.slow),
        pytest.param("MobileNetV2", id="tf", marks=pytest.mark.slow),
        pytest.param("VGG16", id="caffe"),
        pytest.param("MobileNetV3Small", id="layers"),
    ],
)
def test_pixels_are_scaled_as_the_network_expects(name: str) -> None:
    """By each of Keras's rules, and by layers of the network itself."""
    model = wire_network(name=name).model
    network = getattr(keras.applications, name)
    by_hand = network(include_top=False, weights=None, input_shape=SIZE)
    by_hand.set_weights(model.get_weights())
    scale = sys.modules[network.__module__].preprocess_input  # type: ignore[attr-defined]

    expected = by_hand(scale(IMAGES.copy()), training=False)

    np.testing.assert_allclose(model(IMAGES, training=False), expected, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file of weights of a network, with statistics that no batch has."""
    network = keras.applications.MobileNetV3Small(include_top=False, weights=None, input_shape=SIZE)
    rng = np.random.default_rng(1)
    network.set_weights([rng.uniform(0.1, 0.5, each.shape) for each in network.get_weights()])
    path = tmp_path_factory.mktemp("weights") / "network.weights.h5"
    network.save_weights(path)
    return str(path)


def test_a_pretrained_network_keeps_its_statistics_in_training(weights: str) -> None:
    """Also after a stage that froze it."""
    wired = wire_network(weights=weights, pooling="avg")
    model = wired.model
    for frozen in (True, False):
        wired.layers[0].freeze({"Application": FrozenPart()} if frozen else {})
    before = [each.copy() for each in model.get_weights()]

    output = model(IMAGES, training=True)

    assert model.trainable_weights
    np.testing.assert_array_equal(output, model(IMAGES, training=False))
    for weight, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, other)


@pytest.mark.parametrize("trainable", [True, False])
def test_a_network_without_weights_learns_its_statistics_unless_frozen(trainable: bool) -> None:
    model = wire_network(trainable=trainable).model
    equal = np.allclose(model(IMAGES, training=True), model(IMAGES, training=False))

    assert bool(model.trainable_weights) == trainable
    assert equal != trainable


def test_a_stage_can_freeze_it_by_either_name() -> None:
    [named] = wire_network(name="VGG16").layers

    assert named.names == {"Application", "VGG16"}
    assert named.layer.output_shape == (None, 1, 1, 512)


def test_a_stage_can_freeze_a_part_of_it() -> None:
    """The layers before the last ones, or those of some names."""
    [named] = wire_network(name="VGG16").layers
    for part, trained in (
        (FrozenPart(except_last=3), ["block5_conv2", "block5_conv3", "block5_pool"]),
        (
            FrozenPart(layers=("input*", "block[1-4]_*", "*_pool")),
            [f"block5_conv{n}" for n in (1, 2, 3)],
        ),
        (FrozenPart(), []),
    ):
        named.freeze({"VGG*": part})

        assert [layer.name for layer in named.layer.layers if layer.trainable] == trained


def test_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(IncompatibleSpec, match="must be at least 32x32"):
        wire_network((8, 8, 3), name="VGG16")


def test_weights_that_cannot_be_downloaded_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(DataError, match="the weights of MobileNet cannot be downloaded"):
        wire_network(name="MobileNet", weights="imagenet")
