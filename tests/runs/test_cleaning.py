"""`clean` deletes the runs that match all filters, never a running one, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from nnrun import runs
from nnrun.errors import CommandError, RunError
from nnrun.runs import Run, cleaning, layout
from nnrun.runs.cleaning import (
    Filter,
    RunInfo,
    Standing,
    ended_as,
    named,
    not_best,
    older_than,
)

NOW = datetime(2026, 6, 1)
MB = 1_000_000
HIDDEN = ".nnrun-removing-"


def info(
    name: str, *, status: str = layout.FINISHED, days: float | None = 1, size: int = MB
) -> RunInfo:
    ended = None if days is None else NOW - timedelta(days=days)
    return RunInfo(Run(Path(name)), status, ended, size)


def deleted(
    filters: Sequence[Filter], *infos: RunInfo, max_size: int | None = None
) -> dict[str, tuple[str, ...]]:
    """The names of the runs to delete, in order, with their reasons."""
    plan = cleaning.plan(infos, filters, max_size)
    return {removal.subject.run.path.name: removal.reasons for removal in plan.removals}


def test_filter_by_age_is_exact_to_the_second() -> None:
    infos = [info("new", days=30), info("old", days=30.5), info("unknown", days=None)]

    assert deleted([older_than(timedelta(days=30), now=NOW)], *infos) == {"old": ("30 days old",)}
    recent = older_than(timedelta(minutes=30), now=NOW)
    assert deleted([recent], info("a", days=1.5 / 24), info("b")) == {
        "b": ("1 day old",),
        "a": ("1 hour old",),
    }


def test_filter_by_rank() -> None:
    """Failed runs and runs without the metric are not among the best; unreadable ones stay."""
    places = dict(enumerate("abc", start=1))
    standings = {Path(name): Standing(place, 3, "accuracy") for place, name in places.items()}
    standings |= dict.fromkeys(map(Path, "de"), Standing(None, 3, "accuracy"))
    standings[Path("f")] = Standing(None, 0, "")
    infos = [*map(info, "abcd"), info("e", status=layout.FAILED), info("f"), info("unreadable")]

    assert deleted([not_best(2, standings)], *infos) == {
        "c": ("number 3 of 3 by accuracy",),
        "d": ("not ranked: no accuracy",),
        "e": ("not ranked: failed",),
        "f": ("not ranked: no metrics",),
    }


def test_the_oldest_are_deleted_until_all_fit() -> None:
    infos = [info("b", days=2), info("a", days=1), info("c", days=3), info("unknown", days=None)]

    assert deleted([], *infos, max_size=2 * MB) == {
        "c": ("4.0 MB in all, above 2.0 MB",),
        "b": ("3.0 MB in all, above 2.0 MB",),
    }
    assert list(deleted([], *infos, max_size=0)) == ["c", "b", "a", "unknown"]
    assert deleted([], *infos, max_size=4 * MB) == {}


def test_the_size_of_all_runs_counts_but_only_matching_ones_are_deleted() -> None:
    failed = [info(name, status=layout.FAILED, days=days) for name, days in (("x", 5), ("y", 9))]
    infos = [info("old", days=99), info("new"), *failed]

    assert deleted([ended_as({layout.FAILED})], *infos, max_size=3 * MB) == {
        "y": ("failed", "4.0 MB in all, above 3.0 MB")
    }


def test_a_running_run_counts_for_the_size_and_stays() -> None:
    running = info("a", status=layout.RUNNING, days=9, size=5 * MB)
    plan = cleaning.plan([running, info("b")], [], MB)

    assert [removal.subject.run.path.name for removal in plan.removals] == ["b"]
    assert (plan.staying, plan.left, plan.freed) == (1, 5 * MB, MB)


RANKED = {Path(name): Standing(9, 9, "mae") for name in ("all", "other")}
FILTERS = {
    "name": named({Path("all"), Path("named")}),
    "status": ended_as({layout.FAILED}),
    "age": older_than(timedelta(days=30), now=NOW),
    "rank": not_best(1, RANKED | {Path("named"): Standing(9, 9, "mae")}),
}
OTHERS = {
    "name": info("other", status=layout.FAILED, days=40),
    "status": info("named", status=layout.FINISHED, days=40),
    "age": info("named", status=layout.FAILED, days=20),
    "rank": info("named", status=layout.FAILED, days=40),
}


@pytest.mark.parametrize("missing", FILTERS)
def test_a_run_must_match_every_filter(missing: str) -> None:
    """The second run matches all filters but one; without that one both are deleted."""
    filters = dict(FILTERS)
    if missing == "rank":
        filters["rank"] = not_best(1, RANKED | {Path("named"): Standing(1, 9, "mae")})
    pair = info("all", status=layout.FAILED, days=41), OTHERS[missing]
    fewer = [match for name, match in filters.items() if name != missing]

    assert list(deleted([*filters.values()], *pair)) == ["all"]
    assert list(deleted(fewer, *pair)) == ["all", pair[1].run.path.name]


@pytest.mark.parametrize("name", FILTERS)
def test_a_running_run_always_stays(name: str) -> None:
    running = info("all", status=layout.RUNNING, days=99)

    assert deleted([FILTERS[name]], running, max_size=0) == {}


@pytest.mark.parametrize("text", ["", "30", "d", "-3d", "3m", "1e3d", "d3", "9" * 400 + "w"])
def test_a_wrong_age_is_refused(text: str) -> None:
    message = f"^--older-than {text}: must be hours, days or weeks, such as 36h, 30d or 2w$"
    with pytest.raises(CommandError, match=message):
        cleaning.age(text)


@pytest.mark.parametrize("text", ["", "G", "-2G", "2X", "2 kilo", "1e9", "9" * 400])
def test_a_wrong_size_is_refused(text: str) -> None:
    message = f"^--max-size {text}: must be a size, such as 500M or 2G$"
    with pytest.raises(CommandError, match=message):
        cleaning.bytes_of(text)


@pytest.mark.parametrize(
    ("text", "count"),
    {"0": 0, "800": 800, "12k": 12e3, "1.5MB": 1.5e6, "2gb": 2e9, "1T": 1e12}.items(),
)
def test_sizes_have_decimal_units(text: str, count: float) -> None:
    assert cleaning.bytes_of(text) == count


@pytest.mark.parametrize(
    ("ended", "expected"),
    {
        "2026-03-01T12:00:00": datetime(2026, 3, 1, 12),
        datetime(2026, 3, 1, 12).astimezone().isoformat(): datetime(2026, 3, 1, 12),
        None: datetime(2026, 1, 2),
        "soon": datetime(2026, 1, 2),
    }.items(),
    ids=str,
)
def test_the_age_is_that_of_the_record_and_not_of_files(
    tmp_path: Path, ended: str | None, expected: datetime
) -> None:
    run = runs.create(tmp_path, "a", now=datetime(2026, 1, 2), record={})
    run.update(status=layout.FINISHED, ended=ended)

    assert cleaning.read(run).ended == expected


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def run(root: Path) -> Run:
    """A finished cross-validation with a fold and a plot."""
    whole = runs.create(root, "a", now=NOW, record={"folds": []})
    runs.create_part(whole, layout.fold(1), "a", now=NOW, record={}).update(status=layout.FINISHED)
    whole.write_text(layout.plot("loss"), "x" * 1000)
    whole.update(status=layout.FINISHED)
    whole.release()
    return whole


def test_disk_usage_counts_all_files_and_links_as_themselves(run: Run, tmp_path: Path) -> None:
    files = [path for path in run.path.rglob("*") if path.is_file()]
    size = cleaning.disk_usage(run.path)
    assert size == sum(path.stat().st_size for path in files) > 1000

    (tmp_path / "big").write_bytes(bytes(100_000))
    (run.path / "file").symlink_to(tmp_path / "big")
    (run.path / "folder").symlink_to(tmp_path)
    (run.path / "loop").symlink_to(run.path)
    (tmp_path / "link").symlink_to(run.path)

    assert size < cleaning.disk_usage(run.path) < size + 1000
    assert cleaning.disk_usage(tmp_path / "link") == len(str(run.path))


def test_targets_of_links_stay_when_a_run_is_deleted(run: Run, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("kept")
    (run.path / "folder").symlink_to(tmp_path / "kept")
    (run.path / "file").symlink_to(tmp_path / "kept" / "file")
    cleaning.remove(run)

    assert list(run.path.parent.iterdir()) == []
    assert (tmp_path / "kept" / "file").read_text() == "kept"


def test_a_running_run_cannot_be_deleted(root: Path) -> None:
    run = runs.create(root, "a", now=NOW, record={})

    with pytest.raises(RunError, match=r"a cannot be deleted: it is running$"):
        cleaning.remove(run)
    assert run.status() == layout.RUNNING


def test_a_cross_validation_is_running_while_a_fold_is(run: Run) -> None:
    """Workers outlive a killed process for some seconds."""
    run.update(status=layout.RUNNING)
    assert (run.status(), cleaning.is_at_work(run)) == (layout.CRASHED, False)

    Run(run.path / "fold-1").update(status=layout.RUNNING)
    fold = runs.reopen(run.path / "fold-1")
    assert (run.status(), cleaning.is_at_work(run)) == (layout.CRASHED, True)

    fold.release()
    assert not cleaning.is_at_work(run)
    (run.path / "fold-1" / layout.RUN).write_text('{"sta')
    assert not cleaning.is_at_work(run)


def test_only_runs_can_be_deleted(run: Run, root: Path, tmp_path: Path) -> None:
    """Neither other folders nor links."""
    (root / "notes").mkdir()
    (root / "file").write_text("")
    (root / "link").symlink_to(run.path)
    (root / "linked").mkdir()
    (root / "linked" / layout.RUN).symlink_to(run.path / layout.RUN)
    (root / f"{HIDDEN}b").mkdir()
    (root / f"{HIDDEN}b" / layout.RUN).write_text('{"name": "b", "status": "finished"}')

    assert cleaning.removable(root) == [run]
    assert cleaning.removable(tmp_path / "none") == []


def test_a_half_deleted_run_is_a_leftover_and_no_run(run: Run, root: Path, tmp_path: Path) -> None:
    hidden = run.path.rename(root / f"{HIDDEN}{run.path.name}")
    (root / f"{HIDDEN}link").symlink_to(hidden)
    (root / f"{HIDDEN}file").write_text("")
    (root / ".hidden").mkdir()

    assert runs.find(root) == []
    assert cleaning.leftovers(root) == [hidden]
    assert cleaning.leftovers(tmp_path / "none") == []
    cleaning.remove_leftover(hidden)
    assert cleaning.leftovers(root) == []


def test_concurrent_processes_may_delete_the_same_run(root: Path) -> None:
    hidden = root / f"{HIDDEN}a"
    hidden.mkdir(parents=True)
    for number in range(1000):
        (hidden / str(number)).touch()
    program = (
        "import sys; from pathlib import Path; from nnrun.runs import cleaning\n"
        "sys.stdin.readline(); cleaning.remove_leftover(Path(sys.argv[1]))\n"
    )
    command = [sys.executable, "-c", program, str(hidden)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stderr=pipe, text=True) for _ in range(3)]

    assert [process.communicate("\n")[1] for process in processes] == [""] * 3
    assert not hidden.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("locked", ["", "fold-1", ".."])
def test_a_run_with_a_read_only_folder_stays_complete(run: Run, locked: str) -> None:
    folder = run.path.parent if locked == ".." else run.path / locked
    before = sorted(run.path.rglob("*"))
    folder.chmod(0o500)
    try:
        with pytest.raises(RunError, match=f"a cannot be deleted: {folder} is read-only$"):
            cleaning.remove(run)
        assert sorted(run.path.rglob("*")) == before
    finally:
        folder.chmod(0o700)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look anywhere")
def test_a_folder_without_permissions_hides_no_run(run: Run, root: Path) -> None:
    (root / "private").mkdir(mode=0o000)
    try:
        assert runs.find(root) == [run]
    finally:
        (root / "private").chmod(0o700)
