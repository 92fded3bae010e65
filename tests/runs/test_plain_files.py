"""Pipes, devices, links and huge files in a run folder are refused at once."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from nnrun import runs
from nnrun.errors import NnrunError, RunError
from nnrun.runs import Run, layout
from nnrun.runs.files import check_all, checksum, with_checksum
from nnrun.runs.verify import judging


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A finished run with a file for each reader."""
    made = runs.create(tmp_path / "runs", "a", now=datetime(2026, 1, 2), record={})
    made.write_json(layout.METRICS, {"epochs": 1})
    made.write_arrays(layout.PREDICTIONS, row=np.arange(3))
    made.write_text(layout.SPEC, "name: a\n")
    made.write_text(layout.MODEL, "model")
    made.update(status=layout.FINISHED)
    made.release()
    return Run(made.path)


READERS = {
    layout.RUN: lambda run: run.record(),
    layout.METRICS: lambda run: run.metrics(),
    layout.PREDICTIONS: lambda run: run.read_arrays(layout.PREDICTIONS),
    layout.SPEC: lambda run: run.spec(),
    layout.MODEL: lambda run: run.whole(layout.MODEL),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("what", ["pipe", "zero", "folder", "link to a pipe", "round", "gone"])
def test_only_regular_files_are_read(name: str, what: str, run: Run, tmp_path: Path) -> None:
    path = run.path / name
    path.unlink()
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "link to a pipe":
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to(tmp_path / "pipe")
    elif what in ("zero", "round"):
        path.symlink_to({"zero": "/dev/zero", "round": name}[what])
    with pytest.raises(NnrunError):
        READERS[name](Run(run.path))


@pytest.mark.parametrize("name", [layout.RUN, layout.METRICS])
def test_a_file_of_200_megabytes_is_not_read(name: str, run: Run) -> None:
    """A sparse file, which takes no space."""
    with (run.path / name).open("ab") as file:
        file.truncate(200_000_000)

    with pytest.raises(RunError, match=f"{name}: cannot be read: it is larger than 16 MB"):
        READERS[name](Run(run.path))


DEEP = b'{"name":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
LESS_DEEP = b'{"name":' + b"[" * 500 + b"]" * 500 + b"}"


@pytest.mark.parametrize("name", [layout.RUN, layout.METRICS])
@pytest.mark.parametrize(
    "content",
    [DEEP, LESS_DEEP, b'{"epochs": NaN}', b'{"epochs": Infinity}', b'{"epochs": 1e999}',
     b'{"epochs": ' + b"9" * 400 + b"}", b'{"epochs": ' + b"9" * 9000 + b"}", b"\xff", b"[", b"\0"],
    ids=["deep", "less deep", "NaN", "Infinity", "1e999", "400 digits", "9000 digits", "Latin-1", "half", "NUL"],
)  # fmt: skip
def test_hostile_json_is_refused(name: str, content: bytes, run: Run) -> None:
    (run.path / name).write_bytes(content)
    record = json.loads((run.path / layout.RUN).read_bytes()) if name != layout.RUN else None
    if record:
        files = record["files"] | {name: checksum(content)}
        sealed = with_checksum(record | {"files": files})
        (run.path / layout.RUN).write_text(json.dumps(sealed))

    with pytest.raises(RunError, match=f"{name}: cannot be read: "):
        READERS[name](Run(run.path))


@pytest.mark.parametrize("what", ["link", "pipe", "link deep inside"])
def test_a_folder_with_links_is_not_written_to(what: str, run: Run, tmp_path: Path) -> None:
    """Otherwise the log would be appended to the target of the link."""
    path = run.path / layout.LOG
    if what == "pipe":
        os.mkfifo(path)
    elif what == "link":
        path.symlink_to(tmp_path / "mine")
    else:
        path = run.path / layout.CHECKPOINT / "x"
        path.parent.mkdir()
        path.symlink_to("/")
    kind = "a pipe or a device" if what == "pipe" else "a link"

    with pytest.raises(RunError, match=f"{path}: is {kind}, so nothing is written here"):
        check_all(run.path)


def test_a_file_with_a_second_name_is_not_written_to(run: Run, tmp_path: Path) -> None:
    """Otherwise a line appended to the log would be in the other file, too."""
    (tmp_path / "mine").touch()
    (run.path / layout.LOG).hardlink_to(tmp_path / "mine")

    with pytest.raises(RunError, match=f"{run.path / layout.LOG}: has another name elsewhere"):
        check_all(run.path)


def test_an_ordinary_folder_is_written_to(run: Run) -> None:
    check_all(run.path)


def test_a_pipe_in_place_of_a_model_is_not_read(tmp_path: Path) -> None:
    """Verifying the run of a stranger would wait for a writer."""
    path = tmp_path / layout.MODEL
    os.mkfifo(path)

    with pytest.raises(RunError, match=r"cannot be read: .*it is a pipe or a device"):
        judging.config(path)
