"""Every warning has a spec that calls it up, and one close to it that does not."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from nnrun.check import lint
from nnrun.cli import specs
from nnrun.spec.codes import warnings
from nnrun.spec.loading import load

DIGITS = """\
dataset: {name: digits, prepare: [{rescale: 16}, flatten]}
model:
  - Dense: {units: 64, activation: relu}
  - Dense: {units: 10, activation: softmax}
training:
  optimizer: adam
  loss: sparse_categorical_crossentropy
  metrics: [accuracy]
  epochs: 20
  batch_size: 32
validation: {holdout: {size: 0.2}}
"""
BOSTON = """\
dataset: {name: boston_housing, prepare: [standardize]}
model:
  - Dense: {units: 64, activation: relu}
  - Dense: 1
training: {optimizer: rmsprop, loss: mse, metrics: [mae], epochs: 20}
validation: {holdout: {size: 0.2}, kfold: {folds: 4}}
"""
CIFAR10 = """\
dataset: {name: cifar10}
model:
  - Resizing: {height: 96, width: 96}
  - Application: {name: ResNet50}
  - GlobalAveragePooling2D
  - Dense: {units: 10, activation: softmax}
training: {optimizer: adam, loss: sparse_categorical_crossentropy, metrics: [accuracy], epochs: 2}
validation: {holdout: {size: 0.2}}
"""
PICTURES = f"""\
dataset:
  {{name: images, image_size: [8, 8], prepare: [rescale], path: {specs.shipped_folder()}/own/data/digits}}
