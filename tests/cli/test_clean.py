"""`nnrun clean`: what goes goes as a whole, and what is not meant stays."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
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
    """Makes runs with a test accuracy, as old as a test says."""
    spec = load(configs / "iris.yaml").experiment

    def run(
        name: str,
        accuracy: float = 0.5,
        *,
        status: str = layout.FINISHED,
        ago: timedelta = HOUR,
        size: int = 0,
    ) -> Run:
        made = runs.create(root, name, now=TODAY - ago, record={"verb": "train"})
        made.write_text(layout.SPEC, dump(spec.model_copy(update={"name": name})))
        metrics = {"loss": 1 - accuracy, "accuracy": accuracy}
        made.write_json(layout.METRICS, {"train": metrics, "test": metrics, "epochs": 1})
        made.write_text(layout.LOG, "x" * size)
        # That it has crashed a run cannot say itself: it is running, and nobody holds it.
        made.update(status=layout.RUNNING if status == layout.CRASHED else status)
        if status != layout.RUNNING:
            made.release()
        return made

    return run


@pytest.fixture
def clean(here: Callable[..., Any], root: Path) -> Callable[..., Any]:
    return lambda *arguments, **more: here("clean", *arguments, "--runs", root, **more)


@pytest.fixture
def left(root: Path) -> Callable[[], set[str]]:
    """The names of the experiments of which a run is there."""
    return lambda: {run.record().name for run in runs.find(root)}


def cells(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_without_a_rule_nothing_goes(make: Any, clean: Any, left: Any) -> None:
    """Else a forgotten option would remove all."""
    make("a")
    answer = clean("--yes")

    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == (
        "error: select runs by name, or with --keep-best, --older-than, --max-size or --status; "
        "only runs that match all given filters are deleted, and --dry-run lists them\n"
    )
    assert left() == {"a"}


def test_a_dry_run_says_what_would_go_and_why(make: Any, clean: Any, left: Any) -> None:
    old, young = make("a", status=layout.FAILED, ago=YEAR), make("b", status=layout.FAILED)
    answer = clean("--status", "failed", "--older-than", "30d", "--dry-run")
    sizes = [cleaning.disk_usage(run.path) for run in (old, young)]

    assert (answer.returncode, answer.stderr) == (0, "")
    assert cells(answer.stdout) == [
        [old.path.name, "failed", f"{sizes[0] / 1000:.1f} kB", "failed; 365 days old"]
    ]
    assert answer.stdout.splitlines()[-1] == (
        f"to delete: 1 run, {sizes[0] / 1000:.1f} kB; 1 run, {sizes[1] / 1000:.1f} kB kept"
    )
    assert left() == {"a", "b"}


def test_with_yes_it_goes(make: Any, clean: Any, root: Path) -> None:
    run, kept = make("a", status=layout.CRASHED), make("b")
    size = cleaning.disk_usage(run.path) / 1000
    answer = clean("--status", "crashed", "--yes")

    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.splitlines()[-1] == f"deleted 1 run, {size:.1f} kB"
    assert list(root.iterdir()) == [kept.path]


def test_where_nobody_can_be_asked_nothing_goes_without_yes(
    make: Any, clean: Any, left: Any
) -> None:
    make("a", status=layout.FAILED)
    answer = clean("--status", "failed")

    assert answer.returncode == 2
    assert answer.stderr == "error: nothing is deleted: use --yes where the command cannot ask\n"
    assert left() == {"a"}


@pytest.mark.parametrize(("said", "expected"), {"y\n": set(), "n\n": {"a"}, "\n": {"a"}}.items())
def test_on_a_terminal_it_asks(
    said: str, expected: set[str], make: Any, root: Path, left: Any, environment: dict[str, str]
) -> None:
    make("a", status=layout.FAILED)
    ours, theirs = pty.openpty()
    os.write(ours, said.encode())
    command = ["clean", "--status", "failed", "--runs", str(root)]
    answer = subprocess.run(
        [sys.executable, "-m", "nnrun", *command],
        stdin=theirs,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )

    said_no = "nothing is deleted\n" if expected else ""
    assert (answer.returncode, answer.stderr) == (0, f"delete all these? [y/N] {said_no}")
    assert left() == expected


@pytest.mark.parametrize("rule", [("--status", "failed"), ("--older-than", "1h", "--dry-run")])
def test_where_nothing_is_meant_it_says_so(
    rule: tuple[str, ...], make: Any, clean: Any, root: Path
) -> None:
    size = cleaning.disk_usage(make("a", ago=timedelta()).path) / 1000
    answer = clean(*rule)

    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == f"nothing to delete; 1 run, {size:.1f} kB kept\n"


def test_before_the_first_run_there_is_nothing_to_remove(clean: Any, tmp_path: Path) -> None:
    answer = clean("--status", "failed")

    assert (answer.returncode, answer.stdout) == (0, "nothing to delete; 0 runs, 0 B kept\n")
    assert list(tmp_path.iterdir()) == []


def test_the_best_of_each_name_stay(make: Any, clean: Any, root: Path) -> None:
    places = {accuracy: make("a", accuracy) for accuracy in (0.7, 0.9, 0.8)}
    other = make("b", 0.1)
    answer = clean("--keep-best", 2, "--yes")

    assert cells(answer.stdout)[0][3] == "number 3 of 3 by accuracy"
    assert {*root.iterdir()} == {places[0.9].path, places[0.8].path, other.path}


def test_the_oldest_go_until_all_fit_in(make: Any, clean: Any, left: Any) -> None:
    """By the time in the record: the files of all are from this second."""
    for weeks, name in enumerate("cab", start=1):
        make(name, ago=weeks * WEEK, size=100_000)
    answer = clean("--max-size", "250kB", "--yes")

    assert answer.returncode == 0
    assert left() == {"c", "a"}


def test_where_all_cannot_be_made_to_fit_it_says_so(make: Any, clean: Any) -> None:
    make("a", size=99_000)
    size = cleaning.disk_usage(
        next(iter(Path(make("b", status=layout.RUNNING).path.parent).glob("*-a")))
    )
    answer = clean("--max-size", "0", "--status", "failed", "--dry-run")

    assert size > 99_000
    assert answer.returncode == 0
    assert answer.stdout.splitlines()[-1].endswith(
        "kB are still above 0 B, but no other run matches all filters"
    )


@pytest.mark.parametrize("rule", [("--status", "crashed"), ("--older-than", "1h"), ()])
def test_a_running_run_is_never_touched(
    rule: tuple[str, ...], make: Any, clean: Any, left: Any
) -> None:
    """Its record names the process of the tests."""
    run = make("a", status=layout.RUNNING, ago=YEAR)
    answer = clean(run.path.name, *rule, "--max-size", "0", "--yes")

    assert answer.returncode == 0
    assert answer.stdout.startswith("nothing to delete; 1 run, ")
    assert left() == {"a"}


def test_runs_are_named_by_name_or_by_folder(
    make: Any, nnrun: Callable[..., Any], left: Any, root: Path
) -> None:
    first, second, _ = make("a"), make("b"), make("c")
    answer = nnrun("clean", first.path.name, f"runs/{second.path.name}/", "--yes", cwd=root.parent)

    assert [row[3] for row in cells(answer.stdout)] == ["named", "named"]
    assert left() == {"c"}


def test_a_named_run_stays_where_another_rule_says_so(make: Any, clean: Any, left: Any) -> None:
    answer = clean(
        make("a").path, make("b", status=layout.FAILED).path, "--status", "failed", "--yes"
    )

    assert answer.returncode == 0
    assert left() == {"a"}


def test_what_is_named_and_not_there_stops_all(make: Any, clean: Any, left: Any) -> None:
    """A slip of the finger; what else was typed may be one, too."""
    answer = clean(make("a").path, "20250101-000000-b", "--yes")

    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == "error: there is no run 20250101-000000-b; nothing is deleted\n"
    assert left() == {"a"}


def test_what_lies_elsewhere_is_refused(make: Any, clean: Any, tmp_path: Path) -> None:
    make("a")
    other = runs.create(tmp_path / "other", "b", now=TODAY, record={})
    other.update(status=layout.FAILED)
    answer = clean(other.path, "--yes")

    assert answer.returncode == 2
    assert f"is not in {tmp_path / 'runs'}; use `--runs {tmp_path / 'other'}`" in answer.stderr
    assert other.status() == layout.FAILED


def test_a_fold_goes_only_with_its_run(make: Any, clean: Any, nnrun: Callable[..., Any]) -> None:
    """Without it the cross-validation would tell of rows that nobody can look at."""
    whole = make("a")
    part = runs.create_part(whole, "fold-1", "a", now=TODAY - YEAR, record={"fold": 1})
    part.update(status=layout.FAILED)
    named = clean(part.path, "--yes")
    inside = nnrun("clean", "--status", "failed", "--yes", "--runs", whole.path)

    assert named.returncode == inside.returncode == 2
    assert f"is a part of {whole.path.name}; delete the whole run" in named.stderr
    assert "is itself a run; delete it from its parent folder" in inside.stderr
    assert part.status() == layout.FAILED


def test_what_is_no_run_is_never_touched(make: Any, clean: Any, root: Path, tmp_path: Path) -> None:
    """A stranger's folder, a file, a link to a run elsewhere: named or not."""
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


