"""User data are checked before anything heavy is loaded, and images are not read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnrun.errors import SpecError

IMAGES = """\
dataset: {name: images, path: pets, image_size: [8, 8], prepare: [rescale]}
model: [Flatten, Dense: {units: 2, activation: softmax}]
training: {optimizer: adam, loss: sparse_categorical_crossentropy, epochs: 2}
validation: {holdout: {size: 0.2}}
"""
TABLE = """\
dataset: {name: csv, path: cars.csv, target: mpg}
model: [Dense: {units: 1}]
training: {optimizer: adam, loss: mse, epochs: 2}
validation: {holdout: {size: 0.2}}
"""
TEXTS = """\
dataset: {name: text, path: texts.csv, prepare: [vectorize: 100]}
model: [Dense: {units: 2, activation: softmax}]
training: {optimizer: adam, loss: sparse_categorical_crossentropy, epochs: 2}
validation: {holdout: {size: 0.2}}
"""
CARS = "weight,context,mpg\n" + "".join(
    f"{1000 + row},{'eu' if row % 2 else 'us'},{row % 7}\n" for row in range(40)
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the spec, with images, tables and texts."""
    for name in ("pets/cat", "pets/dog", "pets/.cache", "held-back/dog", "strange/horse", "one/a"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "pets" / "cat" / "1.png").write_bytes(b"not an image")
    (tmp_path / "pets.zip").touch()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "cars.csv").write_text(CARS, "utf-8")
    (tmp_path / "holes.csv").write_text(CARS.replace("1003,", ",").replace("1005,", "NA,"), "utf-8")
    (tmp_path / "unlabelled.csv").write_text(CARS.replace("eu,3\n", "eu,\n", 1), "utf-8")
    (tmp_path / "ragged.csv").write_text(f"{CARS}1,2\n", "utf-8")
    (tmp_path / "empty.csv").touch()
    (tmp_path / "texts.csv").write_text("text,label\n" + "it is,yes\nit is not,no\n" * 20, "utf-8")
    (tmp_path / "cars.xlsx").write_bytes(b"PK")
    return tmp_path


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("path: pests", "NN127 dataset.path: '{}/pests' is not there; did you mean 'pets'?"),
        ("path: loop", "NN127 dataset.path: '{}/loop' is not there; did you mean 'loop'?"),
        ("path: ~no-such-user/x", "NN127 dataset.path: '{}/~no-such-user/x' is not there"),
        ("path: pets.zip", "NN127 dataset.path: '{}/pets.zip' is a file, and images must be in "
         "one folder per class"),
        ("path: one", "NN127 dataset.path: holds 1 folder, and needs at least two, one per "
         "class"),
        ("path: pets, classes: 3", "NN127 dataset.classes: is 3, but there are 2 folders in "
         "{}/pets"),
        ("path: pets, test: held-bag", "NN127 dataset.test: '{}/held-bag' is not there; did you "
         "mean 'held-back'?"),
        ("path: pets, test: strange", "NN127 dataset.test: holds 'horse', which {}/pets does not"),
        ("path: pests, classes: 2", "NN228 dataset.path: '{}/pests' is not there; did you mean "
         "'pets'?"),
        ("path: pets, classes: 2, test: held-bag", "NN228 dataset.test: '{}/held-bag' is not "
         "there; did you mean 'held-back'?"),
    ],
)  # fmt: skip
def test_wrong_images_are_reported_with_their_place(data, expected, folder, faults):
    [fault] = faults(IMAGES.replace("path: pets", data))

    assert f"{fault.code} {fault.path}: {fault.message}" == expected.format(folder)
    assert fault.place.line == 1


DIVIDED = {
    "train and test": ("train/cat train/dog test/cat test/dog", "holds test and train, and the class "
                       "folders are in it; write path: '{0}/train' and test: '{0}/test'"),
    "other names": ("Training/a Training/b valid/a valid/b masks", "holds Training, masks and valid, "
                    "and the class folders are in it; write path: '{0}/Training' and test: "
                    "'{0}/valid'"),
    "one folder": ("unpacked/cat unpacked/dog __MACOSX/unpacked", "holds unpacked, and the class "
                   "folders are in it; write path: '{0}/unpacked'"),
    "two levels": ("a/train/cat a/train/dog a/test/cat", "holds a, and the class folders are in it; "
                   "write path: '{0}/a/train' and test: '{0}/a/test'"),
    "within classes": ("cat/train cat/test dog/train dog/test", "holds training and test rows within "
                       "each class; move them, such as cat/train to train/cat and cat/test to "
                       "test/cat, and write path: and test:"),
}  # fmt: skip


