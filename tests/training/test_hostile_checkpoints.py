"""A checkpoint from elsewhere restores numbers, and never changes other files."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nnrun import runs
from nnrun.runs import Run, arrays, layout
from nnrun.training import callbacks, checkpoints, state
from nnrun.training.state import State

HEADER: dict[str, Any] = {
    "epochs": 1,
    "stopped": False,
    "variables": 0,
    "callbacks": [],
    "history": {"loss": [1.0]},
    "epoch_seconds": [0.1],
    "seconds": 0.1,
    "grown": {},
}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = runs.create(tmp_path / "runs", "a", now=datetime(2026, 1, 2), record={})
    (run.path / layout.CHECKPOINT).mkdir()
    return run


def write(run: Run, header: str) -> None:
    values = {"about": np.frombuffer(header.encode(), np.uint8)}
    arrays.save(run.path / layout.checkpoint(1), values)


@pytest.mark.parametrize("name", ["../user.txt", "../../user.txt", "ABSOLUTE", "link/user.txt"])
def test_no_file_outside_the_run_is_truncated(name: str, run: Run, tmp_path: Path) -> None:
    """A checkpoint contains names and sizes of files."""
    (run.path / "link").symlink_to(tmp_path)
    paths = [tmp_path / "user.txt", tmp_path / "runs" / "user.txt"]
    for path in paths:
        path.write_text("text")
    callbacks.resume_callbacks([], run.path, {name.replace("ABSOLUTE", str(paths[0])): 0})

    assert [path.read_text() for path in paths] == ["text", "text"]


def test_a_table_of_the_run_is_truncated(run: Run) -> None:
    (run.path / "table.csv").write_text("1\n2\n")
    callbacks.resume_callbacks([], run.path, {"table.csv": 2})

    assert (run.path / "table.csv").read_text() == "1\n"


@pytest.mark.parametrize(
    "attributes",
    [{"filepath": "/tmp/x.keras"}, {"append": True}, {"on_epoch_end": 1}, {"best": {"a": 1}}],
    ids=["path", "unknown attribute", "method", "mapping"],
)
def test_only_numbers_of_a_callback_are_restored(attributes: dict[str, Any]) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    callback = keras.callbacks.ModelCheckpoint("a.keras")
    captured = state.capture(model, [callback], epochs=1)

    with pytest.raises(ValueError, match="the checkpoint is of other callbacks"):
        state.restore(State(1, False, captured.variables, (attributes,)), model, [callback])
    assert callback.filepath == "a.keras"
    state.restore(captured, model, [callback])


@pytest.mark.parametrize("key", HEADER)
@pytest.mark.parametrize("value", [None, "x", [None], {"a": "x"}, [["x"]]], ids=str)
def test_a_header_with_other_types_is_damaged(key: str, value: Any, run: Run) -> None:
    write(run, json.dumps(HEADER | {key: value}))

    reason = "checkpoint/epoch-1.npz is damaged: its header is not valid"
    assert checkpoints.latest(run) == (None, [reason])


@pytest.mark.parametrize("header", ["[" * 100_000, "[" * 100 + "]" * 100, "", "{}", "[]", "1"])
def test_other_json_is_damaged(header: str, run: Run) -> None:
    write(run, header)

    assert checkpoints.latest(run)[0] is None


def test_a_checkpoint_that_is_a_pipe_or_a_device_is_not_read(run: Run) -> None:
    os.mkfifo(run.path / layout.checkpoint(3))
    (run.path / layout.checkpoint(2)).symlink_to("/dev/zero")
    write(run, json.dumps(HEADER))
    checkpoint, reasons = checkpoints.latest(run)

    assert checkpoint
    assert checkpoint.state.epochs == 1
    assert len(reasons) == 2


def test_later_checkpoints_are_deleted(run: Run) -> None:
    """With them the shortened journal would seem to have lost epochs."""
    write(run, json.dumps(HEADER))
    for epochs in (2, 3):
        (run.path / layout.checkpoint(epochs)).write_bytes(b"damaged")
    checkpoints.delete_after(run, 1)

    assert [epochs for epochs, _ in run.checkpoints()] == [1]
