"""A network of `keras.applications` in a stack is the one that Keras makes."""

from __future__ import annotations

import sys
from typing import Any

import keras
import numpy as np
import pytest

from nnrun.errors import DataError, IncompatibleSpec
from nnrun.models.build import Wired, build, wire
from nnrun.spec import component as spec_applications
from nnrun.spec.component import Component

SIZE = (32, 32, 3)
PICTURES = np.random.default_rng(0).integers(0, 256, (2, *SIZE)).astype("float32")
# One that scales pixels by each of Keras's rules, and one that has layers for it.
SCALED = {
    "torch": "DenseNet121",
    "tf": "MobileNetV2",
    "caffe": "VGG16",
    "layers": "MobileNetV3Small",
}


def test_every_network_of_keras_can_be_named() -> None:
    networks = [name for name, value in vars(keras.applications).items() if callable(value)]

    assert sorted(spec_applications.NETWORKS) == sorted(networks)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, id=rule, marks=pytest.mark.slow if rule == "torch" else ())
        for rule, name in SCALED.items()
    ],
)
def test_pixels_are_scaled_as_its_authors_did(name: str) -> None:
    layer = Component(name="Application", arguments={"name": name, "weights": None})
    model = build([layer], SIZE)
    network = getattr(keras.applications, name)
    by_hand = network(include_top=False, weights=None, input_shape=SIZE)
    by_hand.set_weights(model.get_weights())
    scale = sys.modules[network.__module__].preprocess_input  # type: ignore[attr-defined]

    expected = by_hand(scale(PICTURES.copy()), training=False)

    np.testing.assert_allclose(model(PICTURES, training=False), expected, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file of weights of a network, with statistics that no batch has."""
    network = keras.applications.MobileNetV3Small(include_top=False, weights=None, input_shape=SIZE)
    rng = np.random.default_rng(1)
    network.set_weights([rng.uniform(0.1, 0.5, each.shape) for each in network.get_weights()])
    path = tmp_path_factory.mktemp("weights") / "network.weights.h5"
    network.save_weights(path)
    return str(path)


def made(**arguments: Any) -> Wired:
    told = {"name": "MobileNetV3Small", "pooling": "avg", **arguments}
    return wire([Component(name="Application", arguments=told)], SIZE)


@pytest.mark.parametrize("stood_still", [False, True])
def test_a_network_that_has_learnt_keeps_its_statistics_while_it_trains(
    learnt: str,
    stood_still: bool,
) -> None:
    """A batch of a few new pictures would undo them; also in a second stage that trains it."""
    wired = made(weights=learnt)
    model = wired.model
    if stood_still:
        wired.layers[0].set_frozen(frozen=True)
        wired.layers[0].set_frozen(frozen=False)
    before = [each.copy() for each in model.get_weights()]

    trained = model(PICTURES, training=True)

    assert model.trainable_weights
    np.testing.assert_array_equal(trained, model(PICTURES, training=False))
    for weight, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, other)


def test_a_new_network_learns_its_statistics() -> None:
    model = made(weights=None).model

    assert not np.allclose(model(PICTURES, training=True), model(PICTURES, training=False))


@pytest.mark.parametrize("trainable", [True, False])
def test_a_network_can_stand_still(trainable: bool) -> None:
    assert bool(made(weights=None, trainable=trainable).model.trainable_weights) == trainable


def test_a_stage_names_it_by_itself_or_by_its_network() -> None:
    layer = Component(name="Application", arguments={"name": "VGG16", "weights": None})
    [named] = wire([layer], SIZE).layers

    assert named.names == {"Application", "VGG16"}
    assert named.shape == (1, 1, 512)


def test_pictures_that_it_does_not_take_are_refused() -> None:
    layer = Component(name="Application", arguments={"name": "VGG16", "weights": None})
    with pytest.raises(IncompatibleSpec, match="must be at least 32x32"):
        build([layer], (8, 8, 3))


def test_weights_that_cannot_be_downloaded_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(DataError, match="the weights of MobileNet cannot be downloaded"):
        made(name="MobileNet", weights="imagenet")
