"""Run folders: files are complete or absent, and damage is noticed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun import runs
from nnrun.errors import NotARun, RunError
from nnrun.runs import Run, layout
from nnrun.runs.run import reopen_record
from nnrun.types import History

NOW = datetime(2026, 1, 2, 3, 4, 5)
RECORD = {"verb": "train", "seed": 0}
IMPORTS = (
    "import os, sys; from datetime import datetime; from pathlib import Path\n"
    "from nnrun import runs\n"
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return runs.create(tmp_path / "runs", "digits", now=NOW, record=RECORD)


@pytest.fixture
def gone() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def python(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", IMPORTS + program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def names(run: Run) -> list[str]:
    return sorted(path.name for path in run.path.iterdir())


def journal(run: Run, *epochs: dict[str, float]) -> Path:
    history = History()
    for logs in epochs:
        history.append(logs)
        run.append_epoch(history)
    return run.path / layout.JOURNAL


def test_runs_of_the_same_second_get_different_folders(tmp_path: Path) -> None:
    created = [runs.create(tmp_path, "digits", now=NOW, record=RECORD) for _ in range(3)]

    assert [run.path.name for run in created] == [
        "20260102-030405-digits",
        "20260102-030405-digits-2",
        "20260102-030405-digits-3",
    ]


def test_concurrent_processes_never_share_a_folder(tmp_path: Path) -> None:
    program = IMPORTS + (
        "for _ in range(20):\n"
        "    run = runs.create(Path(sys.argv[1]), 'a', now=datetime(2026, 1, 1), record={})\n"
        "    print(run.path.name)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    folders = [name for process in processes for name in process.communicate()[0].split()]

    assert len(folders) == len(set(folders)) == 60


def test_a_new_run_is_running(run: Run) -> None:
    record = run.read_json(layout.RUN)

    assert list(run.path.parent.glob("*")) == [run.path]
    assert run.status() == layout.RUNNING
    assert record == {
        "schema_version": 1,
        "name": "digits",
        "status": "running",
        "started": "2026-01-02T03:04:05",
        "ended": None,
        "verb": "train",
        "seed": 0,
        "process": record["process"],
        "files": {},
    }


@pytest.mark.parametrize(
    ("record", "kind"),
    [({}, "train"), ({"folds": []}, "kfold"), ({"fold": 2, "verb": "kfold"}, "fold")],
)
def test_the_kind_of_a_run(tmp_path: Path, record: dict[str, Any], kind: str) -> None:
    assert runs.create(tmp_path, "a", now=NOW, record=record).record().kind == kind


def test_a_killed_run_has_crashed(run: Run) -> None:
    """Even if its process number belongs to another process now."""
    root = run.path.parent / "others"
    answer = python(
        "run = runs.create(Path(sys.argv[1]), 'a', now=datetime(2026, 1, 1), record={})\n"
        "run.update(process={**runs.process(), 'pid': os.getppid()})\n"
        "print(run.status(), flush=True)\n"
        "os.kill(os.getpid(), 9)\n",
        root,
    )

    assert answer.stdout == "running\n"
    assert Run(next(root.iterdir())).status() == layout.CRASHED


def test_without_file_locks_the_process_number_decides(
    run: Run, gone: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some network file systems have no locks."""
    monkeypatch.setattr("nnrun.runs.folder.fcntl", None)
    assert run.status() == layout.RUNNING

    run.update(process=runs.process() | {"pid": gone})

    assert run.status() == layout.CRASHED


def test_a_run_on_another_machine_counts_as_running(run: Run, gone: int) -> None:
    """Its process number means nothing here."""
    run.update(process={"pid": gone, "host": "another"})

    assert run.status() == layout.RUNNING


def test_update_keeps_all_other_keys_also_unknown_ones(run: Run) -> None:
    run.update(later={"version": 3})
    before = run.read_json(layout.RUN)

    run.update(status=layout.FAILED, error="why")

    assert run.read_json(layout.RUN) == before | {"status": "failed", "error": "why"}