def test_the_folder_of_all_runs_may_be_a_link(
    make: Any, nnrun: Callable[..., Any], root: Path, tmp_path: Path
) -> None:
    """To a larger disk, as people do."""
    run = make("a")
    (tmp_path / "link").symlink_to(root)
    answer = nnrun("clean", f"link/{run.path.name}", "--yes", "--runs", "link", cwd=tmp_path)

    assert answer.returncode == 0
    assert list(root.iterdir()) == []


def test_a_broken_run_is_told_and_stays(make: Any, clean: Any, root: Path) -> None:
    make("a", ago=YEAR)
    broken = make("b", ago=YEAR)
    (broken.path / layout.RUN).write_text('{"sta')
    answer = clean("--older-than", "1w", "--yes")

    assert answer.returncode == 0
    assert f"skipped: {broken.path / layout.RUN}: cannot be read" in answer.stderr
    assert list(root.iterdir()) == [broken.path]


def test_a_run_that_cannot_be_ranked_is_told_and_stays(make: Any, clean: Any, root: Path) -> None:
    broken, best, poor = make("a"), make("a", 0.9), make("a", 0.2)
    (broken.path / layout.METRICS).write_text("[]")
    answer = clean("--keep-best", 1, "--yes")

    assert (
        f"skipped: {broken.path / layout.METRICS}: was damaged or edited since the run wrote it"
        in answer.stderr
    )
    assert {*root.iterdir()} == {broken.path, best.path}
    assert poor.path.name in answer.stdout


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_what_cannot_be_removed_does_not_keep_the_others(make: Any, clean: Any, root: Path) -> None:
    locked, other = (make(name, status=layout.FAILED) for name in "ab")
    locked.path.chmod(0o500)
    answer = clean("--status", "failed", "--yes")
    locked.path.chmod(0o700)

    assert answer.returncode == 1
    assert answer.stderr == (
        f"error: {locked.path} cannot be removed: {locked.path} is read-only\n"
    )
    assert answer.stdout.splitlines()[-1].endswith("; 1 could not be deleted")
    assert list(root.iterdir()) == [locked.path]
    assert not other.path.exists()


