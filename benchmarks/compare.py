"""Seconds that `nnrun compare` takes as a whole process for 1,000 and for 10,000 runs.

    python benchmarks/compare.py

The runs are written through nnrun's own run folders: spec, record, metrics, history and the
predictions of 360 test rows each, no two with the same metrics. They lie in a temporary folder.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from nnrun import runs
from nnrun.runs import layout
from nnrun.spec.dumping import dump
from nnrun.spec.loading import load
from nnrun.types import History

SPEC = Path(__file__).parents[1] / "configs" / "digits.yaml"
ROWS, CLASSES, EPOCHS = 360, 10, 20
TIMES = 3


def write(root: Path, count: int) -> None:
    """Makes so many finished runs, each with a learning rate of its own."""
    experiment = load(SPEC).experiment
    rng = np.random.default_rng(0)
    target = np.arange(ROWS) % CLASSES
    for number in range(count):
        rate = f"training.optimizer={{Adam: {{learning_rate: {1e-4 * (number + 1):g}}}}}"
        spec = load(SPEC, overrides=[rate]).experiment
        now = datetime(2026, 1, 1) + timedelta(seconds=number)
        record = {"verb": "train", "seed": 0, "data_digest": "d", "split_digest": "s"}
        run = runs.create(root, experiment.name, now=now, record=record)
        output = rng.random((ROWS, CLASSES))
        output[np.arange(ROWS), target] += rng.random()
        run.write_text(layout.SPEC, dump(spec))
        run.write_arrays(layout.PREDICTIONS, row=np.arange(ROWS), target=target, output=output)
        history = History()
        for _ in range(EPOCHS):
            history.append({"loss": rng.random(), "accuracy": rng.random()})
            run.append_epoch(history)
        last = history.row(EPOCHS - 1)
        run.write_json(layout.HISTORY, history.epochs)
        split = {
            "loss": float(rng.random()),
            "accuracy": float(np.mean(output.argmax(1) == target)),
        }
        run.write_json(
            layout.METRICS,
            {"epochs": EPOCHS, "best_epoch": 3, "last": last, "train": split, "test": split}
            | {"parameters": 4810, "seconds": {"total": 3.0}},
        )
        run.update(status=layout.FINISHED)


def seconds(root: Path) -> float:
    """The fastest of some whole processes."""
    found = []
    for _ in range(TIMES):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "nnrun", "compare", "--runs", str(root)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        found.append(time.perf_counter() - began)
    return min(found)


def main() -> None:
    """Prints both figures and their ratio."""
    found = {}
    for count in (1_000, 10_000):
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), count)
            found[count] = seconds(Path(folder))
        print(f"{count:>6,} runs: {found[count]:.2f} s")
    print(f"ten times as many runs take {found[10_000] / found[1_000]:.1f} times as long")


if __name__ == "__main__":
    main()
