"""`nnrun resume` for one training: the same bytes as without a stop, and more epochs."""

from __future__ import annotations

import io
import shutil
import signal
import zipfile
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
WITH_STATE = (
    "[{CSVLogger: log.csv}, {ReduceLROnPlateau: {patience: 2}}, "
    "{EarlyStopping: {patience: 50, restore_best_weights: true}}]"
)


def weights(run: Run) -> dict[str, bytes]:
    """All arrays of the model: weights, seeds, state of the optimizer."""
    arrays: dict[str, bytes] = {}
    with zipfile.ZipFile(run.path / layout.MODEL) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = np.asarray(item[()]).tobytes()

    with h5py.File(content) as file:
        file.visititems(visit)
    return arrays


def check_same(run: Run, whole: Run) -> None:
    for name in (layout.HISTORY, layout.JOURNAL, layout.PREDICTIONS, "log.csv"):
        assert (run.path / name).read_bytes() == (whole.path / name).read_bytes()
    assert weights(run) == weights(whole)
    one, other = (r.metrics().model_dump(exclude={"seconds"}) for r in (run, whole))
    assert one == other


def write_spec(folder: Path, callbacks: str) -> Path:
    path = folder / "resumed.yaml"
    path.write_text(SPEC.replace("CALLBACKS", callbacks))
    return path


def only(root: Path) -> Run:
    return Run(next(root.iterdir()))


@pytest.fixture(scope="module")
def spec(tmp_path_factory: Any) -> Path:
    """A spec whose callbacks have a state."""
    return write_spec(tmp_path_factory.mktemp("spec"), WITH_STATE)


@pytest.fixture(scope="module")
def whole(nnrun: Any, spec: Path, tmp_path_factory: Any) -> Run:
    """The run without a stop."""
    root = tmp_path_factory.mktemp("whole")
    assert nnrun("train", spec, "--runs", root).returncode == 0
    return only(root)


@pytest.fixture(scope="module")
def killed(started: Any, wait_for: Any, spec: Path, tmp_path_factory: Any) -> Run:
    """The run killed after its second checkpoint."""
    root = tmp_path_factory.mktemp("killed")
    process = started("train", spec, "--runs", root)
    wait_for(lambda: len(list(root.glob("*/checkpoint/epoch-*.npz"))) == 2)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert only(root).status() == layout.CRASHED
    return only(root)


def copy(run: Run, folder: Path) -> Run:
    return Run(Path(shutil.copytree(run.path, folder / run.path.name)))


def checkpoints(run: Run) -> list[int]:
    files = (run.path / layout.CHECKPOINT).glob("epoch-*.npz")
    return sorted(int(path.stem.removeprefix("epoch-")) for path in files)


def test_a_killed_run_resumes_from_its_checkpoint_to_the_same_bytes(
    killed: Run, whole: Run, nnrun: Any, tmp_path: Path
) -> None:
    run = copy(killed, tmp_path)
    newest = checkpoints(run)[-1]
    answer = nnrun("resume", run.path)

    assert answer.returncode == 0, answer.stderr
    assert f"note: resuming after epoch {newest}\n" in answer.stderr
    assert f"epoch {newest}/60" not in answer.stderr
    assert f"epoch {newest + 1}/60" in answer.stderr
    check_same(run, whole)
    assert run.status() == layout.FINISHED
    assert not (run.path / layout.CHECKPOINT).exists()
    assert run.record().resumed == 1


@pytest.mark.slow
def test_with_a_damaged_checkpoint_the_previous_one_is_used(
    killed: Run, whole: Run, nnrun: Any, tmp_path: Path
) -> None:
    """A single bit is noticed."""
    run = copy(killed, tmp_path)
    previous, newest = checkpoints(run)
    path = run.path / layout.CHECKPOINT / f"epoch-{newest}.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    answer = nnrun("resume", run.path)

    assert f"note: checkpoint/epoch-{newest}.npz is damaged: " in answer.stderr
    assert f"note: resuming after epoch {previous}\n" in answer.stderr
    check_same(run, whole)


