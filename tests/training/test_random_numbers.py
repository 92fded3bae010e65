"""Naming the algorithm makes random numbers fast under XLA, and does not change them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import keras
import pytest
import tensorflow as tf
from keras import layers

from nnrun.training.compiled import _RANDOM_FUNCTIONS, use_philox

LAYERS: tuple[Callable[[float], keras.Layer], ...] = (
    *(layers.Dropout, layers.GaussianNoise, layers.GaussianDropout, layers.AlphaDropout),
    layers.SpatialDropout1D,
)


def test_a_named_algorithm_draws_the_same_numbers() -> None:
    """So runs of earlier versions can be repeated to the bit."""
    outputs = []
    for context in (nullcontext(), use_philox()):
        keras.utils.set_random_seed(0)
        random = [layer(0.3) for layer in LAYERS]
        call = tf.function(
            lambda x, random=random: [layer(x, training=True) for layer in random],
            jit_compile=True,
            autograph=False,
        )
        with context:
            outputs.append([output.numpy() for output in call(tf.ones((8, 5, 3)))])

    assert min(output.std() for output in outputs[0]) > 0
    assert [output.tobytes() for output in outputs[0]] == [
        output.tobytes() for output in outputs[1]
    ]


def test_tensorflow_is_restored() -> None:
    before = [getattr(owner, name) for owner, name, _ in _RANDOM_FUNCTIONS]
    with pytest.raises(ZeroDivisionError), use_philox():
        raise ZeroDivisionError

    assert before == [getattr(owner, name) for owner, name, _ in _RANDOM_FUNCTIONS]
