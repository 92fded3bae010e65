"""Compares windows over time with `timeseries_dataset_from_array` and `model.fit`.

    python benchmarks/windows.py                 # 420,000 rows of 14 measures, as in the Jena series
    python benchmarks/windows.py --rows 40000 --model dense

One epoch is trained in a process each, and timed with its compilation, since that is what a user
waits for; the memory is the peak of the process above that of a process which only imports Keras.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

FEATURES, BATCH, LENGTH, RATE, HORIZON = 14, 256, 120, 6, 24
DELAY = RATE * (LENGTH + HORIZON - 1)
STACKS = {"lstm": ["LSTM: 16"], "dense": ["Flatten", "Dense: {units: 16, activation: relu}"]}
SPEC = """\
seed: 1
dataset:
  name: parquet
  path: {path}
  target: m0
  window: {{sequence_length: {length}, sampling_rate: {rate}, horizon: {horizon}}}
  prepare: [standardize]
  test_split: 0.01
model: [{stack}, Dense: 1]
training: {{optimizer: rmsprop, loss: mse, metrics: [mae], epochs: 1, batch_size: {batch}}}
"""


def write(folder: Path, rows: int, model: str) -> None:
    """Writes a series that wanders by day and by year, and the spec."""
    import pandas as pd

    rng = np.random.default_rng(0)
    steps = np.arange(rows)[:, None]
    phases = rng.uniform(0, 6, FEATURES)
    values = np.sin(steps / 23 + phases) + 3 * np.sin(steps / 8368 + phases)
    values += 0.1 * rng.normal(size=values.shape)
    frame = pd.DataFrame(values, columns=[f"m{at}" for at in range(FEATURES)])
    frame.to_parquet(folder / "series.parquet")
    spec = SPEC.format(
        path=folder / "series.parquet",
        stack=", ".join(STACKS[model]),
        length=LENGTH,
        rate=RATE,
        horizon=HORIZON,
        batch=BATCH,
    )
    (folder / "windows.yaml").write_text(spec, encoding="utf-8")


def train_nnrun(folder: Path) -> dict[str, float]:
    """One epoch of the spec."""
    from nnrun.experiment import fold
    from nnrun.spec.loading import load
    from nnrun.types import Observer

    setup = fold.build(fold.load_and_prepare(load(folder / "windows.yaml").experiment), Observer())
    began = time.perf_counter()
    with setup.on_device():
        setup.trainer.train(
            setup.train, setup.prepared.fold, seed=1, callbacks=(), observer=Observer()
        )
    return {"seconds": time.perf_counter() - began, "windows": len(setup.prepared.fold.train)}


def train_keras(folder: Path) -> dict[str, float]:
    """The same by hand."""
    import keras
    import pandas as pd

    data = pd.read_parquet(folder / "series.parquet").to_numpy()
    targets = data[:, 0].copy()[DELAY:]
    count = len(targets) - -(-len(targets) // 100)
    data = (data - data[:count].mean(axis=0)) / data[:count].std(axis=0)
    windows = keras.utils.timeseries_dataset_from_array(
        *(data.astype("float32"), targets.astype("float32")),
        sequence_length=LENGTH,
        sampling_rate=RATE,
        batch_size=BATCH,
        shuffle=True,
        end_index=count + (LENGTH - 1) * RATE,
    )
    layers: list[keras.layers.Layer] = [keras.layers.LSTM(16)]
    if "Flatten" in (folder / "windows.yaml").read_text(encoding="utf-8"):
        layers = [keras.layers.Flatten(), keras.layers.Dense(16, activation="relu")]
    model = keras.Sequential([keras.Input((LENGTH, FEATURES)), *layers, keras.layers.Dense(1)])
    model.compile(optimizer="rmsprop", loss="mse", metrics=["mae"])
    began = time.perf_counter()
    model.fit(windows, epochs=1, verbose=0)
    return {"seconds": time.perf_counter() - began, "windows": count}


def nothing(folder: Path) -> dict[str, float]:
    """Imports what the others import."""
    import keras
    import pandas as pd
    import pyarrow.parquet as pq

    from nnrun.experiment import fold, setup

    assert all((keras, pd, pq, fold, setup, folder))
    return {}


WAYS = {"nothing": nothing, "nnrun": train_nnrun, "keras": train_keras}


def measured(way: str, folder: Path) -> dict[str, float]:
    """Seconds, windows, and MB at the peak of a process of its own."""
    command = [sys.executable, __file__, "--way", way, "--folder", str(folder)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    result: dict[str, float] = json.loads(output.splitlines()[-1])
    return result


def main() -> None:
    """Prints a line for each way, and the ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=420_000)
    parser.add_argument("--model", choices=STACKS, default="lstm")
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.way:
        result = WAYS[given.way](given.folder)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(result | {"peak": peak}))
        return
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), given.rows, given.model)
        results = {way: measured(way, Path(name)) for way in WAYS}
    empty, series = results.pop("nothing")["peak"], given.rows * FEATURES * 8 / 2**20
    for way, result in results.items():
        more = result["peak"] - empty
        print(
            f"{way}: {result['seconds']:.1f} s for {result['windows']:,.0f} windows, "
            f"{more:,.0f} MB at most, {more / series:.1f} times the series of {series:,.0f} MB"
        )
    ratio = results["keras"]["seconds"] / results["nnrun"]["seconds"]
    print(f"nnrun is {ratio:.1f} times as fast")


if __name__ == "__main__":
    main()
