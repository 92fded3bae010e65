"""Microseconds per training step: `model.fit`, the graph loop and the XLA loop, side by side.

    python benchmarks/engine.py            # the Boston net, batch size 1, 303 rows
    python benchmarks/engine.py --grid     # the cases behind the rule in nnrun/training/engine.py

Each figure is the fastest of several epochs, the engines taking turns, so that a noisy machine
troubles all of them alike. The last column is what `engine: auto` picks.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from nnrun.prepare import Preparation
from nnrun.spec.component import Component
from nnrun.spec.training import Training
from nnrun.training import engine, seeding
from nnrun.training.compiled import CompiledLoop
from nnrun.training.rows import resident

SECONDS = 1.5  # per engine and case
Case = tuple[tuple[int, ...], Callable[[], list[keras.Layer]], int]


def dense(*units: int) -> Callable[[], list[keras.Layer]]:
    """Hidden layers with relu, and one unit at the end."""
    return lambda: [*(layers.Dense(u, activation="relu") for u in units), layers.Dense(1)]


BOSTON: dict[str, Case] = {"13-64-64-1, batch 1": ((13,), dense(64, 64), 1)}
GRID: dict[str, Case] = {
    **BOSTON,
    "13-64-64-1, batch 16": ((13,), dense(64, 64), 16),
    "13-64-64-1, batch 128": ((13,), dense(64, 64), 128),
    "64-256-256-1, batch 1": ((64,), dense(256, 256), 1),
    "64-256-256-1, batch 32": ((64,), dense(256, 256), 32),
    "784-128-1, batch 32": ((784,), dense(128), 32),
    "784-128-64-1, batch 100": ((784,), dense(128, 64), 100),
    "784-128-64-1, batch 1000": ((784,), dense(128, 64), 1000),
    "5000-16-16-1, batch 512": ((5000,), dense(16, 16), 512),
    "64-dropout-1, batch 1": (
        (64,),
        lambda: [*dense(64)()[:1], layers.Dropout(0.3), layers.Dense(1)],
        1,
    ),
    "64-dropout-1, batch 32": (
        (64,),
        lambda: [*dense(64)()[:1], layers.Dropout(0.3), layers.Dense(1)],
        32,
    ),
    "batch norm, batch 32": (
        (64,),
        lambda: [layers.Dense(64), layers.BatchNormalization(), layers.Dense(1)],
        32,
    ),
    "LSTM 16, 20 steps, batch 32": ((20, 4), lambda: [layers.LSTM(16), layers.Dense(1)], 32),
    "Conv1D 16, batch 32": (
        (50, 8),
        lambda: [layers.Conv1D(16, 3), layers.GlobalAveragePooling1D(), layers.Dense(1)],
        32,
    ),
    "Conv2D 8, batch 32": (
        (28, 28, 1),
        lambda: [layers.Conv2D(8, 3), layers.Flatten(), layers.Dense(1)],
        32,
    ),
}


def built(shape: tuple[int, ...], stack: Callable[[], list[keras.Layer]]) -> keras.Model:
    """A compiled model with rmsprop and mean squared error."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(shape), *stack()])
    model.compile("rmsprop", "mse", metrics=["mae"], jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model


def fastest(epoch: Callable[[], object], steps: int) -> float:
    """Microseconds per step of the fastest epoch; the first compiles and does not count."""
    epoch()
    best, began = float("inf"), time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        start = time.perf_counter()
        epoch()
        best = min(best, time.perf_counter() - start)
    return 1e6 * best / steps


def measure(case: Case) -> dict[str, float]:
    """Microseconds per step for each engine."""
    shape, stack, batch_size = case
    rows = 303 if shape == (13,) and batch_size == 1 else max(100 * batch_size, 1000)
    draw = np.random.default_rng(0)
    x = draw.normal(size=(rows, *shape)).astype(np.float32)
    y = draw.normal(size=(rows, 1)).astype(np.float32)
    steps = -(-rows // batch_size)
    order = draw.permutation(rows).astype(np.int32)
    found = {}
    plain = built(shape, stack)
    found["fit"] = fastest(lambda: plain.fit(x, y, batch_size=batch_size, verbose=0), steps)
    for name in ("graph", "xla"):
        loop = CompiledLoop(
            built(shape, stack),
            Preparation((), shape, "float32", stored_expanded=True),
            batch_size=batch_size,
            xla=name == "xla",
        )
        device_rows = resident(x, y)
        found[name] = fastest(
            lambda loop=loop, rows=device_rows: loop.epoch(rows, order, report=lambda _: None),
            steps,
        )
    return found


def chosen(case: Case) -> str:
    """What `engine: auto` picks."""
    shape, stack, batch_size = case
    training = Training(
        optimizer=Component(name="rmsprop"),
        loss=Component(name="mse"),
        epochs=1,
        batch_size=batch_size,
    )
    return engine.choose(training, built(shape, stack), device="cpu")


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", action="store_true", help="all cases, not the Boston net alone")
    cases = GRID if parser.parse_args().grid else BOSTON
    seeding.seed_everything(0)
    print(f"{'case':30}{'model.fit':>12}{'graph':>10}{'xla':>10}   auto   us per step")
    for name, case in cases.items():
        try:
            found = measure(case)
        except tf.errors.OpError as error:  # XLA has no deterministic form of some layers
            print(f"{name:30} {type(error).__name__}")
            continue
        figures = f"{found['fit']:12.0f}{found['graph']:10.1f}{found['xla']:10.1f}"
        print(f"{name:30}{figures}   {chosen(case)}", flush=True)


if __name__ == "__main__":
    main()