def test_a_failed_write_keeps_the_old_file(run: Run) -> None:
    run.write_text(layout.SUMMARY, "old")

    def save(path: Path) -> None:
        path.write_text("ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(RunError) as error:
        run.write(layout.SUMMARY, save)

    path = run.path / layout.SUMMARY
    assert str(error.value) == f"{path}: cannot be written: No space left on device"
    assert path.read_text() == "old"
    assert names(run) == [layout.RUN, layout.SUMMARY]


def test_an_interrupted_write_leaves_no_file(run: Run) -> None:
    def save(path: Path) -> None:
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.write(layout.MODEL, save)

    assert names(run) == [layout.RUN]


def test_the_temporary_name_has_the_suffix_of_the_file(run: Run) -> None:
    """Keras and Matplotlib choose the format by it."""
    temporary: list[str] = []
    run.write(layout.plot("loss"), lambda path: (temporary.append(path.name), path.touch()))

    assert temporary == [f".loss.{os.getpid()}.png"]
    assert (run.path / "plots" / "loss.png").is_file()


def test_json_has_null_for_nan_and_letters_as_they_are(run: Run) -> None:
    run.write_json(layout.METRICS, {"a": float("nan"), "b": [float("inf"), 1.5], "größe": None})
    run.update()

    assert run.read_json(layout.METRICS) == {"a": None, "b": [None, 1.5], "größe": None}
    assert "größe" in (run.path / layout.METRICS).read_text(encoding="utf-8")


def test_an_archive_loads_without_pickle_and_holds_no_objects(run: Run) -> None:
    run.write_arrays(layout.PREDICTIONS, target=np.arange(3), output=np.ones((3, 2)))

    with np.load(run.path / layout.PREDICTIONS, allow_pickle=False) as archive:
        assert archive["target"].tolist() == [0, 1, 2]
        assert archive["output"].shape == (3, 2)
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        run.write_arrays(layout.PREDICTIONS, target=np.array([{}], dtype=object))


def test_equal_arrays_give_equal_bytes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """At any time; ZIP archives cannot store years before 1980."""
    run.write_arrays(layout.PREDICTIONS, target=np.arange(3))
    before = (run.path / layout.PREDICTIONS).read_bytes()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    run.write_arrays(layout.PREDICTIONS, target=np.arange(3))

    assert (run.path / layout.PREDICTIONS).read_bytes() == before


def test_only_visible_folders_with_a_record_are_found_in_order(tmp_path: Path) -> None:
    late = runs.create(tmp_path, "a", now=datetime(2026, 1, 2), record={})
    early = runs.create(tmp_path, "z", now=datetime(2025, 12, 31), record={})
    (tmp_path / "notes").mkdir()
    (tmp_path / "note.txt").touch()

    assert runs.find(tmp_path) == [early, late]
    assert runs.find(tmp_path / "missing") == []


def test_a_folder_without_a_record_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(NotARun) as error:
        Run(tmp_path).record()

    assert str(error.value) == f"{tmp_path} is no run: it has no run.json"


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    root = tmp_path / "file" / "runs"

    with pytest.raises(RunError) as error:
        runs.create(root, "a", now=NOW, record={})

    assert str(error.value) == f"{root}: cannot create a run folder: Not a directory"


def test_a_run_whose_record_cannot_be_written_leaves_no_folder(tmp_path: Path) -> None:
    """A limit on file sizes stands for a full disk."""
    answer = python(
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))\n"
        "runs.create(Path(sys.argv[1]), 'a', now=datetime(2026, 1, 1), record={})\n",
        tmp_path,
    )

    assert "run.json: cannot be written: File too large" in answer.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def ended(run: Run) -> Run:
    """A finished run with some files."""
    journal(run, {"loss": 0.5, "val_loss": 0.25}, {"loss": 0.125, "val_loss": 0.375})
    run.write_text(layout.SPEC, "name: digits\n")
    run.write_json(layout.METRICS, {"epochs": 2, "last": {"loss": 0.125}})
    run.write_arrays(layout.PREDICTIONS, target=np.arange(40), output=np.ones((40, 2)))
    run.end_journal()
    run.update(status=layout.FINISHED)
    run.release()
    return Run(run.path)


