"""`nnrun check`: all faults at once, with their places, without TensorFlow."""

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
DENSE = "  - Dense: {units: 64"
SPECS = {
    "good": GOOD,
    "typo": GOOD.replace("units: 64", "unit: 64"),
    "unscaled": GOOD.replace("{rescale: 16}, ", ""),
    "deep": GOOD.replace(DENSE, f"  - Reshape: [8, 8]\n  - LSTM: {{units: 3, dtype: no}}\n{DENSE}"),
    "state": GOOD.replace(
        DENSE, f"  - Reshape: [8, 8]\n  - LSTM: {{units: 4, return_state: true}}\n{DENSE}"
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in SPECS.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def test_a_good_spec_is_fine(here: Any, folder: Path) -> None:
    answer = here("check", "good.yaml", cwd=folder)

    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == "good.yaml: fine, 4,810 parameters\n"


def test_all_faults_of_all_specs_are_shown_with_their_lines(here: Any, folder: Path) -> None:
    answer = here("check", "typo.yaml", "unscaled.yaml", "good.yaml", cwd=folder)

    assert answer.returncode == 2
    assert answer.stdout == (
        "typo.yaml:3:13: NN112 model[0].Dense.unit: Dense has no argument 'unit'; "
        "did you mean 'units'?\n"
        "    - Dense: {unit: 64, activation: relu}\n"
        "              ^^^^\n"
        "unscaled.yaml:1:25: warning NN203 dataset.prepare: pixels from 0 to 16 reach the first "
        "layer as they are; add rescale: 16\n"
        "    dataset: {name: digits, prepare: [flatten]}\n"
        "                            ^^^^^^^\n"
        "unscaled.yaml: 1 warning, 4,810 parameters\n"
        "good.yaml: fine, 4,810 parameters\n"
        "3 specs: 1 error, 1 warning; for details: nnrun explain NN112\n"
    )


def test_warnings_fail_only_with_strict(here: Any, folder: Path) -> None:
    assert here("check", "unscaled.yaml", cwd=folder).returncode == 0
    assert here("check", "--strict", "unscaled.yaml", cwd=folder).returncode == 2


def test_json_is_one_document(here: Any, folder: Path) -> None:
    answer = here("check", "typo.yaml", "good.yaml", "--json", cwd=folder)
    [typo, good] = json.loads(answer.stdout)["specs"]
    [fault] = typo["faults"]

    assert answer.returncode == 2
    assert (typo["valid"], good["valid"], good["parameters"]) == (False, True, 4810)
    assert [layer["shape"] for layer in good["layers"]] == [[64], [10]]
    assert (fault["code"], fault["severity"], fault["suggestion"]) == ("NN112", "error", "units")
    assert (fault["file"], fault["line"], fault["column"]) == ("typo.yaml", 3, 13)


ANNOTATIONS = (
    "::error file=typo.yaml,line=3,col=13,endColumn=17,title=NN112::model[0].Dense.unit: Dense has "
    "no argument 'unit'; did you mean 'units'?\n"
    "::warning file=unscaled.yaml,line=1,col=25,endColumn=32,title=NN203::dataset.prepare: pixels "
    "from 0 to 16 reach the first layer as they are; add rescale: 16\n"
)


def test_the_github_format_has_only_annotations(here: Any, folder: Path) -> None:
    answer = here("check", "typo.yaml", "unscaled.yaml", "--format", "github", cwd=folder)

    assert answer.stdout == ANNOTATIONS


@pytest.mark.parametrize("verb", ["check", "train", "kfold"])
def test_in_github_actions_annotations_are_added(verb: str, here: Any, folder: Path) -> None:
    answer = here(verb, "typo.yaml", cwd=folder, env={"GITHUB_ACTIONS": "true"})
    output = answer.stdout + answer.stderr

    assert "typo.yaml:3:13: NN112" in output
    assert ANNOTATIONS.splitlines()[0] in output.splitlines()


@pytest.mark.parametrize("verb", ["train", "kfold"])
@pytest.mark.parametrize(
    "change",
    ["model.0.Dense.units=0", "model.1.Dense.units=9", "training.metrics=[MeanIoU]"],
)
def test_training_reports_the_same_errors(verb: str, change: str, here: Any, folder: Path) -> None:
    checked = here("check", "good.yaml", "--set", change, cwd=folder)
    trained = here(verb, "good.yaml", "--set", change, cwd=folder)

    assert checked.returncode == trained.returncode == 2
    # The last line of a check is a total.
    assert trained.stderr.splitlines() == checked.stdout.splitlines()[:-1]


def test_a_fault_is_shown_in_its_file_or_override(here: Any, folder: Path) -> None:
    (folder / "child.yaml").write_text("extends: typo.yaml\nseed: -1\n")
    answer = here("check", "child.yaml", "--set", "training.epoch=3", cwd=folder)
    heads = [line.split(": ")[0] for line in answer.stdout.splitlines() if "NN1" in line]

    assert heads[:3] == ["child.yaml:2:7", "typo.yaml:3:13", "--set:1:10"]


def test_other_specs_are_checked_after_one_with_errors(here: Any, folder: Path) -> None:
    """One is missing, another has a layer with several outputs."""
    answer = here("check", "goood.yaml", "state.yaml", "good.yaml", cwd=folder)

    assert answer.returncode == 2
    assert "did you mean 'good.yaml'?" in answer.stdout
    assert "state.yaml:4:5: NN124 model[1]: LSTM " in answer.stdout
    assert "good.yaml: fine" in answer.stdout


@pytest.mark.slow
def test_build_prints_the_summary_and_the_errors_of_keras(nnrun: Any, folder: Path) -> None:
    answer = nnrun("check", "--build", "good.yaml", "deep.yaml", cwd=folder)

    assert answer.returncode == 2
    assert "Total params: 4,810" in answer.stdout
    assert "deep.yaml:4:5: NN124 model[1]: LSTM" in answer.stdout
    assert answer.stderr == ""
    document = json.loads(nnrun("check", "--build", "--json", "good.yaml", cwd=folder).stdout)
    assert document["specs"][0]["valid"]


@pytest.mark.parametrize("verb", ["check", "keys", "explain", "schema"])
def test_a_full_disk_behind_stdout_is_an_error(
    verb: str, folder: Path, environment: dict[str, str]
) -> None:
    arguments = ["good.yaml"] if verb == "check" else []
    with Path("/dev/full").open("w") as full:
        answer = subprocess.run(
            [sys.executable, "-m", "nnrun", verb, *arguments],
            cwd=folder,
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert answer.returncode == 1
    assert answer.stderr == ("error: standard output cannot be written: No space left on device\n")


def test_a_closed_stdout_is_no_error(folder: Path, environment: dict[str, str]) -> None:
    command = f"{sys.executable} -m nnrun check good.yaml >&-"
    answer = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, check=False)

    assert answer.returncode == 0


def test_what_was_not_looked_at_is_named(here: Any, tmp_path: Path) -> None:
    """A check opens no image: that would take as long as reading all of them."""
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
    (tmp_path / "pets.yaml").write_text(
        "dataset: {name: images, path: pets, image_size: [8, 8], prepare: [rescale]}\n"
        "model: [Flatten, Dense: {units: 2, activation: softmax}]\n"
        "training: {optimizer: adam, loss: sparse_categorical_crossentropy, epochs: 2}\n"
        "validation: {holdout: {size: 0.2}}\n"
    )

    lines = here("check", "pets.yaml", cwd=tmp_path).stdout.splitlines()

    assert lines[-1] == "  the files in the folder were not opened"