def fill(folder: Path) -> None:
    """So many files that to delete them takes longer than to notice that it began."""
    for part in map(str, range(3)):
        (folder / part).mkdir()
        (folder / part / "first").touch()
        for number in range(50_000):  # links cost no space
            os.link(folder / part / "first", folder / part / f"{number}")


def kill_while_removing(command: list[str], environment: dict[str, str], root: Path) -> None:
    """Kills the command as soon as a run is on its way out."""
    process = subprocess.Popen([sys.executable, "-m", "nnrun", *command], env=environment)
    while process.poll() is None and not any(root.glob(".*")):
        time.sleep(0.0005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


@pytest.mark.slow
def test_a_kill_leaves_no_half_run_and_the_next_clean_removes_the_rest(
    make: Any, clean: Any, nnrun: Callable[..., Any], environment: dict[str, str], root: Path
) -> None:
    run, kept = make("a", status=layout.FAILED), make("b")
    fill(run.path)
    kill_while_removing(
        ["clean", "--status", "failed", "--yes", "--runs", str(root)], environment, root
    )
    [hidden] = [path for path in root.iterdir() if path != kept.path]
    listed = json.loads(nnrun("list", "--json", "--runs", root).stdout)["runs"]
    compared = nnrun("compare", "--runs", root)

    assert hidden.name == f".nnrun-removing-{run.path.name}"
    assert [entry["path"] for entry in listed] == [str(kept.path)]
    assert "a" not in {row[0] for row in cells(compared.stdout)}

    answer = clean("--status", "failed", "--yes")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert cells(answer.stdout)[0][3] == "left by an interrupted deletion"
    assert list(root.iterdir()) == [kept.path]


def test_programs_get_one_document(make: Any, clean: Any, root: Path) -> None:
    run, other = make("a", status=layout.FAILED), make("b")
    (root / ".nnrun-removing-c").mkdir()
    (root / ".nnrun-removing-c" / "file").write_text("four")
    sizes = [cleaning.disk_usage(made.path) for made in (run, other)]
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


@pytest.mark.parametrize(
    ("option", "value"), [("--older-than", "30"), ("--max-size", "much"), ("--keep-best", "0")]
)
def test_what_is_no_rule_is_a_usage_error(
    option: str, value: str, make: Any, clean: Any, left: Any
) -> None:
    make("a", ago=YEAR)
    answer = clean(option, value, "--yes")

    assert answer.returncode == 2
    assert option in answer.stderr
    assert left() == {"a"}


@pytest.mark.slow
def test_a_thousand_runs_are_a_matter_of_seconds(make: Any, clean: Any, root: Path) -> None:
    for number in range(1000):
        make(f"n{number % 10}", number / 1000, ago=HOUR * number)
    began = time.perf_counter()
    answer = clean("--keep-best", 5, "--older-than", "1d", "--yes")
    seconds = time.perf_counter() - began

    assert answer.returncode == 0
    # The best of each name are the oldest, and those of the last 24 hours were to stay.
    assert len(cells(answer.stdout)) == 1000 - 50 - 24
    assert len(list(root.iterdir())) == 50 + 24
    assert seconds < 30
