"""Whatever is wrong with a spec is said with its place, at once, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
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

# Whole files, and the first line of the answer.
FILES = {
    "empty": ("", "1:1: NN003: holds nothing"),
    "only a comment": ("# nothing\n", "1:1: NN003: holds nothing"),
    "a list": (
        "- dataset: digits\n- model\n",
        "1:1: NN004: must be a mapping such as 'model: [...]', got a list",
    ),
    "tabs": (
        "dataset:\n\tname: digits\n",
        "2:1: NN002: a tab stands where only spaces may; indent with spaces",
    ),
    "not yaml": (
        "model: [Dense\n",
        "1:8: NN002: a list that begins with '[' is not closed, or a ',' is missing",
    ),
    "billion laughs": (
        BOMB + GOOD,
        "5:35: NN007 a4[5]: more than 50,000 values once aliases are written out",
    ),
    "a tag that runs code": (
        GOOD + "description: !!python/object/apply:os.system ['touch ran']\n",
        (
            "16:14: NN006 description: tags such as '!!python/object/apply:os.system' are not used "
            "here; leave it out"
        ),
    ),
}

# What is changed in a good file, and the first line of the answer.
CHANGES = {
    "duplicate key": (
        *("  epochs: 1\n", "  epochs: 1\n  epochs: 2\n"),
        "13:3: NN005 training.epochs: written twice, first in line 12",
    ),
    "unknown key at the top": (
        *("model:\n", "modell: 1\nmodel:\n"),
        "6:1: NN101 modell: unknown key 'modell'; did you mean 'model'?",
    ),
    "unknown key of a data set": (
        *("  name: digits\n", "  name: digits\n  num_words: 5\n"),
        (
            "3:3: NN101 dataset.num_words: unknown key 'num_words'; the keys here are name, prepare, "
            "test_split and seed"
        ),
    ),
    "unknown key of a step": (
        *("rescale: 16", "rescale: {divisor: 16, by: 2}"),
        "4:30: NN101 dataset.prepare[0].rescale.by: unknown key 'by'; the keys here are divisor",
    ),
    "unknown argument of a layer": (
        *("units: 10", "unit: 10"),
        "7:13: NN112 model[0].Dense.unit: Dense has no argument 'unit'; did you mean 'units'?",
    ),
    "unknown key of training": (
        *("  batch_size: 8", "  batchsize: 8"),
        "13:3: NN101 training.batchsize: unknown key 'batchsize'; did you mean 'batch_size'?",
    ),
    "unknown argument of an optimizer": (
        *("adam", "{Adam: {learn_rate: 0.1}}"),
        (
            "9:22: NN112 training.optimizer.Adam.learn_rate: Adam has no argument 'learn_rate'; did "
            "you mean 'learning_rate'?"
        ),
    ),
    "unknown key of validation": (
        *("  holdout", "  hold_out"),
        "15:3: NN101 validation.hold_out: unknown key 'hold_out'; did you mean 'holdout'?",
    ),
    "unknown key of the hold-out": (
        *("size: 0.2", "size: 0.2, taken: last"),
        "15:24: NN101 validation.holdout.taken: unknown key 'taken'; did you mean 'take'?",
    ),
    "a missing key": ("  epochs: 1\n", "", "8:1: NN102 training.epochs: is missing"),
    "a word for a number": (
        *("epochs: 1", "epochs: ten"),
        "12:11: NN103 training.epochs: must be a whole number, got 'ten'",
    ),
    "a word for a list": (
        *("model:\n  - Dense: {units: 10, activation: softmax}\n", "model: Dense\n"),
        "6:8: NN103 model: must be a list, got 'Dense'; did you mean '[Dense]'?",
    ),
    "a word for an argument": (
        *("units: 10", "units: ten"),
        "7:20: NN114 model[0].Dense.units: must be a whole number above 0, got 'ten'",
    ),
    "a fraction for a whole number": (
        *("batch_size: 8", "batch_size: 1.5"),
        "13:15: NN103 training.batch_size: must be a whole number, got 1.5",
    ),
    "negative epochs": (
        *("epochs: 1", "epochs: -3"),
        "12:11: NN110 training.epochs: must be at least 1, got -3",
    ),
    "unknown layer": (
        *("Dense", "Dens"),
        "7:5: NN104 model[0]: unknown layer 'Dens'; did you mean 'Dense'?",
    ),
    "unknown optimizer": (
        *("adam", "adamm"),
        "9:14: NN105 training.optimizer: unknown optimizer 'adamm'; did you mean 'adam'?",
    ),
    "unknown loss": (
        *("sparse_categorical_crossentropy", "binary_crossentropi"),
        (
            "10:9: NN106 training.loss: unknown loss 'binary_crossentropi'; did you mean "
            "'binary_crossentropy'?"
        ),
    ),
    "unknown metric": (
        *("[accuracy]", "[Precison]"),
        "11:13: NN107 training.metrics[0]: unknown metric 'Precison'; did you mean 'Precision'?",
    ),
    "unknown callback": (
        *("  epochs: 1", "  callbacks: [EarlyStoping]\n  epochs: 1"),
        (
            "12:15: NN108 training.callbacks[0]: unknown callback 'EarlyStoping'; did you mean "
            "'EarlyStopping'?"
        ),
    ),
    "unknown data set": (
        *("digits", "digit"),
        "2:9: NN109 dataset: unknown data set 'digit'; did you mean 'digits'?",
    ),
    "unknown step": (
        *("- flatten", "- flaten"),
        "5:7: NN118 dataset.prepare[1]: unknown step 'flaten'; did you mean 'flatten'?",
    ),
}

# These are seen when the data has been read.
MISFITS = {
    "hold-out larger than the data": (
        *("size: 0.2", "size: 5000"),
        "15:19: NN120 validation.holdout.size: must be less than the 1437 training rows, got 5000",
    ),
    "fewer units than classes": (
        *("units: 10", "units: 9"),
        ("7:5: NN121 model[0]: the model puts out 9, but digits has 10 classes: units must be 10"),
    ),
    "a loss of classes for a regression": (
        *("name: digits\n  prepare:\n    - rescale: 16\n    - flatten\n", "name: boston_housing\n"),
        (
            "7:9: NN122 training.loss: sparse_categorical_crossentropy needs classes, but "
            "boston_housing has a number per row (median price in 1000 $); use a loss such as mse"
        ),
    ),
}
CONV = """\
dataset: {name: digits, prepare: [flatten]}
model:
  - Dense: 8
  - Conv2D: {filters: 3, kernel_size: 3}
  - Dense: {units: 10, activation: softmax}
