"""Naming the algorithm makes XLA quick, and changes no number."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from nnrun.training.compiled import _RANDOM_FUNCTIONS, use_philox

DRAWING = {
    "Dropout": lambda: layers.Dropout(0.3),
    "GaussianNoise": lambda: layers.GaussianNoise(0.3),
    "GaussianDropout": lambda: layers.GaussianDropout(0.3),
    "AlphaDropout": lambda: layers.AlphaDropout(0.3),
    "SpatialDropout1D": lambda: layers.SpatialDropout1D(0.3),
}


def drawn(layer: Any) -> Any:
    """What a compiled layer makes of ones."""
    compiled = tf.function(lambda x: layer(x, training=True), jit_compile=True, autograph=False)
    return compiled(tf.ones((8, 5, 3))).numpy()


@pytest.mark.parametrize("name", DRAWING)
def test_a_named_algorithm_draws_the_same_numbers(name: str) -> None:
    """So an earlier run, made without the name, can be repeated to the bit."""
    found = []
    for named in (False, True):
        keras.utils.set_random_seed(0)
        layer = DRAWING[name]()
        if named:
            with use_philox():
                found.append(drawn(layer))
        else:
            found.append(drawn(layer))

    assert found[0].std() > 0
    np.testing.assert_array_equal(*found)


def test_afterwards_tensorflow_is_what_it_was() -> None:
    """Whoever draws outside of our loop must not notice."""
    known = [getattr(owner, name) for owner, name, _ in _RANDOM_FUNCTIONS]
    with pytest.raises(ZeroDivisionError), use_philox():
        raise ZeroDivisionError

    assert known == [getattr(owner, name) for owner, name, _ in _RANDOM_FUNCTIONS]
