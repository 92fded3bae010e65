"""Runs for prediction, trained in this process, which loads TensorFlow once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import Result

from nnrun.cli import specs
from nnrun.runs import Run

Invoke = Callable[..., Result]

LOGITS = """\
name: logits
dataset: {name: digits, prepare: [{rescale: 16}, flatten]}
model:
  - Dense: 10
training:
  optimizer: adam
  loss: {SparseCategoricalCrossentropy: {from_logits: true}}
  metrics: [accuracy]
  epochs: 2
"""
RANDOM = """\
name: random
dataset: {name: digits, prepare: [{rescale: 16}]}
model:
  - Reshape: [8, 8, 1]
  - RandomTranslation: {height_factor: 0.2, width_factor: 0.2}
  - Flatten
  - Dropout: 0.5
  - Dense: {units: 10, activation: softmax}
training:
  optimizer: adam
  loss: sparse_categorical_crossentropy
  metrics: [accuracy]
  epochs: 2
"""
SPECS = {"logits": LOGITS, "random": RANDOM}
EPOCHS = {"iris": 30, "mnist-5k": 6, "boston": 2, "reuters": 1, "logits": 2, "random": 2}
# Shipped specs of user data, with other options. A column of texts may have any name.
OWN = {
    "cars": ("training.epochs=3",),
    "functions": ("training.epochs=12", "dataset.text=sentence"),
}


@pytest.fixture(scope="session")
def run_of(invoke: Invoke, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """The run of a shipped spec, or of one of `SPECS`; trained once.

    User data are deleted after the training, because predictions do not need them.
    """
    root = tmp_path_factory.mktemp("trained")
    for name, text in SPECS.items():
        (root / f"{name}.yaml").write_text(text, "utf-8")
    runs: dict[str, Run] = {}

    def trained(name: str) -> Run:
        if name not in runs:
            spec: object = root / f"{name}.yaml" if name in SPECS else name
            options = ["--set", f"training.epochs={EPOCHS.get(name)}"]
            if name in OWN:
                own, spec = specs.shipped_folder() / "own", root / f"{name}.yaml"
                shutil.copy(own / f"{name}.yaml", root)
                (root / "data").mkdir()
                text = (own / "data" / f"{name}.csv").read_text("utf-8")
                text = text.replace("text,", "sentence,", 1)
                (root / "data" / f"{name}.csv").write_text(text, "utf-8")
                options = [word for value in OWN[name] for word in ("--set", value)]
                options += ["--set", "expect={}"]
            result = invoke("train", spec, *options, "--runs", root / name)
            assert result.exit_code == 0, result.stderr
            shutil.rmtree(root / "data", ignore_errors=True)
            runs[name] = Run(next((root / name).iterdir()))
        return runs[name]

    return trained


@pytest.fixture(scope="session")
def predict(invoke: Invoke) -> Callable[..., list[dict[str, Any]]]:
    """Runs `predict`, and returns the rows of its JSON."""

    def rows(*arguments: object, **options: Any) -> list[dict[str, Any]]:
        result = invoke("predict", *arguments, "--json", **options)
        assert result.exit_code == 0, result.stderr
        return list(json.loads(result.stdout)["rows"])

    return rows


@pytest.fixture(scope="session")
def evaluate(invoke: Invoke) -> Callable[..., dict[str, Any]]:
    """Runs `evaluate`, and returns its JSON."""

    def document(*arguments: object) -> dict[str, Any]:
        result = invoke("evaluate", *arguments, "--json")
        assert result.exit_code == 0, result.stderr
        return dict(json.loads(result.stdout))

    return document
