"""`nnrun clean`: deletes whole runs, and nothing that was not selected."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nnrun import runs
from nnrun.runs import Run, cleaning, layout
from nnrun.spec.dumping import dump
from nnrun.spec.loading import load

TODAY = datetime.now().replace(microsecond=0)
YEAR, WEEK, HOUR = timedelta(days=365), timedelta(days=7), timedelta(hours=1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def make(root: Path, configs: Path) -> Callable[..., Run]:
    """Writes runs with a test accuracy and an age."""
    spec = load(configs / "iris.yaml").experiment

    def make(
        name: str,
        accuracy: float = 0.5,
        *,
        status: str = layout.FINISHED,
        ago: timedelta = HOUR,
        size: int = 0,
    ) -> Run:
        run = runs.create(root, name, now=TODAY - ago, record={"verb": "train"})
        run.write_text(layout.SPEC, dump(spec.model_copy(update={"name": name})))
        metrics = {"loss": 1 - accuracy, "accuracy": accuracy}
        run.write_json(layout.METRICS, {"train": metrics, "test": metrics, "epochs": 1})
        run.write_text(layout.LOG, "x" * size)
        # A crashed run is recorded as running, and no process holds it.
        run.update(status=layout.RUNNING if status == layout.CRASHED else status)
        if status != layout.RUNNING:
            run.release()
        return run

    return make


@pytest.fixture
def clean(here: Any, root: Path) -> Any:
    return lambda *arguments, **more: here("clean", *arguments, "--runs", root, **more)


@pytest.fixture
def left(root: Path) -> Callable[[], set[str]]:
    """The names of the experiments with a remaining run."""
    return lambda: {run.record().name for run in runs.find(root)}


def cells(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def kilobytes(run: Run) -> str:
    return f"{cleaning.disk_usage(run.path) / 1000:.1f} kB"


def test_without_a_filter_nothing_is_deleted(make: Any, clean: Any, left: Any) -> None:
    make("a")
    answer = clean("--yes")

    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == (
        "error: select runs by name, or with --keep-best, --older-than, --max-size or --status; "
        "only runs that match all given filters are deleted, and --dry-run lists them\n"
    )
    assert left() == {"a"}


def test_a_dry_run_lists_the_runs_with_reasons(make: Any, clean: Any, left: Any) -> None:
    old, young = make("a", status=layout.FAILED, ago=YEAR), make("b", status=layout.FAILED)
    answer = clean("--status", "failed", "--older-than", "30d", "--dry-run")

    assert (answer.returncode, answer.stderr) == (0, "")
    assert cells(answer.stdout) == [
        [old.path.name, "failed", kilobytes(old), "failed; 365 days old"]
    ]
    assert answer.stdout.splitlines()[-1] == (
        f"to delete: 1 run, {kilobytes(old)}; 1 run, {kilobytes(young)} kept"
    )
    assert left() == {"a", "b"}


def test_yes_deletes_without_asking(make: Any, clean: Any, root: Path) -> None:
    run, kept = make("a", status=layout.CRASHED), make("b")
    size = kilobytes(run)
    answer = clean("--status", "crashed", "--yes")

    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.splitlines()[-1] == f"deleted 1 run, {size}"
    assert list(root.iterdir()) == [kept.path]


def test_off_a_terminal_nothing_is_deleted_without_yes(make: Any, clean: Any, left: Any) -> None:
    make("a", status=layout.FAILED)
    answer = clean("--status", "failed")

    assert answer.returncode == 2
    assert answer.stderr == "error: nothing is deleted: use --yes where the command cannot ask\n"
    assert left() == {"a"}


@pytest.mark.parametrize(("reply", "expected"), [("y\n", set()), ("\n", {"a"})])
def test_on_a_terminal_it_asks(
    reply: str, expected: set[str], make: Any, root: Path, left: Any, environment: dict[str, str]
) -> None:
    make("a", status=layout.FAILED)
    ours, theirs = pty.openpty()
    os.write(ours, reply.encode())
    command = ["clean", "--status", "failed", "--runs", str(root)]
    answer = subprocess.run(
        [sys.executable, "-m", "nnrun", *command],
        stdin=theirs,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )

    end = "nothing is deleted\n" if expected else ""
    assert (answer.returncode, answer.stderr) == (0, f"delete all these? [y/N] {end}")
    assert left() == expected


@pytest.mark.parametrize("options", [("--status", "failed"), ("--older-than", "1h", "--dry-run")])
def test_without_a_matching_run_there_is_nothing_to_delete(
    options: tuple[str, ...], make: Any, clean: Any, root: Path
) -> None:
    assert clean(*options).stdout == "nothing to delete; 0 runs, 0 B kept\n"
    assert not root.exists()
    size = kilobytes(make("a", ago=timedelta()))
    answer = clean(*options)

    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == f"nothing to delete; 1 run, {size} kept\n"


def test_the_best_runs_of_each_name_are_kept(make: Any, clean: Any, root: Path) -> None:
    ranked = {accuracy: make("a", accuracy) for accuracy in (0.7, 0.9, 0.8)}
    other = make("b", 0.1)
    answer = clean("--keep-best", 2, "--yes")

    assert cells(answer.stdout)[0][3] == "number 3 of 3 by accuracy"
    assert {*root.iterdir()} == {ranked[0.9].path, ranked[0.8].path, other.path}


def test_a_size_that_cannot_be_met_is_reported(make: Any, clean: Any) -> None:
    make("a", size=99_000)
    answer = clean("--max-size", "0", "--status", "failed", "--dry-run")

    assert answer.returncode == 0
    assert answer.stdout.splitlines()[-1].endswith(
        "kB are still above 0 B, but no other run matches all filters"
    )


@pytest.mark.parametrize("options", [("--status", "crashed"), ("--older-than", "1h"), ()])
def test_a_running_run_is_never_deleted(
    options: tuple[str, ...], make: Any, clean: Any, left: Any
) -> None:
    run = make("a", status=layout.RUNNING, ago=YEAR)
    answer = clean(run.path.name, *options, "--max-size", "0", "--yes")

    assert answer.returncode == 0
    assert answer.stdout.startswith("nothing to delete; 1 run, ")
    assert left() == {"a"}


def test_runs_are_selected_by_name_or_by_folder(
    make: Any, here: Any, left: Any, root: Path
) -> None:
    """The folder of all runs may be a link, and other filters still hold."""
    first, second, third = make("a"), make("b"), make("c")
    root.with_name("link").symlink_to(root)
    folder = f"link/{second.path.name}/"
    answer = here("clean", first.path.name, folder, "--yes", "--runs", "link", cwd=root.parent)
    here("clean", third.path, "--status", "failed", "--yes", "--runs", root)

    assert [row[3] for row in cells(answer.stdout)] == ["named", "named"]
    assert left() == {"c"}


def test_a_missing_run_stops_the_command(make: Any, clean: Any, left: Any) -> None:
    answer = clean(make("a").path, "20250101-000000-b", "--yes")

    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == "error: there is no run 20250101-000000-b; nothing is deleted\n"
    assert left() == {"a"}


def test_a_run_in_another_folder_is_refused(make: Any, clean: Any, tmp_path: Path) -> None:
    make("a")
    other = runs.create(tmp_path / "other", "b", now=TODAY, record={})
    other.update(status=layout.FAILED)
    answer = clean(other.path, "--yes")

    assert answer.returncode == 2
    assert f"is not in {tmp_path / 'runs'}; use `--runs {tmp_path / 'other'}`" in answer.stderr
    assert other.status() == layout.FAILED


def test_a_fold_cannot_be_deleted_alone(make: Any, clean: Any, here: Any) -> None:
    whole = make("a")
    part = runs.create_part(whole, "fold-1", "a", now=TODAY - YEAR, record={"fold": 1})
    part.update(status=layout.FAILED)
    named = clean(part.path, "--yes")
    inside = here("clean", "--status", "failed", "--yes", "--runs", whole.path)

    assert named.returncode == inside.returncode == 2
    assert f"is a part of {whole.path.name}; delete the whole run" in named.stderr
    assert "is itself a run; delete it from its parent folder" in inside.stderr
    assert part.status() == layout.FAILED


def test_other_files_and_links_are_never_deleted(
    make: Any, clean: Any, root: Path, tmp_path: Path
) -> None:
    """Even if they are named."""
    make("a", ago=YEAR)
    other = runs.create(tmp_path / "other", "b", now=TODAY - YEAR, record={})
    other.update(status=layout.FAILED)
    (root / "notes").mkdir()
    (root / "notes" / "file").write_text("kept")
    (root / "README").write_text("kept")
    (root / "link").symlink_to(other.path)
    (root / ".git").mkdir()
    answer = clean(*sorted(root.glob("[!.]*")), "--older-than", "1h", "--max-size", "0", "--yes")

    assert answer.returncode == 0
    assert answer.stderr == (
        f"skipped: {root / 'README'} is not a run\n"
        f"skipped: {root / 'link'} is a link\n"
        f"skipped: {root / 'notes'} is not a run\n"
    )
    assert {path.name for path in root.iterdir()} == {"notes", "README", "link", ".git"}
    assert other.status() == layout.FAILED


def test_damaged_runs_are_reported_and_kept(make: Any, clean: Any, root: Path) -> None:
    """One has no readable record, another cannot be ranked."""
    broken, unranked = make("b", ago=YEAR), make("a", ago=YEAR)
    best, poor = make("a", 0.9, ago=YEAR), make("a", 0.2, ago=YEAR)
    (broken.path / layout.RUN).write_text('{"sta')
    (unranked.path / layout.METRICS).write_text("[]")
    answer = clean("--older-than", "1w", "--keep-best", 1, "--yes")

    assert answer.returncode == 0
    assert f"skipped: {broken.path / layout.RUN}: cannot be read" in answer.stderr
    reason = "was damaged or edited since the run wrote it"
    assert f"skipped: {unranked.path / layout.METRICS}: {reason}" in answer.stderr
    assert {*root.iterdir()} == {broken.path, unranked.path, best.path}
    assert poor.path.name in answer.stdout


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_run_that_cannot_be_deleted_does_not_stop_the_others(
    make: Any, clean: Any, root: Path
) -> None:
    locked, other = (make(name, status=layout.FAILED) for name in "ab")
    locked.path.chmod(0o500)
    answer = clean("--status", "failed", "--yes")
    locked.path.chmod(0o700)

    assert answer.returncode == 1
    assert answer.stderr.startswith(f"error: {locked.path} cannot be ")
    assert answer.stdout.splitlines()[-1].endswith("; 1 could not be deleted")
    assert list(root.iterdir()) == [locked.path]
    assert not other.path.exists()


def test_a_half_deleted_run_is_not_listed_and_the_next_clean_deletes_the_rest(
    make: Any, clean: Any, here: Any, root: Path
) -> None:
    run, kept = make("a", status=layout.FAILED), make("b")
    run.path.rename(root / f".nnrun-removing-{run.path.name}")
    listed = json.loads(here("list", "--json", "--runs", root).stdout)["runs"]
    compared = here("compare", "--runs", root)
    answer = clean("--status", "failed", "--yes")

    assert [entry["path"] for entry in listed] == [str(kept.path)]
    assert "a" not in {row[0] for row in cells(compared.stdout)}
    assert (answer.returncode, answer.stderr) == (0, "")
    assert cells(answer.stdout)[0][3] == "left by an interrupted deletion"
    assert list(root.iterdir()) == [kept.path]


def test_json_is_one_document(make: Any, clean: Any, root: Path) -> None:
    run, other = make("a", status=layout.FAILED), make("b")
    (root / ".nnrun-removing-c").mkdir()
    (root / ".nnrun-removing-c" / "file").write_text("four")
    sizes = [cleaning.disk_usage(run.path) for run in (run, other)]
    planned = json.loads(clean("--status", "failed", "--json", "--dry-run").stdout)
    done = json.loads(clean("--status", "failed", "--json", "--yes").stdout)
    row = {"path": str(run.path), "status": "failed", "bytes": sizes[0], "why": ["failed"]}
    rest = {"path": str(root / ".nnrun-removing-c"), "bytes": 4}

    assert planned == {
        "schema_version": 1,
        "runs": [{**row, "removed": False}],
        "leftovers": [{**rest, "removed": False}],
        "removed_bytes": 0,
        "staying": {"runs": 1, "bytes": sizes[1]},
    }
    assert done == {
        **planned,
        "runs": [{**row, "removed": True}],
        "leftovers": [{**rest, "removed": True}],
        "removed_bytes": sizes[0] + 4,
    }