training: {optimizer: adam, loss: sparse_categorical_crossentropy, epochs: 1}
"""


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_is_no_spec_is_refused_with_its_place(
    case: str, probed: Callable[..., Any], tmp_path: Path
) -> None:
    """Before anything heavy is loaded, and before anything in the file is run."""
    text, expected = FILES[case]
    (tmp_path / "bad.yaml").write_text(text)
    answer, loaded = probed("train", "bad.yaml", cwd=tmp_path)

    assert answer.stderr.splitlines()[0] == f"bad.yaml:{expected}"
    assert (answer.returncode, answer.stdout) == (2, "")
    assert loaded == set()
    assert left(tmp_path) == ["bad.yaml"]


@pytest.mark.parametrize("case", CHANGES)
def test_a_wrong_key_or_value_is_refused_with_its_place(
    case: str, probed: Callable[..., Any], tmp_path: Path
) -> None:
    """Nothing is ignored: a misspelt key would train with the default."""
    old, new, expected = CHANGES[case]
    (tmp_path / "bad.yaml").write_text(GOOD.replace(old, new))
    answer, loaded = probed("train", "bad.yaml", cwd=tmp_path)

    assert answer.stderr.splitlines()[0] == f"bad.yaml:{expected}"
    assert (answer.returncode, answer.stdout) == (2, "")
    assert loaded == set()
    assert left(tmp_path) == ["bad.yaml"]


@pytest.mark.parametrize("case", MISFITS)
def test_a_spec_that_does_not_fit_its_data_is_refused_before_tensorflow_loads(
    case: str, probed: Callable[..., Any], tmp_path: Path
) -> None:
    """The data is needed to see it, but the model is not."""
    old, new, expected = MISFITS[case]
    (tmp_path / "bad.yaml").write_text(GOOD.replace(old, new))
    answer, loaded = probed("train", "bad.yaml", cwd=tmp_path)

    assert answer.stderr.splitlines()[0] == f"bad.yaml:{expected}"
    assert (answer.returncode, answer.stdout) == (2, "")
    assert not loaded & {"tensorflow", "keras", "matplotlib"}
    assert left(tmp_path) == ["bad.yaml"]


def test_a_layer_that_cannot_follow_is_refused_with_its_place(
    nnrun: Callable[..., Any], tmp_path: Path
) -> None:
    """Only Keras knows; but still no run begins."""
    (tmp_path / "bad.yaml").write_text(CONV)
    answer = nnrun("train", "bad.yaml", cwd=tmp_path)
    head, *source = answer.stderr.splitlines()

    assert head.startswith(
        "bad.yaml:4:5: NN124 model[1]: Conv2D cannot follow an output of shape (8,): "
    )
    assert source == ["    - Conv2D: {filters: 3, kernel_size: 3}", "      " + "^" * 36]
    assert (answer.returncode, answer.stdout) == (2, "")
    assert left(tmp_path) == ["bad.yaml"]


def test_a_missing_file_is_said_with_what_is_shipped(
    probed: Callable[..., Any], tmp_path: Path
) -> None:
    """Whoever forgot the name of a spec finds it in the answer."""
    answer, loaded = probed("train", "none.yaml", cwd=tmp_path)

    assert answer.stderr.startswith("NN001: there is no file 'none.yaml'; shipped specs are ")
    assert (answer.returncode, answer.stdout, loaded) == (2, "", set())
    assert left(tmp_path) == []


def test_all_faults_are_said_at_once_with_their_lines(
    probed: Callable[..., Any], tmp_path: Path
) -> None:
    """One run of the command per fault would be one too many."""
    (tmp_path / "bad.yaml").write_text(GOOD.replace("Dense", "Dens").replace("hs: 1", "hs: 0"))
    answer, _ = probed("train", "bad.yaml", cwd=tmp_path)

    assert answer.stderr.splitlines() == [
        "bad.yaml:7:5: NN104 model[0]: unknown layer 'Dens'; did you mean 'Dense'?",
        "    - Dens: {units: 10, activation: softmax}",
        "      ^^^^",
        "bad.yaml:12:11: NN110 training.epochs: must be at least 1, got 0",
        "    epochs: 0",
        "            ^",
    ]


def test_a_wrong_override_is_refused(probed: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    answer, loaded = probed("train", "good.yaml", "--set", "training.epoch=3", cwd=tmp_path)

    assert "did you mean 'epochs'?" in answer.stderr
    assert (answer.returncode, loaded) == (2, set())
    assert left(tmp_path) == ["good.yaml"]


def test_a_fault_in_the_second_spec_stops_the_first(
    probed: Callable[..., Any], tmp_path: Path
) -> None:
    """Else it would show after an hour of training."""
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(GOOD.replace("Dense", "Dens"))
    answer, loaded = probed("train", "good.yaml", "bad.yaml", cwd=tmp_path)

    assert answer.stderr.startswith("bad.yaml:7:5: NN104 ")
    assert (answer.returncode, loaded) == (2, set())
    assert left(tmp_path) == ["bad.yaml", "good.yaml"]
