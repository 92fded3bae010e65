"""A run that misses what is expected of it is kept, and ends with an exit code of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nnrun.cli import specs
from nnrun.errors import CommandError
from nnrun.runs import Run

SPEC = """\
dataset: {name: digits, prepare: [{rescale: 16}, flatten]}
model: [Dense: {units: 10, activation: softmax}]
training:
  optimizer: adam
  loss: sparse_categorical_crossentropy
  metrics: [accuracy]
  epochs: 1
validation: {holdout: {size: 0.2}, kfold: {folds: 2}}
expect:
  test_accuracy: 0 to 1
  parameters: 650
  model_bytes: < 1 MB
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SPEC)
    return path


def test_a_missed_gate_ends_a_training_with_three(nnrun: Any, spec: Path, tmp_path: Path) -> None:
    """The run itself is finished and kept; a script sees the difference."""
    answer = nnrun("train", spec, "--expect", "test_accuracy >= 1.1", "--runs", tmp_path / "runs")
    [folder] = (tmp_path / "runs").iterdir()
    judged = {gate.name: gate.passed for gate in Run(folder).record().expect}

    assert answer.returncode == 3
    assert "1 of 3 expectations missed" in answer.stdout
    assert Run(folder).status() == "finished"
    assert judged == {"test_accuracy": False, "parameters": True, "model_bytes": True}
    assert "expectations missed" in nnrun("show", folder).stdout


@pytest.mark.slow
def test_gates_that_are_met_leave_the_exit_code_alone(
    nnrun: Any, spec: Path, tmp_path: Path
) -> None:
    """A K-fold is judged by the means over its folds."""
    gates = ("--expect", "val_accuracy: 0 to 1", "--expect", "seconds<300", "--set", "expect={}")
    answer = nnrun("kfold", spec, *gates[-2:], *gates[:-2], "--json", "--runs", tmp_path / "runs")
    [run] = json.loads(answer.stdout)["runs"]

    assert answer.returncode == 0, answer.stderr
    assert [(gate["name"], gate["passed"]) for gate in run["expect"]] == [
        ("val_accuracy", True),
        ("seconds", True),
    ]
    assert run["expect"][0]["got"] == run["metrics"]["validation"]["accuracy"]["mean"]


def test_a_gate_on_what_nothing_reports_is_refused_where_it_was_given(
    nnrun: Any, spec: Path
) -> None:
    answer = nnrun("train", spec, "--expect", "test_acc >= 0.9")

    assert answer.returncode == 2
    assert answer.stderr.startswith(
        "--expect:1:8: NN119 expect.test_acc: no run reports 'test_acc'"
    )


@pytest.mark.parametrize(
    ("text", "override"),
    [
        ("test_accuracy >= 0.9", "expect.test_accuracy='>= 0.9'"),
        ("loss<1", "expect.loss='<1'"),
        ("parameters == 650", "expect.parameters='== 650'"),
        ("parameters=650", "expect.parameters='650'"),
        ("val_loss 0.2 to 0.4", "expect.val_loss='0.2 to 0.4'"),
        (" seconds : < 3 ", "expect.seconds='< 3'"),
    ],
)
def test_a_gate_on_the_command_line_becomes_a_key_of_the_spec(text: str, override: str) -> None:
    """So it is kept in the run's spec, and repeated with it."""
    assert specs.expect_overrides([text]) == [override]


@pytest.mark.parametrize("text", ["", "loss", ">= 3", "=3"])
def test_what_is_no_gate_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match=r"must look like .test_accuracy >= 0\.9."):
        specs.expect_overrides([text])