@pytest.mark.slow
def test_without_a_checkpoint_training_restarts(
    killed: Run, whole: Run, nnrun: Any, tmp_path: Path
) -> None:
    run = copy(killed, tmp_path)
    shutil.rmtree(run.path / layout.CHECKPOINT)
    answer = nnrun("resume", run.path)

    assert "note: restarting from the beginning, as there is no checkpoint\n" in answer.stderr
    check_same(run, whole)


def test_resume_refuses_other_versions_and_data(killed: Run, nnrun: Any, tmp_path: Path) -> None:
    """Both are named at once."""
    run = copy(killed, tmp_path)
    versions = run.record().versions | {"keras": "3.0.0"}
    run.update(versions=versions, data_digest="another")
    before = (run.path / layout.RUN).read_bytes()
    answer = nnrun("resume", run.path)

    assert answer.returncode == 1
    assert ": results would not be bit-identical: the data " in answer.stderr
    assert "keras was 3.0.0, now " in answer.stderr
    assert (run.path / layout.RUN).read_bytes() == before


@pytest.mark.slow
def test_force_resumes_with_other_data(killed: Run, nnrun: Any, tmp_path: Path) -> None:
    run = copy(killed, tmp_path)
    run.update(data_digest="another")

    assert nnrun("resume", run.path, "--force").returncode == 0


def test_an_edited_spec_is_refused_without_loading_tensorflow(
    killed: Run, probed: Any, tmp_path: Path
) -> None:
    run = copy(killed, tmp_path)
    path = run.path / layout.SPEC
    path.write_text(path.read_text().replace("units: 16", "units: 17"))
    answer, loaded = probed("resume", run.path, cwd=tmp_path)

    assert answer.returncode == 1
    assert "spec.yaml: has changed since the run began; " in answer.stderr
    assert not loaded & {"tensorflow", "keras"}


def test_a_running_run_is_refused(killed: Run, nnrun: Any, tmp_path: Path) -> None:
    run = copy(killed, tmp_path)
    held = reopen(run.path)
    answer = nnrun("resume", run.path)
    held.release()

    assert answer.returncode == 1
    assert "is still running, as process" in answer.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("callbacks", "first"), [("[{CSVLogger: log.csv}]", 5), (WITH_STATE, 1)])
def test_more_epochs_give_the_same_bytes_as_one_longer_training(
    callbacks: str, first: int, nnrun: Any, tmp_path: Path
) -> None:
    """Callbacks with a state make training restart."""
    path = write_spec(tmp_path, callbacks)
    short, long = ("--set", "training.epochs=4"), ("--set", "training.epochs=7")
    assert nnrun("train", path, *long, "--runs", tmp_path / "long").returncode == 0
    assert nnrun("train", path, *short, "--runs", tmp_path / "short").returncode == 0
    run = only(tmp_path / "short")
    answer = nnrun("resume", run.path, "--epochs", 7)

    assert answer.returncode == 0, answer.stderr
    assert f"epoch {first}/7" in answer.stderr
    assert f"epoch {first - 1}/7" not in answer.stderr
    check_same(run, only(tmp_path / "long"))
    assert run.record().overrides == ["training.epochs=7"]


def test_fewer_epochs_than_trained_are_refused(whole: Run, nnrun: Any) -> None:
    answer = nnrun("resume", whole.path, "--epochs", 2)

    assert answer.returncode == 2
    assert "has 60 epochs already; --epochs must be larger" in answer.stderr


@pytest.mark.slow
def test_a_run_that_a_callback_ended_says_why_more_epochs_change_nothing(
    nnrun: Any, tmp_path: Path
) -> None:
    """It would train again to the same epoch."""
    path = write_spec(tmp_path, "[{EarlyStopping: {patience: 0, min_delta: 9}}]")
    nnrun("train", path, "--runs", tmp_path / "runs")
    run = only(tmp_path / "runs")
    before = (run.path / layout.RUN).read_bytes()
    answer = nnrun("resume", run.path, "--epochs", 90)

    assert answer.returncode == 0
    assert answer.stderr.endswith(
        " is finished: EarlyStopping ended it after epoch 2, and would end it there again; to train "
        "longer, change EarlyStopping in a copy of spec.yaml and train that\n"
    )
    assert (run.path / layout.RUN).read_bytes() == before
