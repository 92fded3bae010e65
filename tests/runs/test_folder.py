"""A run folder never holds half a file, never two runs, and always tells how its run ended."""

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


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return runs.create(tmp_path / "runs", "digits", now=NOW, record=RECORD)


def test_runs_of_one_second_get_folders_of_their_own(tmp_path: Path) -> None:
    """Two terminals, or a loop in a shell, start runs within the same second."""
    made = [runs.create(tmp_path, "digits", now=NOW, record=RECORD) for _ in range(3)]

    assert [run.path.name for run in made] == [
        "20260102-030405-digits",
        "20260102-030405-digits-2",
        "20260102-030405-digits-3",
    ]


def test_processes_that_start_at_once_never_share_a_folder(tmp_path: Path) -> None:
    """Looking whether a folder is there and then making it would let two of them through."""
    program = (
        "import sys; from datetime import datetime; from pathlib import Path; from nnrun import runs\n"
        "for _ in range(20):\n"
        "    made = runs.create(Path(sys.argv[1]), 'a', now=datetime(2026, 1, 1), record={})\n"
        "    print(made.path.name)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    names = [name for process in processes for name in process.communicate()[0].split()]

    assert len(names) == len(set(names)) == 60


def test_the_folder_of_runs_holds_runs_and_nothing_else(run: Run) -> None:
    """`nnrun show runs/*` must not stumble over an index or a lock."""
    assert list(run.path.parent.glob("*")) == [run.path]


def test_a_new_run_says_that_it_is_running(run: Run) -> None:
    """Whoever looks in from outside sees it from the first second."""
    record = run.read_json(layout.RUN)

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
    assert run.status() == layout.RUNNING


def test_a_run_whose_process_is_gone_has_crashed(run: Run) -> None:
    """A killed process cannot say so itself; and its number may be that of another by now."""
    program = (
        "import os, sys; from datetime import datetime; from pathlib import Path\n"
        "from nnrun import runs\n"
        "made = runs.create(Path(sys.argv[1]), 'a', now=datetime(2026, 1, 1), record={})\n"
        "made.update(process={**runs.process(), 'pid': os.getppid()})\n"
        "print(made.status(), flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    root = run.path.parent / "others"
    command = [sys.executable, "-c", program, str(root)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)

    assert answer.stdout == "running\n"
    assert Run(next(root.iterdir())).status() == layout.CRASHED


def test_without_locks_the_number_of_the_process_has_to_do(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some network file systems have none."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    monkeypatch.setattr("nnrun.runs.folder.fcntl", None)
    assert run.status() == layout.RUNNING

    run.update(process={**runs.process(), "pid": gone.pid})

    assert run.status() == layout.CRASHED


def test_a_run_on_another_machine_is_not_called_crashed(run: Run) -> None:
    """Its process number means nothing here."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    run.update(process={"pid": gone.pid, "host": "another"})

    assert run.status() == layout.RUNNING


def test_a_change_keeps_the_rest_of_the_record(run: Run) -> None:
    """`update` rewrites the file, so it could lose what it does not know."""
    before = run.read_json(layout.RUN)

    run.update(status=layout.FAILED, error="why")

    assert run.read_json(layout.RUN) == before | {"status": "failed", "error": "why"}


def test_a_failing_write_leaves_the_old_file_and_no_other(run: Run) -> None:
    """A disk that fills up must not cost what was there."""
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


def test_ctrl_c_in_the_middle_of_a_write_leaves_nothing_behind(run: Run) -> None:
    """A second Ctrl-C falls into the writing that the first one began."""

    def save(path: Path) -> None:
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.write(layout.MODEL, save)

    assert names(run) == [layout.RUN]


def test_the_passing_name_has_the_ending_of_the_file(run: Run) -> None:
    """Keras and Matplotlib choose the format by it."""
    passing: list[str] = []
    run.write(layout.plot("loss"), lambda path: (passing.append(path.name), path.touch()))

    assert passing == [f".loss.{os.getpid()}.png"]
    assert (run.path / "plots" / "loss.png").is_file()


def test_what_is_no_number_becomes_null(run: Run) -> None:
    """JSON knows no NaN; Python would write one, and other programs could not read the file."""
    run.write_json(layout.METRICS, {"a": float("nan"), "b": [float("inf"), 1.5], "c": {"d": None}})
    run.update()

    assert run.read_json(layout.METRICS) == {"a": None, "b": [None, 1.5], "c": {"d": None}}


def test_json_keeps_letters_as_they_are(run: Run) -> None:
    """A person reads these files."""
    run.write_json(layout.METRICS, {"größe": "é"})

    assert "größe" in (run.path / layout.METRICS).read_text(encoding="utf-8")


def test_an_archive_loads_without_pickle(run: Run) -> None:
    """Loading a pickle runs code."""
    run.write_arrays(layout.PREDICTIONS, target=np.arange(3), output=np.ones((3, 2)))

    with np.load(run.path / layout.PREDICTIONS, allow_pickle=False) as archive:
        assert archive["target"].tolist() == [0, 1, 2]
        assert archive["output"].shape == (3, 2)


def test_an_array_of_objects_is_refused(run: Run) -> None:
    """It could only be written as a pickle."""
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        run.write_arrays(layout.PREDICTIONS, target=np.array([{}], dtype=object))


def journal(run: Run, *epochs: dict[str, float]) -> None:
    history = History()
    for logs in epochs:
        history.append(logs)
        run.append_epoch(history)


def test_the_journal_gives_back_every_epoch_to_the_last_digit(run: Run) -> None:
    """It is all that a killed run leaves."""
    journal(run, {"loss": 1 / 3, "val_loss": 2e-9}, {"loss": 0.1, "val_loss": float("inf")})

    assert run.history().epochs == {"loss": [1 / 3, 0.1], "val_loss": [2e-9, float("inf")]}


def test_half_a_line_of_the_journal_is_no_epoch(run: Run) -> None:
    """A full disk cuts the last line anywhere; the epochs before it are still there."""
    journal(run, {"loss": 0.5, "val_loss": 0.25}, {"loss": 0.125, "val_loss": 0.375})
    path = run.path / layout.JOURNAL
    text = path.read_text()
    cut_at = range(text.index("2,0.125"), len(text))
    counted = set()
    for end in cut_at:
        path.write_text(text[:end])
        counted.add(len(run.history()))

    assert counted == {1}


def test_a_run_without_a_journal_has_no_epochs(run: Run) -> None:
    """Nothing has been trained yet."""
    assert len(run.history()) == 0


def test_only_folders_with_a_record_are_runs(run: Run) -> None:
    """People put notes and archives next to their runs."""
    root = run.path.parent
    (root / "notes").mkdir()
    (root / "note.txt").touch()

    assert runs.find(root) == [run]


def test_a_folder_that_is_not_there_holds_no_runs(tmp_path: Path) -> None:
    """`nnrun list` before the first run."""
    assert runs.find(tmp_path / "runs") == []


def test_runs_are_found_in_the_order_they_began(tmp_path: Path) -> None:
    """The names begin with the time for that."""
    late = runs.create(tmp_path, "a", now=datetime(2026, 1, 2), record={})
    early = runs.create(tmp_path, "z", now=datetime(2025, 12, 31), record={})

    assert runs.find(tmp_path) == [early, late]


def test_a_folder_that_holds_no_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotARun) as error:
        Run(tmp_path).record()

    assert str(error.value) == f"{tmp_path} is no run: it has no run.json"


def test_a_folder_that_cannot_be_made_says_where_and_why(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "file").touch()

    with pytest.raises(RunError) as error:
        runs.create(tmp_path / "file" / "runs", "a", now=NOW, record={})

    place = tmp_path / "file" / "runs"
    assert str(error.value) == f"{place}: no run folder can be made here: Not a directory"


def test_a_run_whose_record_cannot_be_written_leaves_no_folder(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk; `runs/*` must stay runs only."""
    program = (
        "import resource, sys; from datetime import datetime; from pathlib import Path\n"
        "from nnrun import runs\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))\n"
        "runs.create(Path(sys.argv[1]), 'a', now=datetime(2026, 1, 1), record={})\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False
    )

    assert "run.json: cannot be written: File too large" in answer.stderr
    assert list(tmp_path.iterdir()) == []


def names(run: Run) -> list[str]:
    return sorted(path.name for path in run.path.iterdir())


@pytest.fixture
def ended(run: Run) -> Run:
    """With some files, closed as every run is."""
    journal(run, {"loss": 0.5, "val_loss": 0.25}, {"loss": 0.125, "val_loss": 0.375})
    run.write_text(layout.SPEC, "name: digits\n")
    run.write_json(layout.METRICS, {"loss": 0.125})
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
def test_no_changed_bit_is_read_as_it_was(name: str, ended: Run) -> None:
    """A disk that rots, or an editor: what is said of the run is what the run said, or nothing."""
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

    # Between the words of JSON a tab for a space changes nothing that is said.
    assert refused > len(written) * 8 // 37 * 0.7


@pytest.mark.parametrize("name", READERS)
def test_no_shortened_file_is_read_as_whole(name: str, ended: Run) -> None:
    path = ended.path / name
    written = path.read_bytes()
    for length in range(0, len(written) - 1, 23):
        path.write_bytes(written[:length])
        with pytest.raises(RunError):
            READERS[name](Run(ended.path))


@pytest.mark.parametrize("name", [layout.SPEC, layout.METRICS])
def test_an_edited_file_is_named(name: str, ended: Run) -> None:
    (ended.path / name).write_text("{}")
    with pytest.raises(RunError) as error:
        READERS[name](ended)

    path = ended.path / name
    assert str(error.value) == f"{path}: was damaged or edited since the run wrote it"


def test_a_file_that_was_not_listed_does_not_count(run: Run) -> None:
    """A kill between the metrics and the record leaves numbers that nobody has signed."""
    run.write_json(layout.METRICS, {"epochs": 3})
    assert Run(run.path).metrics().is_empty

    run.update()
    assert Run(run.path).metrics().epochs == 3


def test_every_bit_of_a_growing_table_is_checked(run: Run) -> None:
    """It has no digest yet: each of its lines has a checksum of all lines so far."""
    journal(run, {"loss": 1 / 3, "val_loss": 2e-9}, {"loss": 0.1, "val_loss": 0.5})
    path = run.path / layout.JOURNAL
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
    journal(run, {"loss": 3.0}, {"loss": 2.0}, {"loss": 1.0})
    path = run.path / layout.JOURNAL
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:2], *lines[3:]]))

    with pytest.raises(RunError, match=r"history\.csv: line 3 is not as it was written$"):
        run.history()


