"""A training that was stopped or killed goes on to the same bytes, and to more epochs if asked."""

from __future__ import annotations

import io
import json
import shutil
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nnrun.runs import Run, layout, reopen

SPEC = """\
name: resumed
dataset: {name: digits, prepare: [{rescale: 16}, flatten]}
model:
  - Dense: {units: 16, activation: relu}
  - Dropout: 0.2
  - Dense: {units: 10, activation: softmax}
training:
  optimizer: adam
  loss: sparse_categorical_crossentropy
  metrics: [accuracy]
  epochs: 60
  callbacks: CALLBACKS
validation: {holdout: {size: 300}}
"""
CARRYING = (
    "[{CSVLogger: log.csv}, {ReduceLROnPlateau: {patience: 2}}, "
    "{EarlyStopping: {patience: 50, restore_best_weights: true}}]"
)


def weights(run: Run) -> dict[str, bytes]:
    """All arrays of the model: weights, seeds, the optimizer's state."""
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(run.path / layout.MODEL) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = np.asarray(item[()]).tobytes()

    with h5py.File(content) as file:
        file.visititems(visit)
    return found


def check_same(run: Run, whole: Run, *names: str) -> None:
    for name in (layout.HISTORY, layout.JOURNAL, layout.PREDICTIONS, *names):
        assert (run.path / name).read_bytes() == (whole.path / name).read_bytes()
    assert weights(run) == weights(whole)
    timeless = [{**each.read_json(layout.METRICS), "seconds": None} for each in (run, whole)]
    assert timeless[0] == timeless[1]


def spec(folder: Path, callbacks: str) -> Path:
    path = folder / "resumed.yaml"
    path.write_text(SPEC.replace("CALLBACKS", callbacks))
    return path


def only(root: Path) -> Run:
    return Run(next(root.iterdir()))


@pytest.fixture(scope="module")
def carrying(tmp_path_factory: Any) -> Path:
    """A spec whose callbacks remember."""
    return spec(tmp_path_factory.mktemp("carrying"), CARRYING)


@pytest.fixture(scope="module")
def whole(nnrun: Any, carrying: Path, tmp_path_factory: Any) -> Run:
    """Never stopped."""
    root = tmp_path_factory.mktemp("whole")
    assert nnrun("train", carrying, "--runs", root).returncode == 0
    return only(root)


@pytest.fixture(scope="module")
def killed(started: Any, wait_for: Any, carrying: Path, tmp_path_factory: Any) -> Run:
    """Killed after some epochs, of which a checkpoint is there."""
    root = tmp_path_factory.mktemp("killed")
    process = started("train", carrying, "--runs", root)
    wait_for(lambda: len(list(root.glob("*/checkpoint/epoch-*.npz"))) == 2)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert only(root).status() == layout.CRASHED
    return only(root)


def copy(run: Run, folder: Path) -> Run:
    return Run(Path(shutil.copytree(run.path, folder / run.path.name)))


def checkpoints(run: Run) -> list[int]:
    found = (run.path / layout.CHECKPOINT).glob("epoch-*.npz")
    return sorted(int(path.stem.removeprefix("epoch-")) for path in found)


def test_a_killed_run_goes_on_to_the_same_bytes(
    killed: Run, whole: Run, nnrun: Any, tmp_path: Path
) -> None:
    """And trains no epoch again that the checkpoint holds."""
    run = copy(killed, tmp_path)
    newest = checkpoints(run)[-1]
    answer = nnrun("resume", run.path)

    assert answer.returncode == 0, answer.stderr
    assert f"note: resuming after epoch {newest}\n" in answer.stderr
    assert f"epoch {newest}/60" not in answer.stderr
    assert f"epoch {newest + 1}/60" in answer.stderr
    check_same(run, whole, "log.csv")
    assert run.status() == layout.FINISHED
    assert not (run.path / layout.CHECKPOINT).exists()
    assert run.record().resumed == 1


