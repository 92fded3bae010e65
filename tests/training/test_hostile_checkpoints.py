"""A checkpoint may be somebody else's: it says what training reached, and nothing about files."""

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

ABOUT: dict[str, Any] = {
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
    made = runs.create(tmp_path / "runs", "a", now=datetime(2026, 1, 2), record={})
    (made.path / layout.CHECKPOINT).mkdir()
    return made


def put(run: Run, about: str) -> Path:
    path = run.path / layout.CHECKPOINT / "epoch-1.npz"
    arrays.save(path, {"about": np.frombuffer(about.encode(), np.uint8)})
    return path


@pytest.mark.parametrize("name", ["../mine.txt", "../../mine.txt", "ABSOLUTE", "link/mine.txt"])
def test_no_file_outside_of_the_run_is_cut(name: str, run: Run, tmp_path: Path) -> None:
    """How far a table of epochs had grown stands in the checkpoint, under its name."""
    (run.path / "link").symlink_to(tmp_path)
    mine = [tmp_path / "mine.txt", tmp_path / "runs" / "mine.txt"]
    for path in mine:
        path.write_text("mine")
    callbacks.resume_callbacks([], run.path, {name.replace("ABSOLUTE", str(mine[0])): 0})

    assert [path.read_text() for path in mine] == ["mine", "mine"]


def test_the_table_of_the_run_is_cut(run: Run) -> None:
    (run.path / "table.csv").write_text("1\n2\n")
    callbacks.resume_callbacks([], run.path, {"table.csv": 2})

    assert (run.path / "table.csv").read_text() == "1\n"


@pytest.mark.parametrize(
    "attributes",
    [{"filepath": "/tmp/x.keras"}, {"append": True}, {"on_epoch_end": 1}, {"best": {"a": 1}}],
    ids=["where it writes to", "what it has not", "what it does", "a mapping"],
)
def test_a_callback_is_given_nothing_but_its_numbers(attributes: dict[str, Any]) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    saver = keras.callbacks.ModelCheckpoint("a.keras")
    reached = state.capture(model, [saver], epochs=1)
    given = State(1, False, reached.variables, (attributes,))

    with pytest.raises(ValueError, match="the checkpoint is of other callbacks"):
        state.restore(given, model, [saver])
    assert saver.filepath == "a.keras"
    state.restore(reached, model, [saver])


@pytest.mark.parametrize("key", ABOUT)
@pytest.mark.parametrize("value", [None, "x", [None], {"a": "x"}, [["x"]]], ids=str)
def test_a_checkpoint_of_other_values_is_a_damaged_one(key: str, value: Any, run: Run) -> None:
    put(run, json.dumps(ABOUT | {key: value}))
    found, damaged = checkpoints.latest(run)

    assert found is None
    assert damaged == ["checkpoint/epoch-1.npz is damaged: its header is not valid"]


@pytest.mark.parametrize("about", ["[" * 100_000, "[" * 100 + "]" * 100, "", "{}", "[]", "1"])
def test_so_is_one_that_says_something_else(about: str, run: Run) -> None:
    put(run, about)

    assert checkpoints.latest(run)[0] is None


def test_nobody_waits_for_a_checkpoint_that_is_a_pipe(run: Run) -> None:
    os.mkfifo(run.path / layout.CHECKPOINT / "epoch-3.npz")
    (run.path / layout.CHECKPOINT / "epoch-2.npz").symlink_to("/dev/zero")
    put(run, json.dumps(ABOUT))
    found, damaged = checkpoints.latest(run)

    assert found
    assert found.state.epochs == 1
    assert len(damaged) == 2


def test_those_that_a_run_does_not_go_on_from_are_removed(run: Run) -> None:
    """Else the table of epochs, begun again, would look as if it had lost some."""
    put(run, json.dumps(ABOUT))
    for epochs in (2, 3):
        (run.path / layout.checkpoint(epochs)).write_bytes(b"damaged")
    checkpoints.delete_after(run, 1)

    assert [epochs for epochs, _ in run.checkpoints()] == [1]
