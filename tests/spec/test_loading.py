"""A file becomes an experiment, or all its faults are reported."""

import subprocess
import sys
from pathlib import Path

import pytest

from nnrun.errors import SpecError
from nnrun.spec.component import Component
from nnrun.spec.loading import load, name_of
from nnrun.spec.rendering import render

ROOT = Path(__file__).parents[2]
IMDB = """\
description: Two dense layers on bags of words.
dataset:
  name: imdb
  num_words: 10000
  prepare:
    - multi_hot: 10000
model:
  - Dense: {units: 16, activation: relu}
  - Dense: 16
  - Dense: {units: 1, activation: sigmoid, kernel_regularizer: {L2: 0.01}}
training:
  optimizer: {RMSprop: {learning_rate: 1e-3}}
  loss: binary_crossentropy
  metrics: [binary_accuracy]
  epochs: 20
  batch_size: 512
  callbacks:
    - EarlyStopping: {monitor: val_loss, patience: 3, restore_best_weights: true}
validation:
  holdout: {size: 10_000, take: first}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The working directory, with a valid spec."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "imdb.yaml").write_text(IMDB, "utf-8")
    return tmp_path


def faults(path) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(path)
    return [render(fault).splitlines()[0] for fault in caught.value.faults]


def test_a_spec_becomes_an_experiment(folder):
    experiment = load(folder / "imdb.yaml").experiment

    assert experiment.name == "imdb"
    assert experiment.model[1] == Component(name="Dense", arguments={"units": 16})
    assert experiment.training.optimizer.arguments == {"learning_rate": 0.001}
    assert experiment.training.loss == Component(name="binary_crossentropy")
    assert experiment.validation.holdout.size == 10000


def test_lone_values_are_named_at_every_depth(folder):
    [*_, last] = load(folder / "imdb.yaml").experiment.model

    assert last.arguments["kernel_regularizer"] == {"L2": {"l2": 0.01}}


def test_a_missing_key_has_the_place_of_its_section(folder):
    (folder / "x.yaml").write_text("model: [Flatten]\ntraining: {loss: mse}\n", "utf-8")

    assert [line.removeprefix(f"{folder}/") for line in faults(folder / "x.yaml")] == [
        "x.yaml:1:1: NN102 dataset: is missing",
        "x.yaml:2:1: NN102 training.optimizer: is missing",
        "x.yaml:2:1: NN102 training.epochs: is missing",
    ]


def test_at_most_a_hundred_faults_are_reported(folder):
    """Suggestions for all 40,000 could take a minute."""
    text = IMDB.replace("metrics: [binary_accuracy]", f"metrics: [{', '.join(['what'] * 300)}]")
    (folder / "x.yaml").write_text(text, "utf-8")
    lines = faults(folder / "x.yaml")

    assert len(lines) == 101
    assert lines[-1].endswith("NN007: there are more errors, shown once these are corrected")


def test_arguments_of_a_misspelt_data_set_are_checked_too(folder):
    text = IMDB.replace("name: imdb", "name: imbd").replace("num_words", "num_wrods")
    (folder / "x.yaml").write_text(text, "utf-8")

    assert [line.split(": ", 1)[1] for line in faults(folder / "x.yaml")] == [
        "NN109 dataset: unknown dataset 'imbd'; did you mean 'imdb'?",
        "NN101 dataset.num_wrods: unknown key 'num_wrods'; did you mean 'num_words'?",
    ]


def test_a_fault_found_later_has_its_place(folder):
    loaded = load(folder / "imdb.yaml")
    fault = loaded.fault("NN120", ("validation", "holdout", "size"), "is more than there are")

    assert (fault.path, fault.place.line, fault.place.column) == ("validation.holdout.size", 20, 19)


def test_a_later_fault_in_a_default_has_the_place_of_its_parent(folder):
    fault = load(folder / "imdb.yaml").fault("NN111", ("training", "device"), "there is none")

    assert fault.place.line == 11


@pytest.mark.parametrize(
    ("stem", "name"), [("imdb", "imdb"), ("my net", "my-net"), (".x", "x"), ("-", "experiment")]
)
def test_the_default_name_is_fit_for_a_folder(tmp_path, stem, name):
    assert name_of(tmp_path / f"{stem}.yaml") == name


def test_loading_a_spec_imports_no_heavy_package(folder):
    program = (
        "import sys; from pathlib import Path; from nnrun.spec.loading import load; "
        f"load(Path({str(folder / 'imdb.yaml')!r})); "
        "heavy = 'tensorflow keras pandas matplotlib sklearn numpy'.split(); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("step", ["{step: pad, maxlen: 3}", "{pad: {step: pad, maxlen: 3}}"])
def test_step_is_not_a_key_of_a_spec(folder, step):
    """Only the models use it."""
    path = folder / "step.yaml"
    path.write_text(IMDB.replace("- multi_hot: 10000", f"- {step}"), "utf-8")

    [fault] = faults(path)

    assert "unknown key 'step'; the keys here are maxlen, padding, truncating and value" in fault
