"""The training loop of a dense net written by hand in JAX: what the compiled loop is measured against.

    python loop_in_jax.py ROWS BATCH_SIZE UNITS…      # prints microseconds per step

It stands alone, for an environment that has JAX and no more.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

RATE, DECAY, EPSILON = 1e-3, 0.9, 1e-7  # of Keras's RMSprop
SECONDS = 1.5


def epoch_of(
    units: Sequence[int], x: Any, y: Any, order: Any, batch_size: int
) -> Callable[[], Any]:
    """One epoch of a net with relu, mean squared error and RMSprop, compiled as a whole.

    Args:
        units: of the input and of every layer.
        x, y: rows of shape `(rows, units[0])` and `(rows, 1)`.
        order: of the rows; a multiple of the batch size.
    """
    rng = np.random.default_rng(0)
    weights = [
        (jnp.asarray(rng.normal(0, 0.1, (a, b)), jnp.float32), jnp.zeros(b, jnp.float32))
        for a, b in pairwise(units)
    ]
    state = (weights, jax.tree.map(jnp.zeros_like, weights))

    def loss(weights: Any, x: Any, y: Any) -> tuple[Any, Any]:
        for number, (kernel, bias) in enumerate(weights):
            x = x @ kernel + bias
            x = jnp.maximum(x, 0) if number < len(weights) - 1 else x
        # Keras reports the mean error as well.
        return jnp.mean((x - y) ** 2), jnp.mean(jnp.abs(x - y))

    def step(state: Any, rows: Any) -> tuple[Any, Any]:
        weights, squares = state
        (error, distance), slopes = jax.value_and_grad(loss, has_aux=True)(
            weights, x_all[rows], y_all[rows]
        )
        squares = jax.tree.map(lambda s, g: DECAY * s + (1 - DECAY) * g * g, squares, slopes)
        weights = jax.tree.map(
            lambda w, g, s: w - RATE * g / (jnp.sqrt(s) + EPSILON), weights, slopes, squares
        )
        return (weights, squares), (error, distance)

    x_all, y_all = jnp.asarray(x), jnp.asarray(y)
    batches = jnp.asarray(order).reshape(-1, batch_size)
    compiled = jax.jit(lambda state: jax.lax.scan(step, state, batches))

    def epoch() -> Any:
        nonlocal state
        state, errors = compiled(state)
        return jax.block_until_ready(errors)

    return epoch


def main() -> None:
    """Prints the fastest epoch's microseconds per step; the first compiles and does not count."""
    rows, batch_size, *units = map(int, sys.argv[1:])
    draw = np.random.default_rng(0)
    x = draw.normal(size=(rows, units[0])).astype(np.float32)
    y = draw.normal(size=(rows, 1)).astype(np.float32)
    epoch = epoch_of(units, x, y, draw.permutation(rows).astype(np.int32), batch_size)
    epoch()
    best, began = float("inf"), time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        start = time.perf_counter()
        epoch()
        best = min(best, time.perf_counter() - start)
    print(1e6 * best / (rows // batch_size))


if __name__ == "__main__":
    main()
