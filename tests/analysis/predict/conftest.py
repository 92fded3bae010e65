"""Runs that are asked, trained in this process, which loads TensorFlow once for all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from nnrun.cli.app import app
from nnrun.runs import Run

Ask = Callable[..., Result]

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
# Few epochs each; those of mnist_5k are enough to know a digit.
EPOCHS = {"iris": 30, "mnist-5k": 6, "boston": 2, "reuters": 1, "logits": 2}


@pytest.fixture(scope="session")
def ask() -> Ask:
    """Runs the command in this process."""

    def run(*arguments: object, **options: Any) -> Result:
        found = CliRunner().invoke(app, [*map(str, arguments)], **options)
        assert isinstance(found.exception, SystemExit | None), found.exc_info
        return found

    return run


@pytest.fixture(scope="session")
def run_of(ask: Ask, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """The run of a shipped spec, or of one with logits, trained when it is first asked for."""
    root = tmp_path_factory.mktemp("asked")
    logits = root / "logits.yaml"
    logits.write_text(LOGITS, "utf-8")
    known: dict[str, Run] = {}

    def trained(name: str) -> Run:
        if name not in known:
            spec, folder = logits if name == "logits" else name, root / name
            epochs = f"training.epochs={EPOCHS[name]}"
            assert ask("train", spec, "--set", epochs, "--runs", folder).exit_code == 0
            known[name] = Run(next(folder.iterdir()))
        return known[name]

    return trained


@pytest.fixture(scope="session")
def answers(ask: Ask) -> Callable[..., list[dict[str, Any]]]:
    """Asks `predict`, and gives the rows of its JSON."""

    def rows(*arguments: object, **options: Any) -> list[dict[str, Any]]:
        found = ask("predict", *arguments, "--json", **options)
        assert found.exit_code == 0, found.stderr
        return list(json.loads(found.stdout)["rows"])

    return rows
