"""From a file to an experiment, or to everything that is wrong with it."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nnrun.errors import SpecError
from nnrun.spec.component import Component
from nnrun.spec.dumping import dump
from nnrun.spec.experiment import Experiment
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
BAD = """\
sede: 0
dataset:
  name: imbd
  prepare: [multi_hat: 3, pad, {pad: {maxlen: ten, padding: left}}, 7]
model:
  - dense: {units: 16, activation: rellu}
  - Dense: {units: 16, activation: rellu}
  - Dense: {unit: 1}
  - Conv2D: {filters: 3}
  - Bidirectional: {layer: {LSTN: 32}}
training:
  optimizer: rmsprob
  loss: [1]
  metrics: acc
  epochs: 0
  batch_size: ten
  engine: warp
  device: tpu
  shuffle: no
validation:
  holdout: {size: 1.5, take: frist}
"""
BAD_FAULTS = """\
bad.yaml:1:1: NN101 sede: unknown key 'sede'; did you mean 'seed'?
bad.yaml:3:9: NN109 dataset: unknown dataset 'imbd'; did you mean 'imdb'?
bad.yaml:4:13: NN118 dataset.prepare[0]: unknown step 'multi_hat'; did you mean 'multi_hot'?
bad.yaml:4:27: NN102 dataset.prepare[1].pad.maxlen: is missing
bad.yaml:4:47: NN103 dataset.prepare[2].pad.maxlen: must be a whole number, got 'ten'
bad.yaml:4:61: NN111 dataset.prepare[2].pad.padding: must be pre or post, got 'left'
bad.yaml:4:69: NN103 dataset.prepare[3]: must be a step such as 'flatten' or 'multi_hot: 10000', got 7
bad.yaml:6:5: NN104 model[0]: unknown layer 'dense'; did you mean 'Dense'?
bad.yaml:7:36: NN117 model[1].Dense.activation: unknown activation 'rellu'; did you mean 'relu'?
bad.yaml:8:13: NN112 model[2].Dense.unit: Dense has no argument 'unit'; did you mean 'units'?
bad.yaml:9:5: NN113 model[3].Conv2D: Conv2D needs the argument 'kernel_size'
bad.yaml:10:29: NN104 model[4].Bidirectional.layer: unknown layer 'LSTN'; did you mean 'LSTM'?
bad.yaml:12:14: NN105 training.optimizer: unknown optimizer 'rmsprob'; did you mean 'rmsprop'?
bad.yaml:13:9: NN115 training.loss: must be a loss such as 'binary_crossentropy', got a list
bad.yaml:14:12: NN103 training.metrics: must be a list, got 'acc'; did you mean '[acc]'?
bad.yaml:15:11: NN110 training.epochs: must be at least 1, got 0
bad.yaml:16:15: NN103 training.batch_size: must be a whole number, got 'ten'
bad.yaml:17:11: NN111 training.engine: must be auto, xla, graph or fit, got 'warp'
bad.yaml:18:11: NN111 training.device: must be 'auto', 'cpu' or a GPU such as 'gpu:0', got 'tpu'
bad.yaml:19:12: NN103 training.shuffle: must be true or false, got 'no'; did you mean 'false'?
bad.yaml:21:19: NN110 validation.holdout.size: must be a number of rows, or a fraction between 0 and 1, got 1.5
bad.yaml:21:30: NN111 validation.holdout.take: must be first, last or random, got 'frist'; did you mean 'first'?
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Specs are named from the working folder, as a person names them."""
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


def test_all_faults_of_a_file_are_told_at_once(folder):
    (folder / "bad.yaml").write_text(BAD, "utf-8")

    assert "\n".join(faults(Path("bad.yaml"))) + "\n" == BAD_FAULTS


def test_what_is_missing_is_placed_where_it_belongs(folder):
    (folder / "x.yaml").write_text("model: [Flatten]\ntraining: {loss: mse}\n", "utf-8")
    found = faults(folder / "x.yaml")

    assert [line.removeprefix(f"{folder}/") for line in found] == [
        "x.yaml:1:1: NN102 dataset: is missing",
        "x.yaml:2:1: NN102 training.optimizer: is missing",
        "x.yaml:2:1: NN102 training.epochs: is missing",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "NN003: is empty"),
        ("---\n", "NN003: is empty"),
        ("- a", "NN004: must be a mapping such as 'model: [...]', got a list"),
        ("hello", "NN004: must be a mapping such as 'model: [...]', got a single value"),
    ],
)
def test_a_spec_is_a_mapping(folder, text, message):
    (folder / "x.yaml").write_text(text, "utf-8")

    assert faults(folder / "x.yaml") == [f"{folder}/x.yaml:1:1: {message}"]


def test_a_hundred_faults_are_told_and_that_there_are_more(folder):
    """Nobody reads forty thousand, and to look for what was meant by each takes a minute."""
    text = IMDB.replace("metrics: [binary_accuracy]", f"metrics: [{', '.join(['what'] * 300)}]")
    (folder / "x.yaml").write_text(text, "utf-8")
    found = faults(folder / "x.yaml")

    assert len(found) == 101
    assert found[-1].endswith("NN007: there are more faults, shown once these are corrected")


def test_what_is_wrong_with_a_misspelt_data_set_is_told_too(folder):
    """Its name says which arguments it takes, also where a letter of it is wrong."""
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


def test_a_later_fault_in_a_default_stands_at_the_nearest_parent(folder):
    fault = load(folder / "imdb.yaml").fault("NN111", ("training", "device"), "there is none")

    assert fault.place.line == 11


@pytest.mark.parametrize(
    ("stem", "name"), [("imdb", "imdb"), ("my net", "my-net"), (".x", "x"), ("-", "experiment")]
)
def test_the_default_name_is_fit_for_a_folder(tmp_path, stem, name):
    assert name_of(tmp_path / f"{stem}.yaml") == name


def test_loading_a_spec_loads_nothing_heavy(folder):
    """A spec is checked in an instant, or people stop checking."""
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
def test_a_step_is_named_by_its_key_only(folder, step):
    """`step` is how the models tell steps apart, and no key of a spec."""
    path = folder / "step.yaml"
    path.write_text(IMDB.replace("- multi_hot: 10000", f"- {step}"), "utf-8")

    [fault] = faults(path)

    assert "unknown key 'step'; the keys here are maxlen, padding, truncating and value" in fault


pieces = st.sampled_from(
    [*"[]{}:,-&*!|>'\"#%@ \n\t0", "\n  ", ": ", "- ", "&a ", "*a", "~", "1e999", "Dense", "units"]
)
# A line of a good spec, replaced by anything that looks like YAML.
mutations = st.tuples(
    st.integers(0, IMDB.count("\n")), st.lists(pieces, max_size=12).map("".join), st.booleans()
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutation=mutations)
def test_whatever_is_written_the_answer_is_an_experiment_or_faults(folder, mutation):
    """No text makes the loader stumble, and every fault can be shown."""
    number, text, keep = mutation
    lines = IMDB.splitlines()
    lines[number:] = [text, *lines[number + 1 :]] if keep else [text]
    path = folder / "x.yaml"
    path.write_text("\n".join(lines), "utf-8")

    assert outcome(path)


def outcome(path) -> list[str] | Experiment:
    """The faults of a spec as told; or the experiment, written down and read back."""
    try:
        path.write_text(dump(load(path).experiment), "utf-8")
        return load(path).experiment
    except SpecError as error:
        return [render(fault) for fault in error.faults]
