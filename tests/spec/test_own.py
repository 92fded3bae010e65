"""Where a person's own data are: as seen from the file in which the path stands."""

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

Written = Callable[[str, str], Path]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Written:
    """Writes a spec; the working directory is another folder than that of any spec."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    return write


def found(path: Path, *overrides: str) -> str:
    dataset = load(path, overrides=overrides).experiment.dataset
    return str(dataset.path)


def test_a_path_is_seen_from_the_file_in_which_it_stands(written: Written, tmp_path: Path):
    assert found(written("specs/a.yaml", SPEC)) == f"{tmp_path}/specs/pets"


def test_it_does_not_matter_how_the_file_is_named(written: Written, tmp_path: Path):
    written("specs/a.yaml", SPEC)

    assert found(Path("specs/a.yaml")) == found(Path("./specs/../specs/a.yaml"))


def test_what_is_extended_keeps_the_file_in_which_it_stands(written: Written, tmp_path: Path):
    """`test` stands in the file on top, `path` in the one below, in another folder."""
    written("base/a.yaml", SPEC)
    over = written("specs/b.yaml", "extends: ../base/a.yaml\ndataset: {test: held-back}\n")
    dataset = load(over).experiment.dataset

    assert dataset.path == f"{tmp_path}/base/pets"
    assert dataset.test == f"{tmp_path}/specs/held-back"


def test_what_is_set_is_seen_from_the_working_directory(written: Written, tmp_path: Path):
    """As any path that is typed in a shell."""
    path = written("specs/a.yaml", SPEC)

    assert found(path, "dataset.path=mine") == f"{tmp_path}/mine"
    assert found(path, "dataset.classes=3") == f"{tmp_path}/specs/pets"


@pytest.mark.parametrize("given", ["/data/pets", "/data/other/../pets"])
def test_a_whole_path_is_left_as_it_is(given: str, written: Written):
    assert found(written("a.yaml", SPEC.replace("path: pets", f"path: {given}"))) == "/data/pets"


def test_a_tilde_is_the_home_of_whoever_runs_it(written: Written, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/me")

    assert found(written("a.yaml", SPEC.replace("path: pets", "path: ~/pets"))) == "/home/me/pets"


def test_what_a_run_writes_down_means_the_same_anywhere(written: Written, tmp_path: Path):
    """`nnrun train RUN/spec.yaml` repeats the run, from whichever folder."""
    experiment = load(written("specs/a.yaml", SPEC)).experiment
    again = written("run/spec.yaml", dump(experiment))

    assert load(again).experiment.dataset == experiment.dataset


@pytest.mark.parametrize("name", ["loop", "~no-such-person/pets", "x" * 5000, "süß/猫"])
def test_any_name_can_be_read(name: str, written: Written, tmp_path: Path):
    """Whether there is such a folder is looked at later."""
    (tmp_path / "loop").symlink_to("loop")

    assert found(written("a.yaml", SPEC.replace("path: pets", f"path: {name}"))).endswith(name)