model: [Flatten, Dense: {{units: 10, activation: softmax}}]
training: {{optimizer: adam, loss: sparse_categorical_crossentropy, metrics: [accuracy], epochs: 2}}
validation: {{holdout: {{size: 0.2}}}}
"""


def but(text: str, *changes: tuple[str, str]) -> str:
    """A text with some parts replaced, each of which must be there."""
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def watching(callback: str) -> str:
    return but(DIGITS, ("epochs: 20", f"epochs: 20\n  callbacks: [{callback}]"))


BEST = "restore_best_weights: true"
LOGITS = ("units: 10, activation: softmax", "units: 10")
FROM_LOGITS = (
    "sparse_categorical_crossentropy",
    "{CategoricalCrossentropy: {from_logits: true}}",
)
CASES = {
    "NN201": (but(DIGITS, LOGITS), but(DIGITS, LOGITS, FROM_LOGITS)),
    "NN202": (but(DIGITS, ("softmax", "sigmoid")), DIGITS),
    "NN203": (but(DIGITS, ("{rescale: 16}, ", "")), DIGITS),
    "NN204": (but(BOSTON, (", prepare: [standardize]", "")), BOSTON),
    "NN205": (
        but(DIGITS, ("batch_size: 32", "batch_size: 1151")),
        but(DIGITS, ("batch_size: 32", "batch_size: 1150")),
    ),
    "NN207": (watching("EarlyStopping"), watching(f"EarlyStopping: {{{BEST}}}")),
    "NN208": (
        watching("ReduceLROnPlateau: {patience: 20}"),
        watching(f"EarlyStopping: {{patience: 20, {BEST}}}"),
    ),
    "NN209": (
        watching(f"EarlyStopping: {{monitor: val_accuracy, mode: min, {BEST}}}"),
        watching(f"EarlyStopping: {{monitor: val_accuracy, mode: max, {BEST}}}"),
    ),
    "NN210": (but(DIGITS, ("units: 64, activation: relu", "units: 64")), DIGITS),
    "NN211": (but(DIGITS, ("units: 64", "units: 2")), but(DIGITS, ("units: 64", "units: 3"))),
    "NN212": (
        but(DIGITS, ("optimizer: adam", "optimizer: {Adam: {learning_rate: 0.1}}")),
        but(DIGITS, ("optimizer: adam", "optimizer: {SGD: {learning_rate: 0.1}}")),
    ),
    "NN213": (but(DIGITS, ("validation: {holdout: {size: 0.2}}\n", "")), DIGITS),
    "NN214": (but(BOSTON, ("standardize", "standardize: {fit: all}")), BOSTON),
    "NN215": (
        but(BOSTON, ("  - Dense: 1\n", "  - BatchNormalization\n  - Dense: 1\n"),
            ("epochs: 20", "epochs: 20, batch_size: 1")),
        but(BOSTON, ("  - Dense: 1\n", "  - BatchNormalization\n  - Dense: 1\n")),
    ),
    "NN216": (but(BOSTON, ("Dense: 1\n", "Dense: {units: 1, activation: sigmoid}\n")), BOSTON),
    "NN217": (
        but(DIGITS, ("sparse_categorical_crossentropy", "binary_crossentropy")),
        but(DIGITS, ("sparse_categorical_crossentropy", "categorical_crossentropy")),
    ),
    "NN218": (
        but(DIGITS, LOGITS, FROM_LOGITS, ("[accuracy]", "[Precision]")),
        but(DIGITS, LOGITS, FROM_LOGITS),
    ),
    "NN219": (
        but(DIGITS, ("softmax}\n", "softmax}\n  - Dropout: 0.5\n")),
        but(DIGITS, ("relu}\n", "relu}\n  - Dropout: 0.5\n")),
    ),
    "NN220": (
        watching(f"EarlyStopping: {{monitor: loss, {BEST}}}"),
        watching(f"EarlyStopping: {{monitor: val_loss, {BEST}}}"),
    ),
    "NN224": (f"{DIGITS}expect: {{test_accuracy: 0.9}}\n", f"{DIGITS}expect: {{test_accuracy: '>= 0.9'}}\n"),
    "NN225": (
        watching("RemoteMonitor: {root: 'http://localhost.example.org:9000'}"),
        watching("RemoteMonitor: {root: 'http://localhost:9001'}"),
    ),
    "NN226": (
        but(DIGITS, ("epochs: 20", "epochs: 5\n  stages: [{epochs: 5}, {epochs: 5}]")),
        but(DIGITS, ("epochs: 20", "epochs: 6\n  stages: [{epochs: 5}, {epochs: 5}]")),
    ),
    "NN227": (
        but(CIFAR10, ("cifar10}", "cifar10, prepare: [rescale]}")),
        but(CIFAR10, ("cifar10}", "cifar10, prepare: [rescale]}"), ("ResNet50}", "ResNet50, preprocess: false}")),
    ),
    "NN228": (
        but(PICTURES, ("digits}", "nowhere, classes: 10}")),
        but(PICTURES, ("digits}", "digits, classes: 10}")),
    ),
}  # fmt: skip
# Said of the rows themselves, once they are read; tests/test_sanity.py calls each up.
OF_ROWS = {"NN206", "NN221", "NN222", "NN223"}
SPECS = sorted(specs.shipped_folder().glob("*.yaml"))


def test_every_warning_has_its_two_specs() -> None:
    assert {*CASES} == {*lint.RULES}
    assert {*CASES, *OF_ROWS} == {*warnings()}


@pytest.mark.parametrize("code", CASES)
def test_a_warning_comes_where_it_should_and_alone(code, faults):
    found = faults(CASES[code][0])

    assert [fault.code for fault in found] == [code]
    assert found[0].is_warning
    assert found[0].place.line > 0


@pytest.mark.parametrize("code", CASES)
def test_a_spec_close_to_it_is_left_in_peace(code, faults):
    assert faults(CASES[code][1]) == []


@pytest.mark.parametrize("code", CASES)
def test_a_warning_can_be_taken_back_in_the_spec(code, faults):
    assert faults(f"{CASES[code][0]}lint: {{ignore: [{code}]}}\n") == []


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_no_shipped_spec_calls_up_a_warning(path: Path) -> None:
    """Where one shows a mistake on purpose, it says so."""
    assert lint.findings(lint_subject(path)) == []


@pytest.mark.parametrize(
    "path", [path for path in SPECS if "lint:" in path.read_text()], ids=lambda path: path.stem
)
def test_what_a_shipped_spec_takes_back_would_be_said(path: Path, faults, tmp_path: Path) -> None:
    """An `ignore` that is not needed hides the next mistake."""
    text = path.read_text()
    ignored = re.findall(r"NN\d{3}", text.split("lint:")[1])
    base = Path(os.path.relpath(path.parent, tmp_path)).as_posix()
    bare = text.split("lint:")[0].replace("extends: ", f"extends: {base}/")

    assert [fault.code for fault in faults(bare)] == ignored


def lint_subject(path: Path):
    from nnrun.check import spec_context

    return spec_context(load(path).experiment)


@pytest.mark.parametrize("code", warnings())
def test_every_warning_tells_its_reason_its_symptom_and_its_fix(code: str) -> None:
    rule = warnings()[code]

    assert all(
        text.endswith((".", "`")) for text in (rule.rule, rule.reason, rule.symptom, rule.fix)
    )


PICTURES = """\
dataset: {name: cifar10}
model: [%s, GlobalAveragePooling2D, Dense: {units: 10, activation: softmax}]
training: {optimizer: adam, loss: sparse_categorical_crossentropy, epochs: 5}
validation: {holdout: {size: 0.2}}
"""
CONV = "Conv2D: {filters: 8, kernel_size: 3, activation: relu}"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ((), False),
        (("rescale: 16", "rescale: 0.0039"), True),
        (("rescale: 16", "rescale: 4"), False),
        (("rescale: 16", "rescale: 1"), True),
    ],
)
def test_pixels_are_judged_by_the_size_that_they_have_in_the_end(change, told, faults):
    """`rescale` divides; who writes the factor makes it worse."""
    text = DIGITS.replace(*change) if change else DIGITS

    assert [fault.code for fault in faults(text)] == ["NN203"] * told


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        (CONV, True),
        (f"RandomFlip, RandomContrast: 0.1, Rescaling: 0.0039, {CONV}", False),
        (f"Rescaling: 255, {CONV}", True),
        ("Conv2D: {filters: 8, kernel_size: 3, use_bias: false}, BatchNormalization, ReLU", False),
        (f"Dropout: 0.1, BatchNormalization, {CONV}", False),
    ],
)
def test_what_the_model_itself_scales_is_seen(layers, told, faults):
    assert [fault.code for fault in faults(PICTURES % layers)] == ["NN203"] * told


@pytest.mark.parametrize(
    ("gate", "told"),
    [("test_accuracy: '>= 90'", True), ("val_accuracy: '> 1'", True), ("test_accuracy: 0.8 to 1", False),
     ("test_accuracy: 0.9991 to 0.9994", False), ("test_accuracy: '< 0'", True),
     ("model_bytes: 1 MB", True), ("parameters: 4810", False), ("loss: '>= 2'", False)],
)  # fmt: skip
def test_a_gate_that_is_never_met_is_told(gate, told, faults):
    assert [fault.code for fault in faults(f"{DIGITS}expect: {{{gate}}}\n")] == ["NN224"] * told


def test_a_learning_rate_that_teaches_nothing_is_told(faults):
    for rate in ("0", "-0.1", "0.0"):
        text = but(DIGITS, ("optimizer: adam", f"optimizer: {{SGD: {{learning_rate: {rate}}}}}"))

        assert [fault.code for fault in faults(text)] == ["NN212"]


MISTAKE = """\
dataset: {name: mnist, prepare: [rescale, flatten]}
model:
  - Dense: {units: 128, activation: relu}
  - Dropout: 0.2
  - Dense: 10
training:
  optimizer: adam
  loss: {SparseCategoricalCrossentropy: {from_logits: false}}
  metrics: [accuracy]
  epochs: 20
validation: {holdout: {size: 0.2}}
"""


def test_the_mistake_of_the_tutorial_is_named(faults):
    """Twenty epochs at a loss of 2.3026 and an accuracy near 0.10."""
    [fault] = faults(MISTAKE)

    assert fault.code == "NN201"
    assert fault.place.line == 5
    assert fault.message == (
        "SparseCategoricalCrossentropy expects probabilities, but the model ends without softmax or "
        "sigmoid, in logits: training will stall; add activation: softmax, or from_logits: true to "
        "the loss"
    )
    assert "2.3026" in warnings()["NN201"].symptom


def test_a_network_that_scales_pixels_itself_gets_them_as_they_are(faults):
    """Whoever follows the one warning must not meet the other."""
    assert faults(CIFAR10) == []