READERS = {
    layout.RUN: Run.record,
    layout.SPEC: Run.spec,
    layout.METRICS: Run.metrics,
    layout.JOURNAL: Run.history,
    layout.PREDICTIONS: lambda run: run.read_arrays(layout.PREDICTIONS),
}


@pytest.mark.parametrize("name", READERS)
def test_a_changed_bit_never_changes_a_result(name: str, ended: Run) -> None:
    path = ended.path / name
    written = path.read_bytes()
    right = str(READERS[name](Run(ended.path)))
    refused = 0
    for bit in range(0, len(written) * 8, 37):
        changed = bytearray(written)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            assert str(READERS[name](Run(ended.path))) == right
        except RunError:
            refused += 1

    # White space in JSON has no meaning.
    assert refused > len(written) * 8 // 37 * 0.7


@pytest.mark.parametrize("name", READERS)
def test_a_shortened_file_is_refused(name: str, ended: Run) -> None:
    path = ended.path / name
    written = path.read_bytes()
    for length in range(0, len(written) - 1, 23):
        path.write_bytes(written[:length])
        with pytest.raises(RunError):
            READERS[name](Run(ended.path))


@pytest.mark.parametrize("name", [layout.SPEC, layout.METRICS])
def test_an_edited_file_is_named(name: str, ended: Run) -> None:
    path = ended.path / name
    path.write_text("{}")
    with pytest.raises(RunError) as error:
        READERS[name](ended)

    assert str(error.value) == f"{path}: was damaged or edited since the run wrote it"


@pytest.mark.parametrize(
    ("metrics", "reason"),
    [
        ({"epochs": "2"}, "epochs cannot be '2'"),
        ({"validation": {"loss": {"mean": 1.0}}}, "validation cannot be "),
        ([], "it is not a mapping"),
    ],
)
def test_metrics_of_a_wrong_type_are_refused(run: Run, metrics: Any, reason: str) -> None:
    """Their checksum may be right, as a folder can come from another user."""
    run.write_json(layout.METRICS, metrics)
    run.update()
    with pytest.raises(RunError, match=rf"metrics\.json: cannot be read: {reason}"):
        run.metrics()


def test_a_file_counts_once_it_is_listed(run: Run) -> None:
    """A kill may come between the metrics and the record."""
    run.write_json(layout.METRICS, {"epochs": 3})
    assert Run(run.path).metrics().is_empty

    run.update()
    assert Run(run.path).metrics().epochs == 3


def test_the_journal_returns_every_epoch_exactly(run: Run) -> None:
    assert len(run.history()) == 0
    journal(run, {"loss": 1 / 3, "val_loss": 2e-9}, {"loss": 0.1, "val_loss": float("inf")})

    assert run.history().epochs == {"loss": [1 / 3, 0.1], "val_loss": [2e-9, float("inf")]}


def test_half_a_line_of_the_journal_is_no_epoch(run: Run) -> None:
    """A full disk cuts the last line anywhere."""
    path = journal(run, {"loss": 0.5, "val_loss": 0.25}, {"loss": 0.125, "val_loss": 0.375})
    text = path.read_text()
    lengths = set()
    for end in range(text.index("2,0.125"), len(text)):
        path.write_text(text[:end])
        lengths.add(len(run.history()))

    assert lengths == {1}


def test_every_bit_of_a_growing_table_is_checked(run: Run) -> None:
    path = journal(run, {"loss": 1 / 3, "val_loss": 2e-9}, {"loss": 0.1, "val_loss": 0.5})
    written = path.read_bytes()
    known = [{}, *({name: v[:n] for name, v in run.history().epochs.items()} for n in range(3))]
    for bit in range(len(written) * 8):
        changed = bytearray(written)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            assert Run(run.path).history().epochs in known
        except RunError:
            continue


