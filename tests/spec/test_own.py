"""A path of user data is relative to the file that contains it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nnrun.spec.dumping import dump
from nnrun.spec.loading import load

SPEC = """\
dataset: {name: images, path: pets, image_size: [8, 8], classes: 2}
model: [Flatten, Dense: {units: 2, activation: softmax}]
training: {optimizer: adam, loss: sparse_categorical_crossentropy, epochs: 2}
"""
Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a spec below the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    return write


def loaded_path(path: Path, *overrides: str) -> str:
    return str(load(path, overrides=overrides).experiment.dataset.path)


@pytest.mark.parametrize(
    ("path", "absolute"),
    [
        ("pets", "{folder}/specs/pets"),
        ("/data/pets", "/data/pets"),
        ("/data/other/../pets", "/data/pets"),
        ("~/pets", "/home/me/pets"),
        ("loop", "{folder}/specs/loop"),
        ("~no-such-user/pets", "{folder}/specs/~no-such-user/pets"),
        ("x" * 5000, "{folder}/specs/" + "x" * 5000),
        ("süß/猫", "{folder}/specs/süß/猫"),
    ],
    ids=lambda path: path[:20],
)
def test_a_path_is_relative_to_its_file(
    path: str, absolute: str, write: Write, tmp_path: Path
) -> None:
    """Whether the path exists is checked later."""
    spec = write("specs/a.yaml", SPEC.replace("path: pets", f"path: {path}"))
    (tmp_path / "specs/loop").symlink_to("loop")

    assert loaded_path(spec) == absolute.format(folder=tmp_path)


def test_a_path_does_not_depend_on_how_the_spec_is_named(write: Write) -> None:
    path = write("specs/a.yaml", SPEC)

    assert loaded_path(Path("./specs/../specs/a.yaml")) == loaded_path(path)


def test_an_inherited_path_is_relative_to_the_file_below(write: Write, tmp_path: Path) -> None:
    write("base/a.yaml", SPEC)
    over = write("specs/b.yaml", "extends: ../base/a.yaml\ndataset: {test: held-back}\n")
    dataset = load(over).experiment.dataset

    assert dataset.path == f"{tmp_path}/base/pets"
    assert dataset.test == f"{tmp_path}/specs/held-back"


def test_a_path_of_an_override_is_relative_to_the_working_directory(
    write: Write, tmp_path: Path
) -> None:
    path = write("specs/a.yaml", SPEC)

    assert loaded_path(path, "dataset.path=mine") == f"{tmp_path}/mine"
    assert loaded_path(path, "dataset.classes=3") == f"{tmp_path}/specs/pets"


def test_the_spec_of_a_run_can_be_loaded_from_any_folder(write: Write) -> None:
    experiment = load(write("specs/a.yaml", SPEC)).experiment
    copy = write("run/spec.yaml", dump(experiment))

    assert load(copy).experiment.dataset == experiment.dataset
