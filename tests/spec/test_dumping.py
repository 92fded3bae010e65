"""A dumped spec gives the same experiment, with YAML 1.1 and 1.2."""

import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nnrun.spec.codes import warnings
from nnrun.spec.component import Component
from nnrun.spec.dataset import Imdb, Mnist, Reuters
from nnrun.spec.dumping import dump
from nnrun.spec.experiment import Experiment, Lint
from nnrun.spec.keras_names import NAME
from nnrun.spec.loading import load
from nnrun.spec.prepare import Flatten, MultiHot, Pad, Rescale, Standardize
from nnrun.spec.training import Training
from nnrun.spec.validation import Holdout, Validation

counts = st.integers(1, 10**9)
fractions = st.floats(0, 1, exclude_min=True, exclude_max=True)
numbers = st.floats(allow_nan=False) | st.integers(-(10**18), 10**18)
TRICKY = """no on yes true null ~ 1e-4 0o17 0x1f 1:30 2020-01-01 << - # a:b {x} [y] ! & * 10_000
.inf . = 1_0.5 007 1e5"""
tricky = st.sampled_from(["", " x ", *TRICKY.split()])
texts = tricky | st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\ufeff\ufffe\uffff"), max_size=40
)
steps = st.one_of(
    st.builds(MultiHot, dimension=counts),
    st.builds(Pad, maxlen=counts, padding=st.sampled_from(["pre", "post"])),
    st.builds(Standardize),
    st.builds(Rescale, divisor=st.floats(min_value=1e-300, max_value=1e37)),
    st.builds(Flatten),
)
prepares = st.lists(steps, max_size=3).map(tuple)
datasets = st.one_of(
    st.builds(
        Imdb, name=st.just("imdb"), prepare=prepares, num_words=st.none() | counts, seed=counts
    ),
    st.builds(Reuters, name=st.just("reuters"), prepare=prepares, test_split=fractions),
    st.builds(Mnist, name=st.just("mnist"), prepare=prepares),
)


def written(inner):
    """A component inside another one is plain YAML."""
    return {inner.name: inner.arguments}


def component(name, /, **arguments):
    return st.builds(Component, name=st.just(name), arguments=st.fixed_dictionaries(arguments))


layers = st.one_of(
    component("Flatten"),
    component(
        "Dense",
        units=counts,
        name=st.from_regex(NAME, fullmatch=True),
        activation=st.sampled_from(["relu", "tanh"]),
    ),
    component("Dense", units=counts, kernel_regularizer=component("L2", l2=numbers).map(written)),
    component("Dropout", rate=st.floats(0, 1)),
    component("Reshape", target_shape=st.lists(counts, max_size=3)),
    component("Bidirectional", layer=component("LSTM", units=counts).map(written)),
)
trainings = st.builds(
    Training,
    optimizer=component("rmsprop") | component("Adam", learning_rate=numbers, epsilon=fractions),
    loss=component("mse") | component("Huber", delta=numbers),
    metrics=st.lists(component("accuracy") | component("AUC", name=texts), max_size=2).map(tuple),
    epochs=counts,
    batch_size=counts,
    callbacks=st.lists(component("EarlyStopping", monitor=texts), max_size=2).map(tuple),
)
experiments = st.builds(
    Experiment,
    name=st.from_regex(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9_-])?", fullmatch=True),
    description=texts,
    seed=st.none() | st.integers(0, 2**32 - 1),
    dataset=datasets,
    model=st.lists(layers, min_size=1, max_size=4).map(tuple),
    training=trainings,
    validation=st.builds(
        Validation, holdout=st.none() | st.builds(Holdout, size=counts | fractions)
    ),
    expect=st.dictionaries(texts, st.sampled_from([">= 0.85", "0 to 1", "160305", "<2 MB"])),
    lint=st.builds(Lint, ignore=st.lists(st.sampled_from(sorted(warnings()))).map(tuple)),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("dumped")


@settings(max_examples=60)
@given(experiment=experiments)
def test_reading_back_gives_the_same_experiment(folder, experiment):
    path = folder / "spec.yaml"
    path.write_text(dump(experiment), "utf-8", newline="")

    assert load(path).experiment == experiment
    # Other tools read YAML 1.1, where `1e-05` is text and `no` is false.
    assert Experiment.model_validate(yaml.safe_load(path.read_text("utf-8"))) == experiment


@pytest.mark.parametrize("value", [1e-5, 1e16, 1e22, 0.1, 1e300, 5e-324, math.inf, -0.0])
def test_floats_keep_every_digit(folder, value):
    layer = Component(name="LeakyReLU", arguments={"negative_slope": value})
    experiment = minimal(model=(layer,))
    path = folder / "spec.yaml"
    path.write_text(dump(experiment), "utf-8")
    [layer] = load(path).experiment.model

    assert repr(layer.arguments["negative_slope"]) == repr(value)


def minimal(**changes):
    return Experiment.model_validate(
        {
            "name": "x",
            "dataset": "mnist",
            "model": ["Flatten", {"Dense": {"units": 10}}],
            "training": {"optimizer": "adam", "loss": "mse", "epochs": 1},
            **changes,
        }
    )


def test_every_default_is_written_out_in_order():
    assert dump(minimal()) == DUMPED


DUMPED = """\
name: x
description: ''
seed: 0
dataset:
  name: mnist
  prepare: []
model:
- Flatten
- Dense: {units: 10}
training:
  optimizer: adam
  loss: mse
  metrics: []
  epochs: 1
  batch_size: 32
  shuffle: true
  class_weight: null
  stages: []
  callbacks: []
  engine: auto
  precision: float32
  device: auto
validation:
  holdout: null
  kfold: null
expect: {}
lint:
  ignore: []
"""


@pytest.mark.parametrize("text", ["a\x85b", "a\u2028b", "a\rb", "\n", " a\n b\n\n", "\t", "é\x00"])
def test_line_ends_and_control_characters_survive(folder, text):
    """Readers disagree on which characters end a line."""
    path = folder / "spec.yaml"
    path.write_text(dump(minimal(description=text)), "utf-8", newline="")

    assert load(path).experiment.description == text


def test_marks_that_change_the_direction_of_text_are_escaped():
    """`spec.yaml` must look like the text that nnrun reads."""
    text = "a\u202eb\u2066c\u200f"
    written = r'description: "a\u202eb\u2066c\u200f"'

    assert written in dump(minimal(description=text))
