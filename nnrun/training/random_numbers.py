"""Random numbers that XLA draws as quickly as TensorFlow does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import tensorflow as tf

# What Keras draws with, and the argument that names the algorithm.
_DRAWN_WITH: tuple[tuple[Any, str, str], ...] = (
    (tf.nn.experimental, "stateless_dropout", "rng_alg"),
    (tf.random, "stateless_normal", "alg"),
    (tf.random, "stateless_truncated_normal", "alg"),
    (tf.random, "stateless_uniform", "alg"),
)


@contextmanager
def named() -> Iterator[None]:
    """While a function is traced within it, every draw names the algorithm.

    Keras leaves the choice to TensorFlow, which takes Philox on a CPU. Under XLA it then chooses
    while the step runs, and pays for it with seven times as long for the same numbers.
    """
    known = [getattr(owner, name) for owner, name, _ in _DRAWN_WITH]
    try:
        for (owner, name, argument), draw in zip(_DRAWN_WITH, known, strict=True):
            setattr(owner, name, partial(draw, **{argument: "philox"}))
        yield
    finally:
        for (owner, name, _), draw in zip(_DRAWN_WITH, known, strict=True):
            setattr(owner, name, draw)
