"""Microseconds per training step: `model.fit` and nnrun's two loops, side by side.

    python benchmarks/engine.py                       # the Boston net, batch size 1, 303 rows
    python benchmarks/engine.py --grid                # the cases behind the rule in nnrun/training/loop.py
    python benchmarks/engine.py --grid --plot FILE    # the same as a picture
    python benchmarks/engine.py --jax PYTHON          # beside a loop in JAX, run by that interpreter

`fit x32` is `model.fit` with `steps_per_execution=32`; `jax` is the loop of a dense net written by hand
in JAX, in an environment of its own, because TensorFlow imports JAX where it finds it. Each figure is
the fastest of several epochs. `auto` is what `engine: auto` picks, and `lost` how much slower that is than the faster loop.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from nnrun.data.preprocessing import Preparation
from nnrun.spec.component import Component
from nnrun.spec.training import Training
from nnrun.training import devices
from nnrun.training.compiled import MOST_EPOCHS, CompiledLoop
from nnrun.training.evaluate import Evaluator
from nnrun.training.loop import choose
from nnrun.training.rows import resident

SECONDS = 1.5  # per engine and case
Case = tuple[tuple[int, ...], Callable[[], list[keras.Layer]], int]


def dense(*units: int) -> Callable[[], list[keras.Layer]]:
    """Hidden layers with relu, and one unit at the end."""
    return lambda: [*(layers.Dense(u, activation="relu") for u in units), layers.Dense(1)]


def dropping(*units: int) -> Callable[[], list[keras.Layer]]:
    """The same with dropout after each hidden layer."""
    return lambda: [
        *(
            each
            for u in units
            for each in (layers.Dense(u, activation="relu"), layers.Dropout(0.3))
        ),
        layers.Dense(1),
    ]


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
    "64-dropout-1, batch 1": ((64,), dropping(64), 1),
    "64-dropout-1, batch 32": ((64,), dropping(64), 32),
    # On either side of the limit of random numbers: 32,768 and 64,000 a step.
    "784-512-512-drop-1, batch 32": ((784,), dropping(512, 512), 32),
    "20-1000-dropout-1, batch 64": ((20,), dropping(1000), 64),
    # On either side of that of operations: half a billion and two billion a step.
    "784-512-512-1, batch 128": ((784,), dense(512, 512), 128),
    "784-512-512-1, batch 512": ((784,), dense(512, 512), 512),
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


def dense_units(shape: tuple[int, ...], model: keras.Model) -> list[int]:
    """The widths of a net of dense layers; none of another."""
    if not all(type(layer) is layers.Dense for layer in model.layers):
        return []
    return [*shape, *(layer.units for layer in model.layers)]


def built(
    shape: tuple[int, ...], stack: Callable[[], list[keras.Layer]], **options: int
) -> keras.Model:
    """A compiled model with rmsprop and mean squared error."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(shape), *stack()])
    model.compile("rmsprop", "mse", metrics=["mae"], jit_compile=False, **options)
    model.optimizer.build(model.trainable_variables)
    return model


def fastest(epoch: Callable[[], object], steps: int) -> float:
    """Microseconds per step of the fastest epoch; the first compiles and does not count."""
    epoch()
    best, began = float("inf"), time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        start = time.perf_counter()
        found = epoch()
        # Ours trains as many short epochs at once as it does in a run.
        passes = len(found) if isinstance(found, list) else 1
        best = min(best, (time.perf_counter() - start) / passes)
    return 1e6 * best / steps


def in_jax(python: str, units: list[int], rows: int, batch_size: int) -> float:
    """Microseconds per step of the loop in JAX."""
    loop = Path(__file__).with_name("loop_in_jax.py")
    given = [python, str(loop), *map(str, (rows, batch_size, *units))]
    return float(subprocess.run(given, capture_output=True, text=True, check=True).stdout)


def measure(case: Case, python: str | None) -> dict[str, float]:
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
    bundled = built(shape, stack, steps_per_execution=32)
    found["fit x32"] = fastest(lambda: bundled.fit(x, y, batch_size=batch_size, verbose=0), steps)
    units = dense_units(shape, plain)
    if python and units:
        found["jax"] = in_jax(python, units, rows, batch_size)
    for name in ("graph", "xla"):
        model = built(shape, stack)
        preparation = Preparation((), shape, "float32", stored_expanded=True)
        evaluator = Evaluator(model, preparation)
        loop = CompiledLoop(evaluator, batch_size=batch_size, xla=name == "xla")
        device_rows = resident(x, y)
        found[name] = fastest(
            lambda loop=loop, rows=device_rows: loop.train_epochs(
                rows, lambda _: order, range(MOST_EPOCHS), report=lambda _: None
            ),
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
    return choose(training, built(shape, stack), device="cpu")


def draw(table: dict[str, dict[str, float]], picks: dict[str, str], file: str) -> None:
    """Microseconds per step as dots, what `auto` picks with a ring."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    marks = {"fit": "s", "fit x32": "D", "graph": "o", "xla": "^", "jax": "x"}
    figure, axes = plt.subplots(figsize=(9, 0.42 * len(table) + 1.2), layout="constrained")
    for name, mark in marks.items():
        at = [row for row, found in enumerate(table.values()) if name in found]
        values = [found[name] for found in table.values() if name in found]
        axes.scatter(
            values, at, marker=mark, label="model.fit" if name == "fit" else name, zorder=3
        )
    rings = [found[picks[case]] for case, found in table.items()]
    axes.scatter(
        rings, range(len(table)), s=150, facecolors="none", edgecolors="black", label="auto"
    )
    axes.set(xscale="log", xlabel="µs per step", yticks=range(len(table)), yticklabels=list(table))
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.legend(ncols=6, loc="upper center", bbox_to_anchor=(0.4, -0.12), frameon=False)
    figure.savefig(file, dpi=110)


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--grid", action="store_true", help="all cases, not the Boston net alone")
    parser.add_argument("--plot", metavar="FILE", help="a picture of them")
    parser.add_argument("--jax", metavar="PYTHON", help="an interpreter that has JAX")
    given = parser.parse_args()
    devices.seed_everything(0)
    columns = ["fit", "fit x32", *(["jax"] if given.jax else []), "graph", "xla"]
    print(f"{'case':30}{''.join(f'{name:>10}' for name in columns)}   auto     lost   us per step")
    table, picks = {}, {}
    for name, case in (GRID if given.grid else BOSTON).items():
        try:
            table[name], picks[name] = measure(case, given.jax), chosen(case)
        except tf.errors.OpError as error:  # XLA has no deterministic form of some layers
            print(f"{name:30} {type(error).__name__}")
            continue
        found = table[name]
        figures = "".join(
            f"{found[each]:10.1f}" if each in found else f"{'':10}" for each in columns
        )
        lost = found[picks[name]] / min(found["graph"], found["xla"]) - 1
        print(f"{name:30}{figures}   {picks[name]:6}{lost:7.0%}", flush=True)
    if given.plot:
        draw(table, picks, given.plot)


if __name__ == "__main__":
    main()
