"""The networks under `configs/architectures` are the published ones."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nnrun.check import faults, spec_context
from nnrun.cli import specs
from nnrun.models.build import build
from nnrun.spec.loading import load

# Parameters, and those of them that training changes where these are what the source counts.
# AlexNet and ResNet-18 are torchvision's of these names; GoogLeNet is table 1 of the paper without
# its helpers at the side, https://arxiv.org/abs/1409.4842, as in Caffe's model zoo; ResNet-20 is
# table 6 of https://arxiv.org/abs/1512.03385, and ResNet-8, which no paper counts, has the blocks of it
# that are left; the others are those of `keras.applications`.
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
def forgotten() -> Iterator[None]:
    """They are of hundreds of megabytes, and refer to each other in circles."""
    yield
    keras.utils.clear_session()
    gc.collect()


def test_each_has_its_published_count() -> None:
    assert {path.stem for path in SPECS} == set(PUBLISHED)


@every
def test_it_is_free_of_faults_short_and_written_with_blocks(path: Path) -> None:
    text = path.read_text("utf-8")

    assert faults(load(path)) == ()
    assert len(text.splitlines()) < 120
    assert "'block': " in str(load(path).experiment.model_dump()["model"])
    assert "Application:" not in text


@every
def test_a_check_counts_its_parameters_as_published(path: Path) -> None:
    about = spec_context(load(path).experiment)
    total, trainable = PUBLISHED[path.stem]

    assert about.trace
    assert about.trace.parameters == total
    assert trainable in (None, about.trace.trainable)


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=pytest.mark.slow if path.stem in LARGE else ()) for path in SPECS],
    ids=lambda path: path.stem,
)
@pytest.mark.usefixtures("forgotten")
def test_keras_counts_as_many(path: Path) -> None:
    about = spec_context(load(path).experiment)
    assert about.row

    assert build(about.spec.model, about.row.shape).count_params() == PUBLISHED[path.stem][0]


def weights(network: Any) -> list[Any]:
    """The weights of a network of Keras's in the order of ours.

    Keras makes the shortcut of a block before its last convolution, ours comes after it.
    """
    layers = [layer for layer in network.layers if layer.weights]
    for at, layer in enumerate([*layers]):
        if re.search(r"_0_(conv|bn)$", layer.name):
            layers[at], layers[at + 1] = layers[at + 1], layers[at]
    return [weight for layer in layers for weight in layer.get_weights()]


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("network", ["ResNet50", pytest.param("VGG16", marks=pytest.mark.slow)])
def test_with_the_weights_of_keras_it_says_the_same(network: str) -> None:
    """At the full size, every weight moved away from where it begins."""
    spec = load(specs.shipped_folder() / "architectures" / f"{network.lower()}.yaml").experiment
    ours = build(spec.model, (224, 224, 3))
    theirs = getattr(keras.applications, network)(weights=None)
    rng = np.random.default_rng(0)
    for weight in theirs.weights:
        if "batch_norm" in weight.path or "_bn" in weight.path:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    ours.set_weights(weights(theirs))
    pictures = rng.uniform(0, 1, (2, 224, 224, 3)).astype("float32")

    expected = theirs(pictures, training=False)

    assert np.std(expected) > 0
    np.testing.assert_allclose(ours(pictures, training=False), expected, rtol=1e-4, atol=1e-7)