def test_a_metric_that_comes_later_gets_its_column(run: Run) -> None:
    """A callback may add one; the epochs before have none."""
    journal(run, {"loss": 2.0}, {"loss": 1.0, "learning_rate": 0.5})
    found = run.history().epochs

    assert found["loss"] == [2.0, 1.0]
    assert found["learning_rate"][1:] == [0.5]


def test_the_table_of_an_ended_run_has_no_checksums(ended: Run) -> None:
    """It is for people and spreadsheets."""
    text = (ended.path / layout.JOURNAL).read_text()

    assert text == "epoch,loss,val_loss\n1,0.5,0.25\n2,0.125,0.375\n"


def test_half_a_line_is_replaced_by_the_next_epoch(run: Run) -> None:
    """A disk was full for a while."""
    journal(run, {"loss": 2.0})
    path = run.path / layout.JOURNAL
    path.write_text(path.read_text() + "2,1.")
    run.append_epoch(History({"loss": [2.0, 1.0]}))

    assert run.history().epochs == {"loss": [2.0, 1.0]}


def test_equal_arrays_are_equal_files(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the time is; of a clock before 1980 a ZIP archive knows nothing."""
    run.write_arrays(layout.PREDICTIONS, target=np.arange(3))
    before = (run.path / layout.PREDICTIONS).read_bytes()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    run.write_arrays(layout.PREDICTIONS, target=np.arange(3))

    assert (run.path / layout.PREDICTIONS).read_bytes() == before


def test_a_run_at_work_is_left_to_whoever_has_it(run: Run) -> None:
    with pytest.raises(RunError, match=f"is still running, as process {os.getpid()}$"):
        runs.reopen(run.path)

    run.release()
    assert runs.reopen(run.path).path == run.path


def test_a_folder_that_is_gone_is_said(run: Run) -> None:
    """Somebody cleaned up while it was trained."""
    shutil.rmtree(run.path)
    with pytest.raises(RunError, match=r"the folder of the run is gone$"):
        run.append_epoch(History({"loss": [1.0]}))


def test_half_a_first_line_is_damage_and_not_a_run_without_epochs(run: Run) -> None:
    """It is moved into place whole, so that no kill leaves half of it."""
    journal(run, {"loss": 2.0}, {"loss": 1.0})
    path = run.path / layout.JOURNAL
    written = path.read_bytes()
    for length in range(written.index(b"\n")):
        path.write_bytes(written[:length])
        with pytest.raises(RunError, match=r"history\.csv: was damaged or edited"):
            run.history()


def keep_checkpoint(run: Run, epochs: int) -> Path:
    path = run.path / layout.checkpoint(epochs)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"weights")
    return path


@pytest.mark.parametrize("lines", range(3))
def test_a_table_that_ends_before_its_checkpoint_has_lost_lines(run: Run, lines: int) -> None:
    """A kill can leave it longer than the checkpoint, never shorter."""
    journal(run, {"loss": 3.0}, {"loss": 2.0}, {"loss": 1.0})
    keep_checkpoint(run, 2)
    path = run.path / layout.JOURNAL
    header, *epochs = path.read_text().splitlines(keepends=True)
    path.write_text("".join([header, *epochs[: lines + 1]]))

    if lines + 1 >= 2:
        assert len(run.history()) == lines + 1
    else:
        with pytest.raises(
            RunError, match=r"history\.csv: ends at epoch 1, but checkpoint/epoch-2"
        ):
            run.history()


def test_a_table_that_is_gone_has_lost_its_lines_too(run: Run) -> None:
    journal(run, {"loss": 2.0})
    keep_checkpoint(run, 1)
    (run.path / layout.JOURNAL).unlink()
    with pytest.raises(
        RunError, match=r"ends at epoch 0, but checkpoint/epoch-1\.npz is of a later"
    ):
        run.history()


def test_a_run_that_is_opened_again_has_its_epochs_all_the_time(
    ended: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks at it, or kills it, between two writes finds them."""
    before = ended.history()
    seen = []
    write = Run.replacing

    def looking(run: Run, name: str) -> Any:
        seen.append(Run(run.path).history())
        return write(run, name)

    monkeypatch.setattr(Run, "replacing", looking)
    reopen_record(ended, {})
    ended.begin_journal(before)

    assert [*seen, Run(ended.path).history()] == [before] * 4


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_stands_in_place_of_a_file_is_removed(run: Run, kind: str) -> None:
    path = keep_checkpoint(run, 1)
    if kind == "folder":
        path.unlink()
        path.mkdir()
        (path / "x").touch()
    run.remove(path)
    assert not path.exists()