def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    killed: Run, whole: Run, nnrun: Any, tmp_path: Path
) -> None:
    """One bit is enough."""
    run = copy(killed, tmp_path)
    before, newest = checkpoints(run)
    path = run.path / layout.CHECKPOINT / f"epoch-{newest}.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    answer = nnrun("resume", run.path)

    assert f"note: checkpoint/epoch-{newest}.npz is damaged: " in answer.stderr
    assert f"note: resuming after epoch {before}\n" in answer.stderr
    check_same(run, whole, "log.csv")


@pytest.mark.slow
def test_without_a_checkpoint_it_begins_again(
    killed: Run, whole: Run, nnrun: Any, tmp_path: Path
) -> None:
    """Which comes to the same."""
    run = copy(killed, tmp_path)
    shutil.rmtree(run.path / layout.CHECKPOINT)
    answer = nnrun("resume", run.path)

    assert "note: restarting from the beginning, as there is no checkpoint\n" in answer.stderr
    check_same(run, whole, "log.csv")


def test_resume_refuses_what_would_not_come_to_the_same(
    killed: Run, probed: Any, nnrun: Any, tmp_path: Path
) -> None:
    """Other versions and other rows are found, and both are named at once."""
    run = copy(killed, tmp_path)
    versions = run.record().versions | {"keras": "3.0.0"}
    run.update(versions=versions, data_digest="another")
    before = (run.path / layout.RUN).read_bytes()
    answer = nnrun("resume", run.path)

    assert answer.returncode == 1
    assert ": results would not be bit-identical: the data " in answer.stderr
    assert "keras was 3.0.0, now " in answer.stderr
    assert (run.path / layout.RUN).read_bytes() == before
    assert nnrun("resume", run.path, "--force").returncode == 0


def test_an_edited_spec_is_not_gone_on_with(killed: Run, probed: Any, tmp_path: Path) -> None:
    """It is found before TensorFlow is loaded."""
    run = copy(killed, tmp_path)
    path = run.path / layout.SPEC
    path.write_text(path.read_text().replace("units: 16", "units: 17"))
    answer, loaded = probed("resume", run.path, cwd=tmp_path)

    assert answer.returncode == 1
    assert "spec.yaml: has changed since the run began; " in answer.stderr
    assert not loaded & {"tensorflow", "keras"}


def test_a_run_at_work_is_not_gone_on_with_twice(killed: Run, nnrun: Any, tmp_path: Path) -> None:
    run = copy(killed, tmp_path)
    held = reopen(run.path)
    answer = nnrun("resume", run.path)
    held.release()

    assert answer.returncode == 1
    assert "is still running, as process" in answer.stderr


def test_a_finished_run_is_left_alone(whole: Run, nnrun: Any) -> None:
    before = (whole.path / layout.RUN).read_bytes()
    answer = nnrun("resume", whole.path, "--json")

    assert answer.returncode == 0
    assert [run["status"] for run in json.loads(answer.stdout)["runs"]] == ["finished"]
    assert (whole.path / layout.RUN).read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(("callbacks", "first"), [("[{CSVLogger: log.csv}]", 5), (CARRYING, 1)])
def test_more_epochs_are_as_if_they_had_been_asked_for_at_first(
    callbacks: str, first: int, nnrun: Any, tmp_path: Path
) -> None:
    """From the model where nothing else is carried on, else from the beginning."""
    path = spec(tmp_path, callbacks)
    short, long = ("--set", "training.epochs=4"), ("--set", "training.epochs=7")
    assert nnrun("train", path, *long, "--runs", tmp_path / "long").returncode == 0
    assert nnrun("train", path, *short, "--runs", tmp_path / "short").returncode == 0
    run = only(tmp_path / "short")
    answer = nnrun("resume", run.path, "--epochs", 7)

    assert answer.returncode == 0, answer.stderr
    assert f"epoch {first}/7" in answer.stderr
    assert f"epoch {first - 1}/7" not in answer.stderr
    check_same(run, only(tmp_path / "long"), "log.csv")
    assert run.record().overrides == ["training.epochs=7"]


def test_fewer_epochs_than_there_are_cannot_be_asked_for(
    whole: Run, nnrun: Callable[..., Any]
) -> None:
    answer = nnrun("resume", whole.path, "--epochs", 2)

    assert answer.returncode == 2
    assert "has 60 epochs already; --epochs must be larger" in answer.stderr
