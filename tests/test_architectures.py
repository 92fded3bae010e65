"""The networks under `configs/architectures` are the published ones."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from nnrun.check import faults, spec_context
from nnrun.cli import specs
from nnrun.models.build import build
from nnrun.spec.loading import load

# Parameters, and trainable parameters where the source counts these.
# AlexNet and ResNet-18 are those of torchvision; GoogLeNet is table 1 of the paper without auxiliary
# classifiers, https://arxiv.org/abs/1409.4842, as in Caffe's model zoo; ResNet-20 is table 6 of
# https://arxiv.org/abs/1512.03385, and ResNet-8 has fewer of its blocks; the others are those of
# `keras.applications`.
PUBLISHED: dict[str, tuple[int, int | None]] = {
    "alexnet": (61_100_840, 61_100_840),
    "vgg16": (138_357_544, None),
    "vgg19": (143_667_240, None),
    "googlenet": (6_998_552, None),
    "resnet8": (78_714, 78_042),
    "resnet18": (11_699_112, 11_689_512),
    "resnet20": (274_042, 272_474),
    "resnet50": (25_636_712, None),
    "resnet152": (60_419_944, None),
}
# Keras takes seconds to build them.
LARGE = {"resnet152", "vgg16", "vgg19"}
SPECS = sorted((specs.shipped_folder() / "architectures").glob("*.yaml"))
every = pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)


@pytest.fixture
def freed() -> Iterator[None]:
    """Frees models of hundreds of megabytes, which reference each other in cycles."""
    yield
    keras.utils.clear_session()
    gc.collect()


def test_every_architecture_has_a_published_count() -> None:
    assert {path.stem for path in SPECS} == set(PUBLISHED)


@every
def test_a_spec_is_valid_short_and_written_with_blocks(path: Path) -> None:
    text = path.read_text("utf-8")

    assert faults(load(path)) == ()
    assert len(text.splitlines()) < 120
    assert "'block': " in str(load(path).experiment.model_dump()["model"])
    assert "Application:" not in text


@every
def test_check_counts_the_published_parameters(path: Path) -> None:
    trace = spec_context(load(path).experiment).trace
    total, trainable = PUBLISHED[path.stem]

    assert trace
    assert trace.parameters == total
    assert trainable in (None, sum(output.trainable for output in trace.layers))


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=pytest.mark.slow if path.stem in LARGE else ()) for path in SPECS],
    ids=lambda path: path.stem,
)
@pytest.mark.usefixtures("freed")
def test_keras_counts_the_published_parameters(path: Path) -> None:
    context = spec_context(load(path).experiment)
    assert context.input_shape

    model = build(context.spec.model, context.input_shape)
    assert model.count_params() == PUBLISHED[path.stem][0]


def weights(network: keras.Model) -> list[np.ndarray]:
    """The weights of a Keras network in the order of ours: shortcuts after the last convolution."""
    layers = [layer for layer in network.layers if layer.weights]
    for at, layer in enumerate([*layers]):
        if re.search(r"_0_(conv|bn)$", layer.name):
            layers[at], layers[at + 1] = layers[at + 1], layers[at]
    return [weight for layer in layers for weight in layer.get_weights()]


@pytest.mark.usefixtures("freed")
@pytest.mark.slow
@pytest.mark.parametrize("network", ["ResNet50", "VGG16"])
def test_outputs_equal_those_of_keras_for_the_same_weights(network: str) -> None:
    spec = load(specs.shipped_folder() / "architectures" / f"{network.lower()}.yaml").experiment
    ours = build(spec.model, (224, 224, 3))
    theirs = getattr(keras.applications, network)(weights=None)
    rng = np.random.default_rng(0)
    for weight in theirs.weights:
        if "batch_norm" in weight.path or "_bn" in weight.path:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    ours.set_weights(weights(theirs))
    images = rng.uniform(0, 1, (2, 224, 224, 3)).astype("float32")

    expected = theirs(images, training=False)

    assert np.std(expected) > 0
    np.testing.assert_allclose(ours(images, training=False), expected, rtol=1e-4, atol=1e-7)
