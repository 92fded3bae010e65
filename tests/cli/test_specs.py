"""Specs on the command line: shipped specs by name, and `--expect`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nnrun.cli import specs
from nnrun.errors import CommandError, SpecError
from nnrun.runs import Run


def test_a_shipped_spec_is_found_by_its_name() -> None:
    assert specs.find_spec(Path("digits")) == specs.shipped_folder() / "digits.yaml"


def test_a_file_of_that_name_has_priority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").write_text("name: mine")

    assert specs.find_spec(Path("digits")) == Path("digits")


def test_a_folder_of_that_name_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It most likely contains data."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()

    assert specs.find_spec(Path("digits")) == specs.shipped_folder() / "digits.yaml"


def test_the_most_similar_file_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "boston.yaml").touch()

    with pytest.raises(SpecError) as refusal:
        specs.find_spec(tmp_path / "bosten.yaml")

    [fault] = refusal.value.faults
    assert (fault.code, fault.suggestion) == ("NN001", str(tmp_path / "boston.yaml"))


def test_the_most_similar_shipped_spec_is_suggested() -> None:
    with pytest.raises(SpecError) as refusal:
        specs.find_spec(Path("digitz"))

    [fault] = refusal.value.faults
    assert fault.suggestion == "digits"
    assert "shipped specs are digits, " in fault.message
    assert fault.message.endswith(
        f"{len(specs.shipped_names()) - 5} more (in {specs.shipped_folder()})"
    )


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


def test_a_missed_expectation_is_exit_code_3(nnrun: Any, spec: Path, tmp_path: Path) -> None:
    answer = nnrun("train", spec, "--expect", "test_accuracy >= 1.1", "--runs", tmp_path / "runs")
    [folder] = (tmp_path / "runs").iterdir()
    judged = {gate.name: gate.passed for gate in Run(folder).record().expect}

    assert answer.returncode == 3
    assert "1 of 3 expectations missed" in answer.stdout
    assert Run(folder).status() == "finished"
    assert judged == {"test_accuracy": False, "parameters": True, "model_bytes": True}
    assert "expectations missed" in nnrun("show", folder).stdout


@pytest.mark.slow
def test_a_cross_validation_is_judged_by_means_over_folds(
    nnrun: Any, spec: Path, tmp_path: Path
) -> None:
    gates = ("--expect", "val_accuracy: 0 to 1", "--expect", "seconds<300", "--set", "expect={}")
    answer = nnrun("kfold", spec, *gates[-2:], *gates[:-2], "--json", "--runs", tmp_path / "runs")
    [run] = json.loads(answer.stdout)["runs"]

    assert answer.returncode == 0, answer.stderr
    assert [(gate["name"], gate["passed"]) for gate in run["expect"]] == [
        ("val_accuracy", True),
        ("seconds", True),
    ]
    assert run["expect"][0]["got"] == run["metrics"]["validation"]["accuracy"]["mean"]


def test_an_unknown_value_is_an_error_of_the_option(nnrun: Any, spec: Path) -> None:
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
def test_the_option_becomes_a_key_of_the_spec(text: str, override: str) -> None:
    """It is kept in the run, and applies to its repetition."""
    assert specs.expect_overrides([text]) == [override]


@pytest.mark.parametrize("text", ["", "loss", ">= 3", "=3"])
def test_an_invalid_condition_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match=r"must look like .test_accuracy >= 0\.9."):
        specs.expect_overrides([text])
