"""Layers that distort pictures do so while a model learns, and at no other time."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from nnrun.models.build import build
from nnrun.spec.component import Component

# Every layer of Keras that draws at random what becomes of a picture, with arguments that show.
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


PICTURES = np.random.default_rng(0).uniform(0, 255, (4, 16, 16, 3)).astype("float32")


def test_every_such_layer_is_tried() -> None:
    named = {name for name in dir(keras.layers) if name.startswith("Random")}

    assert named == set(LAYERS)


@pytest.mark.parametrize("name", LAYERS)
def test_pictures_are_distorted_only_while_a_model_learns(name: str) -> None:
    # Some leave a picture as it is by chance, and one time in many all four.
    keras.utils.set_random_seed(0)
    model = build([Component(name=name, arguments=LAYERS[name])], PICTURES.shape[1:])
    learning = np.asarray(model(PICTURES, training=True))
    asked = np.asarray(model(PICTURES, training=False))

    assert learning.shape != asked.shape or not np.allclose(learning, asked)
    np.testing.assert_array_equal(asked, PICTURES)
