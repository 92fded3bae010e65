"""A person's own data are looked for before anything is loaded, and none of them is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnrun import check
from nnrun.spec.loading import load

SPEC = """\
dataset: {name: images, path: pets, image_size: [8, 8], prepare: [rescale]}
model: [Flatten, Dense: {units: 2, activation: softmax}]
training: {optimizer: adam, loss: sparse_categorical_crossentropy, epochs: 2}
validation: {holdout: {size: 0.2}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the spec will stand, with pictures of pets to train and to test on."""
    for name in (
        "pets/cat",
        "pets/dog",
        "pets/.cache",
        "held-back/dog",
        "strange/horse",
        "one/cat",
    ):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "pets.zip").touch()
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("path: pests", "NN127 dataset.path: '{}/pests' is not there; did you mean 'pets'?"),
        ("path: loop", "NN127 dataset.path: '{}/loop' is not there; did you mean 'loop'?"),
        ("path: ~no-such-person/pets", "NN127 dataset.path: '{}/~no-such-person/pets' is not there"),
        ("path: pets.zip", "NN127 dataset.path: '{}/pets.zip' is a file, and images must be in "
         "one folder per class"),
        ("path: one", "NN127 dataset.path: holds 1 folder, and images need at least two, one "
         "per class"),
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
def test_what_is_missing_or_another_is_told_with_its_place(data, told, folder, faults):
    [fault] = faults(SPEC.replace("path: pets", data))

    assert f"{fault.code} {fault.path}: {fault.message}" == told.format(folder)
    assert fault.place.line == 1


def test_a_name_that_no_file_can_have_is_not_there(folder, faults):
    """The file system refuses to look for it."""
    [fault] = faults(SPEC.replace("path: pets", f"path: {'x' * 5000}"))

    assert (fault.code, fault.path) == ("NN127", "dataset.path")


@pytest.mark.parametrize("data", ["path: pets", "path: pets, test: held-back", "path: ./pets/"])
def test_what_is_there_is_left_in_peace(data, folder, faults):
    """A class may be missing among the pictures to test on, and hidden folders are none."""
    assert faults(SPEC.replace("path: pets", data)) == []


def test_classes_are_counted_where_the_spec_does_not_say_how_many(folder, faults):
    [fault] = faults(SPEC.replace("units: 2", "units: 3"))

    assert fault.message == "the model has 3 outputs, but images has 2 classes: units must be 2"


def test_what_is_missing_hides_what_would_follow_from_it(folder, faults):
    """Without the folder nobody knows how many classes there are, so units can't be wrong."""
    found = faults(SPEC.replace("path: pets", "path: pests").replace("units: 2", "units: 7"))

    assert [fault.code for fault in found] == ["NN127"]


def test_a_check_reads_no_picture(folder: Path):
    """A folder may hold a million of them."""
    (folder / "pets" / "cat" / "1.png").write_bytes(b"no picture at all")
    (folder / "x.yaml").write_text(SPEC, "utf-8")

    assert check.faults(load(folder / "x.yaml")) == ()
