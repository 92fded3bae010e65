"""Specs with errors: the place of each fault, the exit code, no files, no heavy packages.

The message of each fault is tested in `tests/broken`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

GOOD = """\
dataset:
  name: digits
  prepare:
    - rescale: 16
    - flatten
model:
  - Dense: {units: 10, activation: softmax}
training:
  optimizer: adam
  loss: sparse_categorical_crossentropy
  metrics: [accuracy]
  epochs: 1
  batch_size: 8
validation:
  holdout: {size: 0.2}
"""
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]\n" for number in range(1, 10)
)
CODE = GOOD + "description: !!python/object/apply:os.system ['touch ran']\n"

# A spec, and the place and code of its fault.
SPECS = {
    "empty": ("", "1:1: NN003: "),
    "not YAML": ("model: [Dense\n", "1:8: NN002: "),
    "billion laughs": (BOMB + GOOD, "5:35: NN007 a4[5]: "),
    "a tag that runs code": (CODE, "16:14: NN006 description: "),
    "an unknown key": (GOOD.replace("batch_size", "batchsize"), "13:3: NN101 training.batchsize: "),
    "an unknown argument": (GOOD.replace("units", "unit"), "7:13: NN112 model[0].Dense.unit: "),
}
# Found with the data.
MISFITS = {
    "a hold-out larger than the data": (
        GOOD.replace("size: 0.2", "size: 5000"),
        "15:19: NN120 validation.holdout.size: ",
    ),
    "fewer units than classes": (GOOD.replace("units: 10", "units: 9"), "7:5: NN121 model[0]: "),
}
CONV = """\
dataset: {name: digits, prepare: [flatten]}
model:
  - Dense: 8
  - Conv2D: {filters: 3, kernel_size: 3}
  - Dense: {units: 10, activation: softmax}
training: {optimizer: adam, loss: sparse_categorical_crossentropy, epochs: 1}
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("case", SPECS | MISFITS)
def test_a_fault_is_reported_with_its_place(case: str, probed: Any, tmp_path: Path) -> None:
    text, expected = (SPECS | MISFITS)[case]
    (tmp_path / "bad.yaml").write_text(text)
    answer, loaded = probed("train", "bad.yaml", cwd=tmp_path)

    assert answer.stderr.startswith(f"bad.yaml:{expected}")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert not loaded & {"tensorflow", "keras", "matplotlib"}
    assert case in MISFITS or not loaded
    assert names(tmp_path) == ["bad.yaml"]


def test_an_error_of_keras_is_reported_at_its_layer(nnrun: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(CONV)
    answer = nnrun("train", "bad.yaml", cwd=tmp_path)
    head, *source = answer.stderr.splitlines()

    assert head.startswith(
        "bad.yaml:4:5: NN124 model[1]: Conv2D cannot follow an output of shape (8,): "
    )
    assert source == ["    - Conv2D: {filters: 3, kernel_size: 3}", "      " + "^" * 36]
    assert (answer.returncode, answer.stdout) == (2, "")
    assert names(tmp_path) == ["bad.yaml"]


def test_a_missing_file_is_reported_with_shipped_specs(here: Any, tmp_path: Path) -> None:
    answer = here("train", "none.yaml", cwd=tmp_path)

    assert answer.stderr.startswith("NN001: there is no file 'none.yaml'; shipped specs are ")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert names(tmp_path) == []


def test_all_faults_are_shown_at_once_with_their_lines(here: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(GOOD.replace("Dense", "Dens").replace("hs: 1", "hs: 0"))
    answer = here("train", "bad.yaml", cwd=tmp_path)

    assert answer.stderr.splitlines() == [
        "bad.yaml:7:5: NN104 model[0]: unknown layer 'Dens'; did you mean 'Dense'?",
        "    - Dens: {units: 10, activation: softmax}",
        "      ^^^^",
        "bad.yaml:12:11: NN110 training.epochs: must be at least 1, got 0",
        "    epochs: 0",
        "            ^",
    ]


def test_all_specs_are_checked_before_the_first_is_trained(here: Any, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(GOOD.replace("Dense", "Dens"))
    answer = here("train", "good.yaml", "bad.yaml", cwd=tmp_path)

    assert answer.stderr.startswith("bad.yaml:7:5: NN104 ")
    assert answer.returncode == 2
    assert names(tmp_path) == ["bad.yaml", "good.yaml"]
