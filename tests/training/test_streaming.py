"""Rows that are read as they are needed are trained on like those in memory, to the bit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from nnrun.cli import specs
from nnrun.cli.app import app
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
  - Conv2D: {{filters: 4, kernel_size: 3, activation: relu}}
  - Flatten
  - Dropout: 0.2
  - Dense: {{units: 10, activation: softmax}}
training: {{optimizer: adam, loss: sparse_categorical_crossentropy, metrics: [accuracy], epochs: 2}}
validation: {{holdout: {{size: 0.2, take: random}}, kfold: {{folds: 2, shuffle: true}}}}
"""
LIMIT = {"in memory": 2**30, "streamed": 0}
Trained = Callable[..., Run]


def ask(*arguments: object) -> Result:
    found = CliRunner().invoke(app, [*map(str, arguments)])
    assert isinstance(found.exception, SystemExit | None), found.exc_info
    return found


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trained:
    """Trains the spec in this process."""
    # Of so few rows even those in memory would be expanded on the host, which rounds otherwise.
    monkeypatch.setattr(preprocessing, "EXPANDED_BYTES", 0)
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC, "utf-8")

    def train(how: str, *options: str, verb: str = "train") -> Run:
        monkeypatch.setattr(images, "IN_MEMORY", LIMIT[how])
        root = tmp_path / how
        found = ask(verb, spec, "--runs", root, *options)
        assert found.exit_code == 0, found.stderr
        return Run(next(root.iterdir()))

    return train


def result(run: Run) -> dict[str, Any]:
    with np.load(run.path / layout.PREDICTIONS) as found:
        output = found["output"].tobytes()
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
    """Every metric of every epoch, and every output; what was fitted for them, too."""
    whole, parts = (trained(how, "--set", f"training.engine={engine}") for how in LIMIT)

    assert result(parts) == result(whole)
    assert parts.record().engine == engine


@pytest.mark.slow
def test_streamed_folds_are_the_same(trained: Trained) -> None:
    # Nothing is rounded: workers are processes of their own, and there few rows are expanded.
    options = ("--set", "dataset.prepare=[]", "--set", "training.epochs=1")
    whole, parts = (trained(how, *options, verb="kfold") for how in LIMIT)

    for fold in ("fold-1", "fold-2"):
        assert result(Run(parts.path / fold)) == result(Run(whole.path / fold))


@pytest.mark.slow
def test_a_run_on_streamed_rows_is_asked_as_any(trained: Trained) -> None:
    run = trained("streamed", "--set", "training.engine=graph")
    test = ask("evaluate", run.path, "--json")
    rows = ask("predict", run.path, "--rows", "0:5", "--json")

    assert (test.exit_code, rows.exit_code) == (0, 0), test.stderr + rows.stderr
    assert f'"accuracy": {run.metrics().test["accuracy"]}' in test.stdout


def test_xla_cannot_read_rows_as_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The choice is the person's, so it is not silently another."""
    monkeypatch.setattr(images, "IN_MEMORY", 0)
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC, "utf-8")
    found = ask("train", spec, "--set", "training.engine=xla", "--runs", tmp_path)

    assert found.exit_code == 2
    assert found.stderr.endswith(
        "error: the rows do not fit into memory, and engine: xla cannot read them when needed; "
        "remove it, or make the images smaller\n"
    )


PROGRAM = """
import resource
from nnrun.data.datasets import images
from nnrun.cli.app import app
images.IN_MEMORY = 0
try:
    app()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """Four times as many pictures, 360 MB more of pixels, take the same memory."""
    peaks = []
    for pictures in (300, 1200):
        folder = tmp_path / str(pictures)
        for number in range(pictures):
            path = folder / "pictures" / str(number % 2) / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 16), (number % 256, 0, 0)).save(path)
        spec = folder / "spec.yaml"
        spec.write_text(
            "dataset: {name: images, path: pictures, image_size: [366, 366]}\n"
            "model: [AveragePooling2D: 32, Flatten, Dense: {units: 2, activation: softmax}]\n"
            "training: {optimizer: sgd, loss: sparse_categorical_crossentropy, epochs: 2}\n",
            "utf-8",
        )
        command = [sys.executable, "-c", PROGRAM, "train", str(spec), "--runs", str(folder)]
        answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
        peaks.append(int(answer.stdout.split()[-1]))

    assert peaks[1] - peaks[0] < 120, peaks
