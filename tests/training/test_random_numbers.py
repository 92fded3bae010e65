"""Naming the algorithm makes random numbers fast under XLA, and does not change them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from nnrun.training.compiled import _RANDOM_FUNCTIONS, use_philox

LAYERS: dict[str, Callable[[], keras.Layer]] = {
    "Dropout": lambda: layers.Dropout(0.3),
    "GaussianNoise": lambda: layers.GaussianNoise(0.3),
    "GaussianDropout": lambda: layers.GaussianDropout(0.3),
    "AlphaDropout": lambda: layers.AlphaDropout(0.3),
    "SpatialDropout1D": lambda: layers.SpatialDropout1D(0.3),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_named_algorithm_draws_the_same_numbers(name: str) -> None:
    """So runs of earlier versions can be repeated to the bit."""
    outputs = []
    for context in (nullcontext(), use_philox()):
        keras.utils.set_random_seed(0)
        layer = LAYERS[name]()
        call = tf.function(
            lambda x, layer=layer: layer(x, training=True), jit_compile=True, autograph=False
        )
        with context:
            outputs.append(call(tf.ones((8, 5, 3))).numpy())

    assert outputs[0].std() > 0
    np.testing.assert_array_equal(*outputs)


def test_tensorflow_is_restored() -> None:
    before = [getattr(owner, name) for owner, name, _ in _RANDOM_FUNCTIONS]
    with pytest.raises(ZeroDivisionError), use_philox():
        raise ZeroDivisionError

    assert before == [getattr(owner, name) for owner, name, _ in _RANDOM_FUNCTIONS]
