"""Rows that are read when needed give the same bits as rows in memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nnrun.cli import specs
from nnrun.data import preprocessing
from nnrun.data.datasets import images
from nnrun.runs import Run, layout

SPEC = f"""\
name: digits
dataset:
  name: images
  path: {specs.shipped_folder()}/own/data/digits
  image_size: [8, 8]
  color_mode: grayscale
  prepare: [rescale, standardize]
model:
  - RandomTranslation: {{height_factor: 0.1, width_factor: 0.1}}
  - Flatten
  - Dropout: 0.2
  - Dense: {{units: 10, activation: softmax}}
training: {{optimizer: adam, loss: sparse_categorical_crossentropy, metrics: [accuracy], epochs: 1}}
validation: {{holdout: {{size: 0.2, take: random}}, kfold: {{folds: 2, shuffle: true}}}}
"""
LIMIT = {"in memory": 2**30, "streamed": 0}
Trained = Callable[..., Run]


@pytest.fixture
def trained(invoke: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trained:
    """Trains the spec in this process."""
    # Few rows in memory would be expanded on the host, which rounds differently.
    monkeypatch.setattr(preprocessing, "EXPANDED_BYTES", 0)
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC, "utf-8")

    def train(storage: str, *options: str, verb: str = "train") -> Run:
        monkeypatch.setattr(images, "IN_MEMORY", LIMIT[storage])
        root = tmp_path / storage
        answer = invoke(verb, spec, "--runs", root, *options)
        assert answer.exit_code == 0, answer.stderr
        return Run(next(root.iterdir()))

    return train


def result(run: Run) -> dict[str, Any]:
    with np.load(run.path / layout.PREDICTIONS) as predictions:
        output = predictions["output"].tobytes()
    return {
        "output": output,
        "metrics": {
            key: value for key, value in run.read_json(layout.METRICS).items() if key != "seconds"
        },
        "history": run.history().epochs,
        "digest": run.record().data_digest,
        "prepared": (run.path / layout.PREPARATION).read_text("utf-8"),
    }


@pytest.mark.parametrize("engine", ["graph", pytest.param("fit", marks=pytest.mark.slow)])
def test_streamed_rows_give_the_same_run(engine: str, trained: Trained) -> None:
    """The same metrics, outputs and fitted preprocessing."""
    whole, parts = (trained(storage, "--set", f"training.engine={engine}") for storage in LIMIT)

    assert result(parts) == result(whole)
    assert parts.record().engine == engine


@pytest.mark.slow
def test_streamed_folds_are_the_same(trained: Trained) -> None:
    # Without rounding, because worker processes expand few rows on the host.
    options = ("--set", "dataset.prepare=[]", "--set", "training.epochs=1")
    whole, parts = (trained(storage, *options, verb="kfold") for storage in LIMIT)

    for fold in ("fold-1", "fold-2"):
        assert result(Run(parts.path / fold)) == result(Run(whole.path / fold))


@pytest.mark.slow
def test_a_run_on_streamed_rows_evaluates_and_predicts(trained: Trained, invoke: Any) -> None:
    run = trained("streamed", "--set", "training.engine=graph")
    test = invoke("evaluate", run.path, "--json")
    rows = invoke("predict", run.path, "--rows", "0:5", "--json")

    assert (test.exit_code, rows.exit_code) == (0, 0), test.stderr + rows.stderr
    assert f'"accuracy": {run.metrics().test["accuracy"]}' in test.stdout


def test_xla_cannot_stream(invoke: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "IN_MEMORY", 0)
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC, "utf-8")
    answer = invoke("train", spec, "--set", "training.engine=xla", "--runs", tmp_path)

    assert answer.exit_code == 2
    assert answer.stderr.endswith(
        "error: the rows do not fit into memory, and engine: xla cannot read them when needed; "
        "remove it, or make the images smaller\n"
    )


PROGRAM = """
import resource
from nnrun.data.datasets import images
images.IN_MEMORY = 0
try:
    app()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """Four times as many images, 360 MB more of pixels, take the same memory."""
    peaks = []
    for count in (300, 1200):
        folder = tmp_path / str(count)
        for number in range(count):
            path = folder / "images" / str(number % 2) / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 16), (number % 256, 0, 0)).save(path)
        spec = folder / "spec.yaml"
        spec.write_text(
            "dataset: {name: images, path: images, image_size: [366, 366]}\n"
            "model: [AveragePooling2D: 32, Flatten, Dense: {units: 2, activation: softmax}]\n"
            "training: {optimizer: sgd, loss: sparse_categorical_crossentropy, epochs: 2}\n",
            "utf-8",
        )
        command = [sys.executable, "-c", PROGRAM, "train", str(spec), "--runs", str(folder)]
        answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
        peaks.append(int(answer.stdout.split()[-1]))

    assert peaks[1] - peaks[0] < 120, peaks
