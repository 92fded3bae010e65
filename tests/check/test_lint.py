"""Every warning has a spec that causes it, and a similar one that does not."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

from nnrun.check import lint, spec_context
from nnrun.cli import specs
from nnrun.data import datasets
from nnrun.experiment import inputs
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
AUGMENTED = """\
dataset: {name: cifar10, prepare: [rescale]}
model: [%s, Flatten, Dense: {units: 10, activation: softmax}]
training: {optimizer: adam, loss: sparse_categorical_crossentropy, metrics: [accuracy], epochs: 2}
validation: {holdout: {size: 0.2}}
"""
WINDOWS = """\
dataset:
  {name: csv, path: numbered.csv, target: y, order: id, window: {sequence_length: 4}, prepare: [standardize]}
model: [{LSTM: 4}, {Dense: 1}]
training: {optimizer: adam, loss: mse, metrics: [mae], epochs: 2, batch_size: 8}
validation: {holdout: {size: 0.2, take: %s}}
"""
PICTURES = f"""\
dataset:
  {{name: images, image_size: [8, 8], prepare: [rescale], path: {specs.shipped_folder()}/own/data/digits}}
model: [Flatten, Dense: {{units: 10, activation: softmax}}]
training: {{optimizer: adam, loss: sparse_categorical_crossentropy, metrics: [accuracy], epochs: 2}}
validation: {{holdout: {{size: 0.2}}}}
"""


def replaced(text: str, *changes: tuple[str, str]) -> str:
    """A text with some parts replaced, each of which must exist."""
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def with_callback(callback: str) -> str:
    return replaced(DIGITS, ("epochs: 20", f"epochs: 20\n  callbacks: [{callback}]"))


BEST = "restore_best_weights: true"
LOGITS = ("units: 10, activation: softmax", "units: 10")
FROM_LOGITS = (
    "sparse_categorical_crossentropy",
    "{CategoricalCrossentropy: {from_logits: true}}",
)
CASES = {
    "NN201": (replaced(DIGITS, LOGITS), replaced(DIGITS, LOGITS, FROM_LOGITS)),
    "NN202": (replaced(DIGITS, ("softmax", "sigmoid")), DIGITS),
    "NN203": (replaced(DIGITS, ("{rescale: 16}, ", "")), DIGITS),
    "NN204": (replaced(BOSTON, (", prepare: [standardize]", "")), BOSTON),
    "NN205": (
        replaced(DIGITS, ("batch_size: 32", "batch_size: 1151")),
        replaced(DIGITS, ("batch_size: 32", "batch_size: 1150")),
    ),
    "NN207": (
        with_callback("EarlyStopping"),
        replaced(with_callback("EarlyStopping"), ("epochs: 20", "epochs: 20\n  restore: best")),
    ),
    "NN208": (
        with_callback("ReduceLROnPlateau: {patience: 20}"),
        with_callback(f"EarlyStopping: {{patience: 20, {BEST}}}"),
    ),
    "NN209": (
        with_callback(f"EarlyStopping: {{monitor: val_accuracy, mode: min, {BEST}}}"),
        with_callback(f"EarlyStopping: {{monitor: val_accuracy, mode: max, {BEST}}}"),
    ),
    "NN210": (replaced(DIGITS, ("units: 64, activation: relu", "units: 64")), DIGITS),
    "NN211": (replaced(DIGITS, ("units: 64", "units: 2")), replaced(DIGITS, ("units: 64", "units: 3"))),
    "NN212": (
        replaced(DIGITS, ("optimizer: adam", "optimizer: {Adam: {learning_rate: 0.1}}")),
        replaced(DIGITS, ("optimizer: adam", "optimizer: {SGD: {learning_rate: 0.1}}")),
    ),
    "NN213": (replaced(DIGITS, ("validation: {holdout: {size: 0.2}}\n", "")), DIGITS),
    "NN214": (replaced(BOSTON, ("standardize", "standardize: {fit: all}")), BOSTON),
    "NN215": (
        replaced(BOSTON, ("  - Dense: 1\n", "  - BatchNormalization\n  - Dense: 1\n"),
            ("epochs: 20", "epochs: 20, batch_size: 1")),
        replaced(BOSTON, ("  - Dense: 1\n", "  - BatchNormalization\n  - Dense: 1\n")),
    ),
    "NN216": (replaced(BOSTON, ("Dense: 1\n", "Dense: {units: 1, activation: sigmoid}\n")), BOSTON),
    "NN217": (
        replaced(DIGITS, ("sparse_categorical_crossentropy", "binary_crossentropy")),
        replaced(DIGITS, ("sparse_categorical_crossentropy", "categorical_crossentropy")),
    ),
    "NN218": (
        replaced(DIGITS, LOGITS, FROM_LOGITS, ("[accuracy]", "[Precision: {thresholds: 0.5}]")),
        replaced(DIGITS, LOGITS, FROM_LOGITS, ("[accuracy]", "[Precision: {thresholds: 0.0}]")),
    ),
    "NN219": (
        replaced(DIGITS, ("softmax}\n", "softmax}\n  - Dropout: 0.5\n")),
        replaced(DIGITS, ("relu}\n", "relu}\n  - Dropout: 0.5\n")),
    ),
    "NN220": (
        with_callback(f"EarlyStopping: {{monitor: loss, {BEST}}}"),
        with_callback(f"EarlyStopping: {{monitor: val_loss, {BEST}}}"),
    ),
    "NN224": (f"{DIGITS}expect: {{test_accuracy: 0.9}}\n", f"{DIGITS}expect: {{test_accuracy: '>= 0.9'}}\n"),
    "NN225": (
        with_callback("RemoteMonitor: {root: 'http://localhost.example.org:9000'}"),
        with_callback("RemoteMonitor: {root: 'http://localhost:9001'}"),
    ),
    "NN226": (
        replaced(DIGITS, ("epochs: 20", "epochs: 5\n  stages: [{epochs: 5}, {epochs: 5}]")),
        replaced(DIGITS, ("epochs: 20", "epochs: 6\n  stages: [{epochs: 5}, {epochs: 5}]")),
    ),
    "NN227": (
        replaced(CIFAR10, ("cifar10}", "cifar10, prepare: [rescale]}")),
        replaced(CIFAR10, ("cifar10}", "cifar10, prepare: [rescale]}"), ("ResNet50}", "ResNet50, preprocess: false}")),
    ),
    "NN228": (
        replaced(PICTURES, ("digits}", "nowhere, classes: 10}")),
        replaced(PICTURES, ("digits}", "digits, classes: 10}")),
    ),
    "NN229": (
        replaced(BOSTON, ("{name: boston_housing,", "{name: csv, path: numbered.csv, target: y,")),
        replaced(BOSTON, ("{name: boston_housing,", "{name: csv, path: numbered.csv, target: y, types: {id: drop},")),
    ),
    "NN236": (
        replaced(BOSTON, ("{name: boston_housing,", "{name: csv, path: regions.csv, target: y,")),
        replaced(BOSTON, ("{name: boston_housing,", "{name: csv, path: regions.csv, target: y, types: {region: category},")),
    ),
    "NN238": (
        replaced(BOSTON, ("{name: boston_housing,", "{name: csv, path: words.csv, target: y, features: [a, city],")),
        replaced(BOSTON, ("{name: boston_housing,", "{name: csv, path: words.csv, target: y, features: [a],")),
    ),
    "NN239": (
        replaced(BOSTON, ("{name: boston_housing,", "{name: csv, path: words.csv, target: y, features: [b],")),
        replaced(BOSTON, ("{name: boston_housing,", "{name: csv, path: words.csv, target: y, features: [b], na_values: ['-999'],")).replace("standardize", "impute: median, standardize", 1),
    ),
    "NN232": (
        replaced(BOSTON, ("boston_housing", "california_housing")),
        replaced(BOSTON, ("boston_housing", "california_housing"), ("Dense: 1\n", "Dense: 1\n  - Rescaling: 100000\n")),
    ),
    "NN233": (AUGMENTED % "RandomBrightness: 0.2", AUGMENTED % "RandomBrightness: {factor: 0.2, value_range: [0, 1]}"),
    "NN242": (WINDOWS % "random", WINDOWS % "last"),
    "NN234": (AUGMENTED % "MixUp", AUGMENTED % "{RandomFlip: {mode: horizontal}}"),
}  # fmt: skip
# Warnings about rows, which only training reads.
OF_ROWS = {"NN206", "NN221", "NN222", "NN223", "NN231", "NN237", "NN240", "NN241"}
# Warnings about files that no shipped spec has.
OF_FILES = {"NN230"}
SPECS = sorted(specs.shipped_folder().glob("*.yaml"))


def test_every_warning_has_two_specs() -> None:
    assert {*CASES, *OF_FILES} == {*lint.RULES}
    assert {*CASES, *OF_FILES, *OF_ROWS} == {*warnings()}


@pytest.mark.parametrize("code", CASES)
def test_a_spec_causes_exactly_one_warning_and_a_similar_one_none(code, faults, tmp_path):
    """A spec can ignore its warnings."""
    rows = "".join(f"{at},{at % 7},{at % 5}.5\n" for at in range(60))
    (tmp_path / "numbered.csv").write_text(f"id,a,y\n{rows}", "utf-8")
    regions = "".join(f"{at % 7},{at % 5}.5\n" for at in range(60))
    (tmp_path / "regions.csv").write_text(f"region,y\n{regions}", "utf-8")
    words = "".join(
        f"{at % 7},{-999 if at % 9 == 0 else at % 11},{('Oslo', 'oslo', 'rome')[at % 3]},{at % 5}.5\n"
        for at in range(60)
    )
    (tmp_path / "words.csv").write_text(f"a,b,city,y\n{words}", "utf-8")
    text, similar = CASES[code]
    [fault] = faults(text)

    assert (fault.code, fault.is_warning) == (code, True)
    assert fault.place.line > 0
    assert faults(similar) == []
    assert faults(f"{text}lint: {{ignore: [{code}]}}\n") == []


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_shipped_specs_ignore_exactly_the_warnings_that_they_cause(
    path: Path, faults, tmp_path: Path
) -> None:
    """An unnecessary `ignore` would hide the next mistake."""
    text, _, ignore = path.read_text().partition("lint:")
    base = Path(os.path.relpath(path.parent, tmp_path)).as_posix()
    relative = text.replace("extends: ", f"extends: {base}/")

    assert lint.findings(spec_context(load(path).experiment)) == []
    assert not ignore or [fault.code for fault in faults(relative)] == re.findall(
        r"NN\d{3}", ignore
    )


@pytest.mark.parametrize("code", warnings())
def test_every_warning_has_a_reason_a_symptom_and_a_fix(code: str) -> None:
    rule = warnings()[code]

    assert all(
        text.endswith((".", "`")) for text in (rule.rule, rule.reason, rule.symptom, rule.fix)
    )


PIXELS = """\
dataset: {name: cifar10}
model: [%s, GlobalAveragePooling2D, Dense: {units: 10, activation: softmax}]
training: {optimizer: adam, loss: sparse_categorical_crossentropy, epochs: 5}
validation: {holdout: {size: 0.2}}
"""
CONV = "Conv2D: {filters: 8, kernel_size: 3, activation: relu}"
LINEAR_CONV = "Conv2D: {filters: 8, kernel_size: 3, use_bias: false}"
GATED = f"{DIGITS}expect: {{%s}}\n"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        # `rescale` divides: a factor instead of a divisor makes pixels larger.
        (replaced(DIGITS, ("rescale: 16", "rescale: 0.0039")), ["NN203"]),
        (replaced(DIGITS, ("rescale: 16", "rescale: 1")), ["NN203"]),
        (replaced(DIGITS, ("rescale: 16", "rescale: 4")), []),
        (PIXELS % CONV, ["NN203"]),
        (PIXELS % f"RandomFlip, RandomContrast: 0.1, Rescaling: 0.0039, {CONV}", []),
        (PIXELS % f"Rescaling: 255, {CONV}", ["NN203"]),
        (PIXELS % f"{LINEAR_CONV}, BatchNormalization, ReLU", []),
        (PIXELS % f"Dropout: 0.1, BatchNormalization, {CONV}", []),
        (CIFAR10, []),
        (AUGMENTED % "RandomContrast: {factor: 0.2, value_range: [0, 1]}", []),
        (AUGMENTED % "Rescaling: {scale: 2, offset: -1}, RandomBrightness: 0.2", ["NN233"]),
        (
            AUGMENTED
            % "RandomFlip, RandomBrightness: 0.2, Rescaling: 1".replace(
                "Flip", "Flip: {mode: horizontal}"
            ),
            ["NN233"],
        ),
        (replaced(AUGMENTED, ("rescale", "standardize")) % "RandomBrightness: 0.2", ["NN233"]),
        (
            replaced(AUGMENTED, (", prepare: [rescale]", ""))
            % "RandomBrightness: 0.2, Rescaling: 0.004",
            [],
        ),
        (
            replaced(AUGMENTED, (", prepare: [rescale]", ""))
            % "RandomBrightness: {factor: 0.2, value_range: [0, 1]}, Rescaling: 0.004",
            ["NN233"],
        ),
        (AUGMENTED % "RandomBrightness: {factor: 0.2, value_range: [0, null]}", []),
        (AUGMENTED % "RandomBrightness: {factor: 0.2, value_range: []}", []),
        (GATED % "test_accuracy: '>= 90'", ["NN224"]),
        (GATED % "test_loss: '< 0'", ["NN224"]),
        (GATED % "val_accuracy: '> 1'", ["NN224"]),
        (GATED % "test_accuracy: '< 0'", ["NN224"]),
        (GATED % "model_bytes: 1 MB", ["NN224"]),
        (GATED % "test_accuracy: 0.8 to 1", []),
        (GATED % "test_accuracy: 0.9991 to 0.9994", []),
        (GATED % "parameters: 4810", []),
        (GATED % "loss: '>= 2'", []),
        (replaced(DIGITS, ("optimizer: adam", "optimizer: {SGD: 0}")), ["NN212"]),
        (replaced(DIGITS, ("optimizer: adam", "optimizer: {SGD: -0.1}")), ["NN212"]),
    ],
)
def test_pixels_gates_and_learning_rates_are_judged_by_their_values(text, codes, faults):
    assert [fault.code for fault in faults(text)] == codes


def test_the_mistake_of_the_tutorial_is_explained(faults):
    """Many epochs at a loss of 2.3026 and an accuracy near 0.10."""
    [fault] = faults(replaced(DIGITS, LOGITS))

    assert (fault.code, fault.place.line) == ("NN201", 4)
    assert fault.message == (
        "sparse_categorical_crossentropy expects probabilities, but the model ends without softmax "
        "or sigmoid, in logits: training will stall; add activation: softmax, or from_logits: true "
        "to the loss"
    )
    assert "2.3026" in warnings()["NN201"].symptom


@pytest.mark.parametrize("is_open", [False, True])
def test_large_values_of_users_are_reported(is_open: bool, tmp_path: Path) -> None:
    """From the profile, or once the rows are read if `check` could not read all of them."""
    x = np.arange(60.0)[:, None]
    np.savez(tmp_path / "d.npz", x=x, y=x[:, 0] * 1e4)
    dataset = f"{{name: npz, path: {tmp_path}/d.npz, prepare: [standardize]}}"
    path = tmp_path / "s.yaml"
    path.write_text(replaced(BOSTON, ("{name: boston_housing, prepare: [standardize]}", dataset)))
    spec = load(path).experiment
    rows = datasets.load(spec.dataset)
    if is_open:
        (tmp_path / "d.npz").unlink()
    found = inputs.spec_warnings(spec, rows)

    assert [problem.code for problem in found] == ["NN232"]
    assert found[0].message.startswith("the values to predict are about 3")
    assert "Rescaling: 100000" in found[0].message


CODES_OR_NOT = [
    ("zip", [f"{at % 20:05d}" for at in range(60)], "zip: category", "00000"),
    ("a", [f"{at % 20:03d}" for at in range(60)], "a: category", "000"),
    ("customer_id", [7 * at + 3 for at in range(60)], "customer_id: drop", "3"),
    ("storeId", [at % 5 for at in range(60)], "storeId: category", "0"),
    ("region code", [at % 5 for at in range(60)], "'region code': category", "0"),
    ("day", [20240101 + at for at in range(28)] + [20240201] * 32, "day: category", "20240101"),
    ("day", [20240101 + 5 * at for at in range(60)], "", ""),
    ("humidity", [at % 5 for at in range(60)], "", ""),
    ("encode", [at % 5 for at in range(60)], "", ""),
    ("id", [at % 2 for at in range(60)], "", ""),
    ("code", [at % 5 - 2 for at in range(60)], "", ""),
    ("code", [at % 5 + 0.5 for at in range(60)], "", ""),
    ("cylinders", [(4, 6, 8)[at % 3] for at in range(60)], "", ""),
    ("model_year", [70 + at % 9 for at in range(60)], "", ""),
]


@pytest.mark.parametrize(("name", "cells", "types", "example"), CODES_OR_NOT)
@pytest.mark.parametrize("rows", [60, 1_200_000])
def test_whole_numbers_that_look_like_codes(
    name: str, cells: list, types: str, example: str, rows: int, faults, tmp_path: Path
) -> None:
    """By zeros before them or the name of the column; also where only a sample is read."""
    lines = "".join(f"{cell},{at % 5}.5\n" for at, cell in enumerate(cells))
    (tmp_path / "d.csv").write_text(f"{name},y\n{lines * (rows // 60)}", "utf-8")
    dataset = "{name: csv, path: d.csv, target: y, prepare: [standardize]}"
    found = faults(replaced(BOSTON, ("{name: boston_housing, prepare: [standardize]}", dataset)))

    messages = [
        f"column '{name}' holds numbers that look like codes or dates, such as {example}; write "
        f"types: {{{types}}}, or number if they are amounts"
    ]
    expected = messages if types else []
    if rows > 60:
        expected = [message.replace(": drop}", ": category}") for message in expected]
    assert [fault.message for fault in found] == expected