@pytest.mark.parametrize("case", DIVIDED)
@pytest.mark.parametrize("name", ["images", "text"])
def test_folders_of_training_and_test_rows_are_not_classes(name, case, folder, faults):
    """Otherwise a model learns to tell training rows from test rows."""
    folders, message = DIVIDED[case]
    for inner in folders.split():
        (folder / "data" / inner).mkdir(parents=True)
    spec = IMAGES.replace("path: pets", "path: data") if name == "images" else TEXTS
    [fault] = faults(spec.replace("path: texts.csv", "path: data"))

    assert (fault.code, fault.path) == ("NN127", "dataset.path")
    assert fault.message == message.format(folder / "data")


def test_images_beside_the_class_folders_are_reported(folder, faults):
    """They would be left out without a word."""
    (folder / "pets" / "b.JPG").touch()
    (folder / "pets" / "bird").symlink_to("gone")
    (folder / "pets" / "notes.txt").touch()
    [fault] = faults(IMAGES)

    assert f"{fault.code} {fault.path}: {fault.message}" == (
        "NN230 dataset.path: 'b.JPG' and 1 more beside the class folders is not used; move it into "
        "the folder of its class"
    )


def test_a_path_that_the_file_system_rejects_is_missing(folder, faults):
    [fault] = faults(IMAGES.replace("path: pets", f"path: {'x' * 5000}"))

    assert (fault.code, fault.path) == ("NN127", "dataset.path")


@pytest.mark.parametrize("data", ["path: pets", "path: pets, test: held-back", "path: ./pets/"])
def test_valid_images_are_accepted(data, folder, faults):
    """A class may be missing among the test images, hidden folders are ignored, files not read."""
    assert faults(IMAGES.replace("path: pets", data)) == []


def test_missing_data_hide_errors_that_depend_on_them(folder, faults):
    """Without the folder the number of classes is unknown."""
    found = faults(IMAGES.replace("path: pets", "path: pests").replace("units: 2", "units: 7"))

    assert [fault.code for fault in found] == ["NN127"]


@pytest.mark.parametrize(
    ("spec", "data", "expected"),
    [
        (TABLE, "path: carts.csv, target: mpg", "path: '{}/carts.csv' is not there; did you mean "
         "'cars.csv'?"),
        (TABLE, "path: cars.csv, target: mgp", "target: there is no column 'mgp'; did you mean "
         "'mpg'?"),
        (TABLE, "path: cars.csv, target: mpg, features: [weigth]", "features[0]: there is no column "
         "'weigth'; did you mean 'weight'?"),
        (TABLE, "path: cars.csv, target: mpg, features: [mpg]", "features: 'mpg' is the target too"),
        (TABLE, "path: holes.csv, target: mpg", "path: 'weight' has no value on line 5 and 1 more; "
         "fill it with prepare: [impute: median], or leave it out of features"),
        (TABLE, "path: unlabelled.csv, target: mpg, prepare: [impute: mean]", "path: 'mpg', the "
         "target, has no value on line 5"),
        (TABLE, "path: ragged.csv, target: mpg", "path: ragged.csv: line 42 has 2 cells, but the "
         "header has 3"),
        (TABLE, "path: empty.csv, target: mpg", "path: empty.csv: is empty; a table begins with its "
         "column names"),
        (TABLE, "path: cars.xlsx, target: mpg", "path: must end in .csv, .tsv or .txt"),
        (TABLE, "path: cars.csv, target: mpg, test: carts.csv", "test: '{}/carts.csv' is not there; "
         "did you mean 'cars.csv'?"),
        (TEXTS, "path: texts.csv, text: txt", "text: there is no column 'txt'; did you mean 'text'?"),
        (TEXTS, "path: texts.csv, target: labels", "target: there is no column 'labels'; did you mean "
         "'label'?"),
        (TEXTS, "path: cars.xlsx", "path: must be a folder, or end in .csv, .tsv or .txt"),
        (TEXTS, "path: one", "path: holds 1 folder, and needs at least two, one "
         "per class"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_reported_with_its_place(spec, data, expected, folder, faults):
    given = "path: cars.csv, target: mpg" if spec is TABLE else "path: texts.csv"
    [fault] = faults(spec.replace(given, data))

    assert (
        f"{fault.code} {fault.path}: {fault.message}" == f"NN127 dataset.{expected.format(folder)}"
    )
    assert fault.place.line == 1


@pytest.mark.parametrize(
    "data",
    [
        "path: cars.csv, target: mpg",
        "path: holes.csv, target: mpg, features: [context]",
        "path: holes.csv, target: mpg, prepare: [impute: median]",
    ],
)
def test_a_valid_table_is_accepted(data, folder, faults):
    found = faults(TABLE.replace("path: cars.csv, target: mpg", data))

    assert all(fault.is_warning for fault in found)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            IMAGES.replace("units: 2", "units: 3"),
            "the model has 3 outputs, but images has 2 classes: units must be 2",
        ),
        (
            TEXTS.replace("units: 2", "units: 3"),
            "the model has 3 outputs, but text has 2 classes: units must be 2",
        ),
        (
            TABLE.replace("loss: mse", "loss: sparse_categorical_crossentropy"),
            "sparse_categorical_crossentropy needs classes, but csv has a number per row (mpg); "
            "write task: classification in dataset, or use a loss such as mse",
        ),
    ],
)
def test_classes_are_known_from_the_files(spec, expected, folder, faults):
    assert expected in [fault.message for fault in faults(spec)]


