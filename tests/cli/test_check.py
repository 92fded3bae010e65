"""`nnrun check` says all that is wrong with specs, at once, without TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

GOOD = """\
dataset: {name: digits, prepare: [{rescale: 16}, flatten]}
model:
  - Dense: {units: 64, activation: relu}
  - Dense: {units: 10, activation: softmax}
training: {optimizer: adam, loss: sparse_categorical_crossentropy, epochs: 5}
validation: {holdout: {size: 0.2}}
"""
TYPO = GOOD.replace("units: 64", "unit: 64")
UNWISE = GOOD.replace("{rescale: 16}, ", "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("good", GOOD), ("typo", TYPO), ("unwise", UNWISE)):
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def test_a_good_spec_is_fine(here: Any, folder: Path) -> None:
    answer = here("check", "good.yaml", cwd=folder)

    assert answer.returncode == 0
    assert answer.stdout == "good.yaml: fine, 4,810 parameters\n"
    assert answer.stderr == ""


def test_nothing_heavy_is_loaded(probed: Any, folder: Path) -> None:
    """Nor NumPy, which would cost a quarter of the time that there is."""
    for specs in (["good.yaml"], ["typo.yaml", "unwise.yaml"]):
        answer, loaded = probed("check", *specs, cwd=folder)

        assert answer.returncode in (0, 2)
        assert loaded == set()


def test_all_specs_are_checked_and_each_fault_shown_where_it_stands(
    here: Any, folder: Path
) -> None:
    answer = here("check", "typo.yaml", "unwise.yaml", "good.yaml", cwd=folder)

    assert answer.returncode == 2
    assert answer.stdout == (
        "typo.yaml:3:13: NN112 model[0].Dense.unit: Dense has no argument 'unit'; "
        "did you mean 'units'?\n"
        "    - Dense: {unit: 64, activation: relu}\n"
        "              ^^^^\n"
        "unwise.yaml:1:25: warning NN203 dataset.prepare: pixels from 0 to 16 reach the first layer "
        "as they are; add rescale: 16\n"
        "    dataset: {name: digits, prepare: [flatten]}\n"
        "                            ^^^^^^^\n"
        "unwise.yaml: 1 warning, 4,810 parameters\n"
        "good.yaml: fine, 4,810 parameters\n"
        "3 specs: 1 fault, 1 warning; for details: nnrun explain NN112\n"
    )


def test_warnings_end_it_only_where_they_are_meant_to(here: Any, folder: Path) -> None:
    assert here("check", "unwise.yaml", cwd=folder).returncode == 0
    assert here("check", "--strict", "unwise.yaml", cwd=folder).returncode == 2


def test_one_document_holds_everything(here: Any, folder: Path) -> None:
    answer = here("check", "typo.yaml", "good.yaml", "--json", cwd=folder)
    [typo, good] = json.loads(answer.stdout)["specs"]
    [fault] = typo["faults"]

    assert answer.returncode == 2
    assert (typo["valid"], good["valid"], good["parameters"]) == (False, True, 4810)
    assert [layer["shape"] for layer in good["layers"]] == [[64], [10]]
    assert (fault["code"], fault["severity"], fault["suggestion"]) == ("NN112", "error", "units")
    assert (fault["file"], fault["line"], fault["column"]) == ("typo.yaml", 3, 13)


ANNOTATIONS = (
    "::error file=typo.yaml,line=3,col=13,endColumn=17,title=NN112::model[0].Dense.unit: Dense has no "
    "argument 'unit'; did you mean 'units'?\n"
    "::warning file=unwise.yaml,line=1,col=25,endColumn=32,title=NN203::dataset.prepare: pixels from 0 "
    "to 16 reach the first layer as they are; add rescale: 16\n"
)


def test_github_gets_annotations_when_asked(here: Any, folder: Path) -> None:
    answer = here("check", "typo.yaml", "unwise.yaml", "--format", "github", cwd=folder)

    assert answer.stdout == ANNOTATIONS


@pytest.mark.parametrize("verb", ["check", "train", "kfold"])
def test_in_github_actions_annotations_come_by_themselves(
    verb: str, here: Any, folder: Path
) -> None:
    answer = here(verb, "typo.yaml", cwd=folder, env={"GITHUB_ACTIONS": "true"})
    said = answer.stdout + answer.stderr

    assert "typo.yaml:3:13: NN112" in said
    assert ANNOTATIONS.splitlines()[0] in said.splitlines()


@pytest.mark.parametrize("verb", ["train", "kfold"])
@pytest.mark.parametrize(
    "change",
    [
        "model.0.Dense.units=0",
        "model.1.Dense.units=9",
        "training.metrics=[MeanIoU]",
        "dataset.prepare=[]",
    ],
)
def test_training_shows_the_very_same_errors(
    verb: str, change: str, here: Any, folder: Path
) -> None:
    checked = here("check", "good.yaml", "--set", change, cwd=folder)
    trained = here(verb, "good.yaml", "--set", change, cwd=folder)

    assert checked.returncode == trained.returncode == 2
    # The last line of a check counts.
    assert trained.stderr.splitlines() == checked.stdout.splitlines()[:-1]


def test_a_fault_is_shown_in_the_file_that_holds_it_or_in_the_override(
    here: Any, folder: Path
) -> None:
    (folder / "child.yaml").write_text("extends: typo.yaml\nseed: -1\n")
    answer = here("check", "child.yaml", "--set", "training.epoch=3", cwd=folder)
    heads = [line.split(": ")[0] for line in answer.stdout.splitlines() if "NN1" in line]

    assert heads[:3] == ["child.yaml:2:7", "typo.yaml:3:13", "--set:1:10"]


def test_a_spec_that_is_not_there_does_not_hide_the_others(here: Any, folder: Path) -> None:
    answer = here("check", "goood.yaml", "good.yaml", cwd=folder)

    assert answer.returncode == 2
    assert "did you mean 'good.yaml'?" in answer.stdout
    assert "good.yaml: fine" in answer.stdout


def test_building_shows_what_keras_makes_of_it(nnrun: Any, folder: Path) -> None:
    """And what only Keras finds is a fault with a place, too."""
    (folder / "deep.yaml").write_text(
        GOOD.replace("  - Dense: {units: 64", "  - Reshape: [8, 8]\n  - LSTM: {units: 3, dtype: no}\n"
                     "  - Dense: {units: 64")
    )  # fmt: skip
    answer = nnrun("check", "--build", "good.yaml", "deep.yaml", cwd=folder)

    assert answer.returncode == 2
    assert "Total params: 4,810" in answer.stdout
    assert "deep.yaml:4:5: NN124 model[1]: LSTM" in answer.stdout
    assert answer.stderr == ""


@pytest.mark.parametrize("verb", ["check", "keys", "explain", "schema", "list"])
def test_an_answer_that_cannot_be_written_is_said(verb: str, folder: Path, environment) -> None:
    """A full disk behind `>`."""
    arguments = ["good.yaml"] if verb == "check" else []
    with open("/dev/full", "w") as full:  # noqa: PTH123
        answer = subprocess.run(
            [sys.executable, "-m", "nnrun", verb, *arguments],
            cwd=folder, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip

    assert answer.returncode == (0 if verb == "list" else 1)
    told = "error: standard output cannot be written: No space left on device\n"
    assert answer.stderr == (told if verb != "list" else "no runs in runs\n")


def test_a_closed_output_is_no_error(folder: Path, environment) -> None:
    command = f"{sys.executable} -m nnrun check good.yaml >&-"
    answer = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, check=False)

    assert answer.returncode == 0


def test_what_puts_out_several_values_is_refused(here: Any, folder: Path) -> None:
    """By the check itself, and by Keras where a check does not know the layer."""
    model = "  - Reshape: [8, 8]\n  - LSTM: {units: 4, return_state: true}\n  - Dense: {units: 64"
    (folder / "state.yaml").write_text(GOOD.replace("  - Dense: {units: 64", model))
    answer = here("check", "state.yaml", "good.yaml", cwd=folder)

    assert answer.returncode == 2
    assert "state.yaml:4:5: NN124 model[1]: LSTM puts out its state too" in answer.stdout
    assert "good.yaml: fine" in answer.stdout


def test_building_for_machines_prints_one_document(nnrun: Any, folder: Path) -> None:
    answer = nnrun("check", "--build", "--json", "good.yaml", cwd=folder)

    assert json.loads(answer.stdout)["specs"][0]["valid"]
