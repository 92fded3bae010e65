"""A table or texts of a person's own are looked through before anything heavy is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

SPEC = """\
dataset: {name: csv, path: cars.csv, target: mpg}
model: [Dense: {units: 1}]
training: {optimizer: adam, loss: mse, epochs: 2}
validation: {holdout: {size: 0.2}}
"""
TEXTS = """\
dataset: {name: text, path: said.csv, prepare: [vectorize: 100]}
model: [Dense: {units: 2, activation: softmax}]
training: {optimizer: adam, loss: sparse_categorical_crossentropy, epochs: 2}
validation: {holdout: {size: 0.2}}
"""
CARS = "weight,context,mpg\n" + "".join(
    f"{1000 + row},{'eu' if row % 2 else 'us'},{row % 7}\n" for row in range(40)
)
SAID = "text,label\n" + "so it is,yes\nit is not,no\n" * 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cars.csv").write_text(CARS, "utf-8")
    (tmp_path / "holes.csv").write_text(CARS.replace("1003,", ",").replace("1005,", "NA,"), "utf-8")
    (tmp_path / "unlabelled.csv").write_text(CARS.replace("eu,3\n", "eu,\n", 1), "utf-8")
    (tmp_path / "ragged.csv").write_text(f"{CARS}1,2\n", "utf-8")
    (tmp_path / "empty.csv").touch()
    (tmp_path / "said.csv").write_text(SAID, "utf-8")
    (tmp_path / "cars.xlsx").write_bytes(b"PK")
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("path: carts.csv, target: mpg", "path: '{}/carts.csv' is not there; did you mean "
         "'cars.csv'?"),
        ("path: cars.csv, target: mgp", "target: there is no column 'mgp'; did you mean 'mpg'?"),
        ("path: cars.csv, target: mpg, features: [weigth]", "features[0]: there is no column 'weigth'; "
         "did you mean 'weight'?"),
        ("path: cars.csv, target: mpg, features: [mpg]", "features: 'mpg' is the target too"),
        ("path: holes.csv, target: mpg", "path: 'weight', has no value on line 5 and 1 more; fill "
         "it with prepare: [impute: median], or leave it out of features"),
        ("path: unlabelled.csv, target: mpg, prepare: [impute: mean]", "path: 'mpg', the target, "
         "has no value on line 5"),
        ("path: ragged.csv, target: mpg", "path: ragged.csv: line 42 has 2 cells, but the header has 3"),
        ("path: empty.csv, target: mpg", "path: empty.csv: is empty; a table begins with its "
         "column names"),
        ("path: cars.xlsx, target: mpg", "path: must end in .csv, .tsv or .txt"),
        ("path: cars.csv, target: mpg, test: carts.csv", "test: '{}/carts.csv' is not there; did "
         "you mean 'cars.csv'?"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_table_is_told_with_its_place(data, told, folder, faults):
    [fault] = faults(SPEC.replace("path: cars.csv, target: mpg", data))

    assert f"{fault.code} {fault.path}: {fault.message}" == f"NN127 dataset.{told.format(folder)}"
    assert fault.place.line == 1


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("path: said.csv, text: txt", "text: there is no column 'txt'; did you mean 'text'?"),
        ("path: said.csv, target: labels", "target: there is no column 'labels'; did you mean "
         "'label'?"),
        ("path: cars.xlsx", "path: must be a folder, or end in .csv, .tsv or .txt"),
        ("path: folder", "path: needs at least two folders, one per class"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_texts_is_told_with_its_place(data, told, folder, faults):
    [fault] = faults(TEXTS.replace("path: said.csv", data))

    assert f"{fault.code} {fault.path}: {fault.message}" == f"NN127 dataset.{told}"


@pytest.mark.parametrize(
    "data",
    ["path: cars.csv, target: mpg", "path: holes.csv, target: mpg, features: [context]",
     "path: holes.csv, target: mpg, prepare: [impute: median]"],
)  # fmt: skip
def test_a_table_that_is_as_the_spec_says_is_left_in_peace(data, folder, faults):
    found = faults(SPEC.replace("path: cars.csv, target: mpg", data))

    assert [fault.code for fault in found if fault.code < "NN2"] == []


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (TEXTS.replace("units: 2", "units: 3"), "the model has 3 outputs, but text has 2 classes: units "
         "must be 2"),
        (SPEC.replace("loss: mse", "loss: sparse_categorical_crossentropy"),
         "sparse_categorical_crossentropy needs classes, but csv has a number per row (mpg); use a "
         "loss such as mse"),
    ],
)  # fmt: skip
def test_classes_are_known_from_the_file(spec, told, folder, faults):
    assert told in [fault.message for fault in faults(spec)]


ARRAYS = """\
dataset: {name: npz, path: rows.npz}
model: [Dense: {units: 3, activation: softmax}]
training:
  {optimizer: adam, loss: sparse_categorical_crossentropy, epochs: 2, class_weight: {7: 2}}
validation: {holdout: {size: 0.2, stratify: true}, kfold: {folds: 3, shuffle: true, stratify: true}}
"""


def test_of_what_only_training_reads_nothing_is_claimed(folder, faults):
    """Whether there are classes is not known, so they can be neither missing nor too many."""
    (folder / "rows.npz").write_bytes(b"PK")

    assert faults(ARRAYS) == []


def test_classes_may_be_weighed_by_names_that_are_numbers(folder, faults):
    """What the classes of a table are called only its reader knows; 7 is not the seventh."""
    spec = ARRAYS.replace("{name: npz, path: rows.npz}", "{name: csv, path: c.csv, target: kind}")
    rows = "".join(f"{row},{['a', 'b', '7'][row % 3]}\n" for row in range(30))
    (folder / "c.csv").write_text(f"size,kind\n{rows}", "utf-8")

    assert [fault.code for fault in faults(spec) if fault.code < "NN2"] == []