ARRAYS = """\
dataset: {name: npz, path: rows.npz}
model: [Dense: {units: 3, activation: softmax}]
training:
  {optimizer: adam, loss: sparse_categorical_crossentropy, epochs: 2, class_weight: {7: 2}}
validation: {holdout: {size: 0.2, stratify: true}, kfold: {folds: 3, shuffle: true, stratify: true}}
"""


@pytest.mark.parametrize(
    ("arrays", "key", "expected"),
    [
        (None, "dataset.path", "rows.npz: is no archive of plain arrays: File is not a zip file"),
        ({"x": np.ones((9, 2))}, "dataset.path",
         "rows.npz: must hold the arrays x_train, y_train, x_test, y_test, or x and y; there are x"),
        ({"x": np.ones((9, 2)), "y": np.arange(9) - 1}, "dataset.path",
         "rows.npz: classes are whole numbers from 0"),
        ({"x": np.ones((9, 2, 2)), "y": np.arange(9) % 3}, "model[0]",
         "the output has shape (2, 3) per row, but a label is one number; a Flatten or pooling "
         "layer may be missing"),
        ({"x": np.ones((9, 2)), "y": np.arange(9) % 4}, "model[0]",
         "the model has 3 outputs, but npz has 4 classes: units must be 4"),
        ({"x": np.ones((9, 2)), "y": np.arange(9) / 2}, "training.loss",
         "sparse_categorical_crossentropy needs classes, but npz has a number per row (values); write "
         "task: classification in dataset, or use a loss such as mse"),
    ],
)  # fmt: skip
def test_arrays_are_checked_by_their_headers_and_labels(arrays, key, expected, folder, faults):
    """The rows themselves are read by training only."""
    (folder / "rows.npz").write_bytes(b"PK")
    if arrays:
        np.savez(folder / "rows.npz", **arrays)
    spec = ARRAYS.replace(", class_weight: {7: 2}", "").split("validation:")[0]

    assert [(fault.path, fault.message) for fault in faults(spec)][:1] == [(key, expected)]


def test_an_embedding_needs_a_row_for_each_code(folder, faults):
    """TensorFlow would read beyond the table of the layer, or end in an error."""
    spec = """\
dataset: {name: csv, path: c.csv, target: kind, categories: codes}
model: [Embedding: {input_dim: 6, output_dim: 2}, Flatten, Dense: {units: 1, activation: sigmoid}]
training: {optimizer: adam, loss: binary_crossentropy, epochs: 2}
"""
    rows = "".join(f"{'rgb'[row % 3]},{'wxyz'[row % 4]},{'ny'[row % 2]}\n" for row in range(60))
    (folder / "c.csv").write_text(f"colour,place,kind\n{rows}", "utf-8")

    [fault] = faults(spec)
    assert fault.message == "input_dim is 6, but the codes go up to 6; write 7"
    assert all(fault.is_warning for fault in faults(spec.replace("input_dim: 6", "input_dim: 7")))


