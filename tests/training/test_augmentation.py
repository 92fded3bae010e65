"""Layers that distort images do so in training only."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from nnrun.models.build import build
from nnrun.spec.component import Component

# Every random image layer of Keras, with arguments that change an image visibly.
LAYERS = {
    "RandomBrightness": {"factor": 0.5},
    "RandomColorDegeneration": {"factor": 0.9},
    "RandomColorJitter": {"brightness_factor": 0.5},
    "RandomContrast": {"factor": 0.5},
    "RandomCrop": {"height": 8, "width": 8},
    "RandomElasticTransform": {"factor": 1.0, "scale": 1.0},
    "RandomErasing": {"factor": 1.0, "scale": [0.3, 0.5]},
    "RandomFlip": {},
    "RandomGaussianBlur": {"factor": 1.0},
    "RandomGrayscale": {"factor": 1.0},
    "RandomHue": {"factor": 0.5},
    "RandomInvert": {"factor": 1.0},
    "RandomPerspective": {"factor": 1.0, "scale": 0.5},
    "RandomPosterization": {"factor": 2},
    "RandomRotation": {"factor": 0.3},
    "RandomSaturation": {"factor": 0.9},
    "RandomSharpness": {"factor": 0.9},
    "RandomShear": {"x_factor": 0.5, "y_factor": 0.5},
    "RandomTranslation": {"height_factor": 0.3, "width_factor": 0.3},
    "RandomZoom": {"height_factor": 0.4},
}


IMAGES = np.random.default_rng(0).uniform(0, 255, (4, 16, 16, 3)).astype("float32")


def test_all_random_layers_of_keras_are_tested() -> None:
    assert {name for name in dir(keras.layers) if name.startswith("Random")} == set(LAYERS)


@pytest.mark.parametrize("name", LAYERS)
def test_images_are_distorted_in_training_only(name: str) -> None:
    # By chance a layer can leave all four images unchanged.
    keras.utils.set_random_seed(0)
    model = build([Component(name=name, arguments=LAYERS[name])], IMAGES.shape[1:])
    training = np.asarray(model(IMAGES, training=True))
    inference = np.asarray(model(IMAGES, training=False))

    assert training.shape != inference.shape or not np.allclose(training, inference)
    np.testing.assert_array_equal(inference, IMAGES)
