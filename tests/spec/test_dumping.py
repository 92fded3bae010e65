"""A dumped spec gives the same experiment, with YAML 1.1 and 1.2.

`tools/faults/fuzzing.py` checks it with changed specs.
"""

import math

import pytest
import yaml

from nnrun.spec.component import Component
from nnrun.spec.dumping import dump
from nnrun.spec.experiment import Experiment
from nnrun.spec.loading import load


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("dumped")


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


TRICKY = """no on yes true null ~ 1e-4 0o17 0x1f 1:30 2020-01-01 << - # a:b {x} [y] ! & * 10_000
.inf . = 1_0.5 007 1e5"""


@pytest.mark.parametrize("text", ["", " x ", *TRICKY.split()])
def test_text_that_looks_like_another_value_stays_text(folder, text):
    """Other tools read YAML 1.1, where `1e-05` is text and `no` is false."""
    experiment = minimal(description=text, expect={text: "0 to 1"})
    path = folder / "spec.yaml"
    path.write_text(dump(experiment), "utf-8")

    assert load(path).experiment == experiment
    assert Experiment.model_validate(yaml.safe_load(path.read_text("utf-8"))) == experiment


def test_every_default_is_written_out_in_order():
    assert dump(minimal()) == DUMPED


DUMPED = """\
name: x
description: ''
seed: 0
dataset:
  name: mnist
  prepare: []
  target: null
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
  weights:
    run: null
    vectors: null
    layers: []
  stages: []
  callbacks: []
  restore: last
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