def test_a_package_that_is_missing_is_named(folder, faults, monkeypatch):
    """Training would say so only after the data are read."""
    monkeypatch.setattr("nnrun.check.training.find_spec", lambda name: None)
    (folder / "rows.npz").write_bytes(b"")
    np.savez(folder / "rows.npz", x=np.ones((9, 2)), y=np.arange(9) % 3)
    spec = ARRAYS.replace(", class_weight: {7: 2}", ", callbacks: [TensorBoard]")

    message = "TensorBoard: needs a package that is not installed: pip install 'nnrun[tensorboard]'"
    assert message in [fault.message for fault in faults(spec.split("validation:")[0])]


def test_class_weights_may_use_names_that_are_numbers(folder, faults):
    """The names of the classes of a table are unknown to `check`; 7 is not the seventh class."""
    spec = ARRAYS.replace("{name: npz, path: rows.npz}", "{name: csv, path: c.csv, target: kind}")
    rows = "".join(f"{row},{['a', 'b', '7'][row % 3]}\n" for row in range(30))
    (folder / "c.csv").write_text(f"size,kind\n{rows}", "utf-8")

    assert all(fault.is_warning for fault in faults(spec))


@pytest.mark.parametrize(
    ("spec", "data", "expected"),
    [
        (TABLE, "path: cars.csv, validation: car.csv",
         "NN127 dataset.validation: '{}/car.csv' is not there; did you mean 'cars.csv'?"),
        (TABLE, "path: cars.csv, validation: unlabelled.csv",
         "NN127 dataset.validation: 'mpg', the target, has no value on line 5"),
        (TABLE, "path: cars.csv, validation: cars.csv",
         "NN120 validation.holdout: `dataset.validation` names the validation rows; remove one of "
         "both"),
        (IMAGES, "path: pets, validation: strange",
         "NN127 dataset.validation: holds 'horse', which {}/pets does not"),
    ],
)  # fmt: skip
def test_validation_rows_of_another_file_are_checked(spec, data, expected, folder, faults):
    old = "path: cars.csv" if spec is TABLE else "path: pets"
    found = [fault for fault in faults(spec.replace(old, data)) if not fault.is_warning]

    assert expected.format(folder) in [f"{f.code} {f.path}: {f.message}" for f in found]


@pytest.mark.parametrize("key", ["validation: cars.csv", "split: context"])
def test_named_validation_rows_are_watched(key, folder, faults):
    """Callbacks may monitor them, and there is no warning that they are missing."""
    text = TABLE.replace("path: cars.csv", f"path: cars.csv, {key}").partition("validation: {")[0]
    text = text.replace("epochs: 2", "epochs: 2, callbacks: [EarlyStopping: {monitor: val_loss}]")

    assert {"NN213", "NN125"}.isdisjoint(fault.code for fault in faults(text))


def test_several_test_sets_are_checked(folder, faults):
    text = TABLE.replace("path: cars.csv", "path: cars.csv, test: {a: cars.csv, b: car.csv}")
    text += "expect: {test_a_loss: '<= 1', test_c_loss: '<= 1'}\n"
    missing, gate = faults(text)

    assert (missing.path, missing.place.column) == ("dataset.test.b", 61)
    assert missing.message == f"'{folder}/car.csv' is not there; did you mean 'cars.csv'?"
    assert (gate.code, gate.path, gate.suggestion) == ("NN119", "expect.test_c_loss", "test_a_loss")


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("[a.csv]", "test: must be the path of a file or a folder, or several by name such as "
         "{autumn: a.csv, winter: b.csv}, got a list"),
        ("{1x: cars.csv}", "test.1x: must be a name of letters, digits, '_' or '-', with the path of "
         "a file or a folder, got '1x'"),
        ("{a: 3}", "test.a: must be a name of letters, digits, '_' or '-', with the path of a file "
         "or a folder, got 3"),
    ],
)  # fmt: skip
def test_test_sets_without_names_or_paths_are_refused(test, expected, folder, faults):
    with pytest.raises(SpecError) as caught:
        faults(TABLE.replace("path: cars.csv", f"path: cars.csv, test: {test}"))
    [fault] = caught.value.faults

    assert f"{fault.path}: {fault.message}" == f"dataset.{expected}"
