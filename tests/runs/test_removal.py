"""A run goes as a whole: hidden first, and nothing that is not in its folder goes with it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from nnrun import runs
from nnrun.errors import RunError
from nnrun.runs import Run, cleaning, layout

NOW = datetime(2026, 1, 2, 3, 4, 5)
HIDDEN = ".nnrun-removing-"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def run(root: Path) -> Run:
    """A finished one, with a fold and a plot."""
    whole = runs.create(root, "a", now=NOW, record={"folds": []})
    runs.create_part(whole, layout.fold(1), "a", now=NOW, record={}).update(status=layout.FINISHED)
    whole.write_text(layout.plot("loss"), "x" * 1000)
    whole.update(status=layout.FINISHED)
    whole.release()
    return whole


def test_the_size_is_that_of_all_files(run: Run) -> None:
    files = [path for path in run.path.rglob("*") if path.is_file()]

    assert len(files) == 3
    assert cleaning.disk_usage(run.path) == sum(path.stat().st_size for path in files) > 1000


def test_a_link_counts_as_itself(run: Run, tmp_path: Path) -> None:
    """What it leads to lies elsewhere, and would not go with the run."""
    before = cleaning.disk_usage(run.path)
    big = tmp_path / "big"
    big.write_bytes(bytes(100_000))
    (run.path / "file").symlink_to(big)
    (run.path / "folder").symlink_to(tmp_path)
    (run.path / "loop").symlink_to(run.path)

    assert cleaning.disk_usage(run.path) - before < 1000
    (tmp_path / "link").symlink_to(run.path)
    assert cleaning.disk_usage(tmp_path / "link") == len(str(run.path))


def test_a_removed_run_is_gone(run: Run) -> None:
    cleaning.remove(run)

    assert list(run.path.parent.iterdir()) == []


def test_what_a_link_leads_to_stays(run: Run, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("kept")
    (run.path / "folder").symlink_to(kept)
    (run.path / "file").symlink_to(kept / "file")
    cleaning.remove(run)

    assert not run.path.exists()
    assert (kept / "file").read_text() == "kept"


def test_a_running_run_is_refused(root: Path) -> None:
    """It may have begun after somebody looked, as `resume` goes on with an interrupted one."""
    run = runs.create(root, "a", now=NOW, record={})

    with pytest.raises(RunError, match=r"20260102-030405-a cannot be removed: it is running$"):
        cleaning.remove(run)
    assert run.status() == layout.RUNNING


def test_a_cross_validation_is_at_work_while_a_fold_is(run: Run) -> None:
    """A worker outlives the process that was killed for some seconds, and writes its fold."""
    run.update(status=layout.RUNNING)
    assert (run.status(), cleaning.is_at_work(run)) == (layout.CRASHED, False)

    Run(run.path / "fold-1").update(status=layout.RUNNING)
    fold = runs.reopen(run.path / "fold-1")
    assert (run.status(), cleaning.is_at_work(run)) == (layout.CRASHED, True)

    fold.release()
    assert not cleaning.is_at_work(run)


def test_a_broken_fold_is_not_at_work(run: Run) -> None:
    (run.path / "fold-1" / layout.RUN).write_text('{"sta')

    assert not cleaning.is_at_work(run)


def test_only_runs_can_be_removed(run: Run, root: Path, tmp_path: Path) -> None:
    """Neither a stranger's folder, nor a link to a run, nor one whose record is a link."""
    (root / "notes").mkdir()
    (root / "file").write_text("")
    (root / "link").symlink_to(run.path)
    (root / "linked").mkdir()
    (root / "linked" / layout.RUN).symlink_to(run.path / layout.RUN)
    (root / f"{HIDDEN}b").mkdir()
    (root / f"{HIDDEN}b" / layout.RUN).write_text('{"name": "b", "status": "finished"}')

    assert cleaning.removable(root) == [run]
    assert cleaning.removable(tmp_path / "none") == []


def test_a_run_on_its_way_out_is_no_run(run: Run, root: Path) -> None:
    """Killed after the first step, all its files are still there."""
    hidden = run.path.rename(root / f"{HIDDEN}{run.path.name}")

    assert runs.find(root) == []
    assert cleaning.leftovers(root) == [hidden]
    cleaning.remove_leftover(hidden)
    assert list(root.iterdir()) == []


def test_leftovers_are_folders_and_no_links(run: Run, root: Path, tmp_path: Path) -> None:
    (root / f"{HIDDEN}link").symlink_to(run.path)
    (root / f"{HIDDEN}file").write_text("")
    (root / ".hidden").mkdir()

    assert cleaning.leftovers(root) == []
    assert cleaning.leftovers(tmp_path / "none") == []


def test_two_processes_may_delete_the_same(root: Path) -> None:
    """Two terminals, or a schedule and a person."""
    hidden = root / f"{HIDDEN}a"
    hidden.mkdir(parents=True)
    for number in range(3000):
        (hidden / str(number)).touch()
    program = (
        "import sys; from pathlib import Path; from nnrun.runs import cleaning\n"
        "sys.stdin.readline(); cleaning.remove_leftover(Path(sys.argv[1]))\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(hidden)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]

    assert [process.communicate("\n")[1] for process in processes] == [""] * 3
    assert not hidden.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("locked", ["", "fold-1", ".."])
def test_a_run_that_cannot_go_as_a_whole_stays_as_a_whole(run: Run, locked: str) -> None:
    folder = run.path.parent if locked == ".." else run.path / locked
    before = sorted(run.path.rglob("*"))
    folder.chmod(0o500)
    try:
        with pytest.raises(RunError, match=f"a cannot be removed: {folder} is read-only$"):
            cleaning.remove(run)
        assert sorted(run.path.rglob("*")) == before
    finally:
        folder.chmod(0o700)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look anywhere")
def test_a_folder_that_nobody_may_look_into_hides_no_run(run: Run, root: Path) -> None:
    (root / "private").mkdir(mode=0o000)
    try:
        assert runs.find(root) == [run]
    finally:
        (root / "private").chmod(0o700)