def test_a_lost_line_of_a_growing_table_is_noticed(run: Run) -> None:
    path = journal(run, {"loss": 3.0}, {"loss": 2.0}, {"loss": 1.0})
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:2], *lines[3:]]))

    with pytest.raises(RunError, match=r"history\.csv: line 3 is not as it was written$"):
        run.history()


def test_a_metric_that_a_callback_adds_later_gets_a_column(run: Run) -> None:
    journal(run, {"loss": 2.0}, {"loss": 1.0, "learning_rate": 0.5})
    epochs = run.history().epochs

    assert epochs["loss"] == [2.0, 1.0]
    assert epochs["learning_rate"][1:] == [0.5]


def test_the_final_table_has_no_checksums(ended: Run) -> None:
    text = (ended.path / layout.JOURNAL).read_text()

    assert text == "epoch,loss,val_loss\n1,0.5,0.25\n2,0.125,0.375\n"


def test_the_next_epoch_replaces_half_a_line(run: Run) -> None:
    path = journal(run, {"loss": 2.0})
    path.write_text(path.read_text() + "2,1.")
    run.append_epoch(History({"loss": [2.0, 1.0]}))

    assert run.history().epochs == {"loss": [2.0, 1.0]}


def test_half_a_header_is_damage(run: Run) -> None:
    """It is moved into place whole, so that no kill leaves half of it."""
    path = journal(run, {"loss": 2.0}, {"loss": 1.0})
    written = path.read_bytes()
    for length in range(written.index(b"\n")):
        path.write_bytes(written[:length])
        with pytest.raises(RunError, match=r"history\.csv: was damaged or edited"):
            run.history()


def test_a_running_run_cannot_be_reopened(run: Run) -> None:
    with pytest.raises(RunError, match=f"is still running, as process {os.getpid()}$"):
        runs.reopen(run.path)

    run.release()
    assert runs.reopen(run.path).path == run.path


def test_a_missing_folder_is_an_error(run: Run) -> None:
    shutil.rmtree(run.path)
    with pytest.raises(RunError, match=r"the folder of the run is gone$"):
        run.append_epoch(History({"loss": [1.0]}))


def keep_checkpoint(run: Run, epochs: int) -> Path:
    path = run.path / layout.checkpoint(epochs)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"weights")
    return path


@pytest.mark.parametrize("epochs", range(4))
def test_a_table_shorter_than_its_checkpoint_has_lost_lines(run: Run, epochs: int) -> None:
    """A kill can leave it longer than the checkpoint, never shorter."""
    path = journal(run, {"loss": 3.0}, {"loss": 2.0}, {"loss": 1.0})
    keep_checkpoint(run, 2)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[: 1 + epochs]))
    if epochs == 0:
        path.unlink()

    if epochs >= 2:
        assert len(run.history()) == epochs
    else:
        message = rf"history\.csv: ends at epoch {epochs}, but checkpoint/epoch-2\.npz is of a"
        with pytest.raises(RunError, match=message):
            run.history()


def test_a_run_has_its_epochs_at_every_step_of_reopening(
    ended: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ended.history()
    histories = []
    replacing = Run.replacing

    def observed(run: Run, name: str) -> Any:
        histories.append(Run(run.path).history())
        return replacing(run, name)

    monkeypatch.setattr(Run, "replacing", observed)
    reopen_record(ended, {})
    ended.begin_journal(before)

    assert [*histories, Run(ended.path).history()] == [before] * 4


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_file_or_a_folder_in_its_place_is_removed(run: Run, kind: str) -> None:
    path = keep_checkpoint(run, 1)
    if kind == "folder":
        path.unlink()
        path.mkdir()
        (path / "x").touch()
    run.remove(path)
    assert not path.exists()
