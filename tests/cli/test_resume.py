"""`nnrun resume` for cross-validations: finished folds are kept, missing ones are trained."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nnrun.runs import Run, layout, process, reopen

FOLDS = "validation.kfold.folds=3"
EPOCHS = "training.epochs=600"  # a fold lasts a second after its first epochs are written


@dataclass(frozen=True)
class Halted:
    """A run that was stopped in its second fold: exit code, messages and folder."""

    code: int
    err: str
    run: Run


def boston(configs: Path, root: Path) -> tuple[object, ...]:
    # One worker, so that folds are always missing.
    spec = (configs / "boston.yaml", "--set", FOLDS, "--set", EPOCHS)
    return "kfold", *spec, "--workers", 1, "--runs", root


@pytest.fixture(scope="module")
def whole(nnrun: Any, configs: Path, tmp_path_factory: Any) -> Run:
    """The same run without a stop."""
    root = tmp_path_factory.mktemp("whole")
    assert nnrun(*boston(configs, root)).returncode == 0
    return Run(next(root.iterdir()))


@pytest.fixture(scope="module")
def halted(
    started: Any, wait_for: Any, configs: Path, tmp_path_factory: Any
) -> Callable[[str], Halted]:
    """Stops or kills a run in its second fold, once for each signal."""

    def stop(name: str) -> Halted:
        root = tmp_path_factory.mktemp(name)
        process = started(*boston(configs, root))
        wait_for(lambda: has_epochs(root, "fold-2"))
        process.send_signal(getattr(signal, name))
        _, err = process.communicate(timeout=60)
        return Halted(process.returncode, err, Run(next(root.iterdir())))

    @functools.cache
    def halt(name: str) -> Halted:
        for _ in range(3):
            end = stop(name)
            # On a loaded machine the fold may have ended before its epochs are noticed.
            if statuses(end.run)[1] != "finished":
                break
        return end

    return halt


def has_epochs(root: Path, part: str) -> bool:
    journals = root.glob(str(Path("*", part, layout.JOURNAL)))
    return any(journal.read_text().count("\n") > 1 for journal in journals)


def statuses(run: Run) -> list[str]:
    parts = [Run(run.path / layout.fold(number)) for number in range(1, 4)]
    return [part.status() if part.holds(layout.RUN) else "missing" for part in parts]


def copy(run: Run, folder: Path) -> Run:
    return Run(Path(shutil.copytree(run.path, folder / run.path.name)))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


SIGNALS = ["SIGINT", pytest.param("SIGTERM", marks=pytest.mark.slow)]


@pytest.mark.parametrize("name", SIGNALS)
def test_an_interrupted_cross_validation_keeps_its_folds(
    name: str, halted: Callable[[str], Halted], whole: Run
) -> None:
    """The finished fold, the epochs of the interrupted one, and the command that resumes."""
    end = halted(name)
    mae = end.run.metrics().validation["mae"].folds

    assert end.code == {"SIGINT": 130, "SIGTERM": 143}[name]
    assert end.run.status() == layout.INTERRUPTED
    assert statuses(end.run) == ["finished", "interrupted", "missing"]
    assert len(Run(end.run.path / "fold-2").history()) > 0
    assert f"nnrun resume {end.run.path}" in end.err + end.run.path.joinpath("log.txt").read_text()
    assert mae == [whole.metrics().validation["mae"].folds[0], None, None]
    assert "Traceback" not in end.err


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SIGNALS, "SIGKILL"])
def test_workers_end_with_the_main_process(
    name: str, halted: Callable[[str], Halted], wait_for: Any
) -> None:
    pid = Run(halted(name).run.path / "fold-2").record().pid

    wait_for(lambda: not is_alive(pid))


def test_a_killed_cross_validation_is_listed_as_crashed(
    halted: Callable[[str], Halted], here: Any
) -> None:
    run = halted("SIGKILL").run
    answer = here("list", "--json", "--runs", run.path.parent)

    assert halted("SIGKILL").code == -signal.SIGKILL
    assert [entry["status"] for entry in json.loads(answer.stdout)["runs"]] == ["crashed"]
    assert "1 of 3 folds finished" in here("list", "--runs", run.path.parent).stdout


@pytest.mark.parametrize("name", [pytest.param("SIGINT", marks=pytest.mark.slow), "SIGKILL"])
def test_resume_trains_the_missing_folds_to_the_same_bytes(
    name: str, halted: Callable[[str], Halted], whole: Run, nnrun: Any, tmp_path: Path
) -> None:
    run = copy(halted(name).run, tmp_path)
    first = (run.path / "fold-1" / layout.RUN).read_bytes()
    answer = nnrun("resume", run.path)

    assert answer.returncode == 0
    assert run.status() == layout.FINISHED
    assert statuses(run) == ["finished"] * 3
    assert (run.path / "fold-1" / layout.RUN).read_bytes() == first
    for part in ("", "fold-1", "fold-2", "fold-3"):
        for file in (Path(part, layout.HISTORY), Path(part, layout.SPEC)):
            assert (run.path / file).read_bytes() == (whole.path / file).read_bytes()
    assert run.metrics().validation == whole.metrics().validation
    assert run.record().overrides == Run(run.path / "fold-3").record().overrides == [FOLDS, EPOCHS]


def test_resume_changes_no_finished_run(whole: Run, nnrun: Any) -> None:
    before = (whole.path / layout.RUN).read_bytes()
    answer = nnrun("resume", whole.path, "--json")

    assert answer.returncode == 0
    assert answer.stderr.strip().endswith("is finished")
    assert [run["status"] for run in json.loads(answer.stdout)["runs"]] == ["finished"]
    assert (whole.path / layout.RUN).read_bytes() == before


@pytest.mark.slow
def test_a_fold_without_metrics_is_trained_again(whole: Run, nnrun: Any, tmp_path: Path) -> None:
    run = copy(whole, tmp_path)
    (run.path / "fold-2" / layout.METRICS).unlink()
    run.update(status=layout.INTERRUPTED)
    answer = nnrun("resume", run.path)

    assert answer.returncode == 0
    assert run.metrics().validation == whole.metrics().validation
    assert run.metrics().seconds["total"] > whole.metrics().seconds["total"]


@pytest.mark.slow
def test_resume_refuses_a_run_with_a_running_fold(whole: Run, nnrun: Any, tmp_path: Path) -> None:
    run = copy(whole, tmp_path)
    run.update(status=layout.INTERRUPTED)
    Run(run.path / "fold-3").update(status=layout.RUNNING, process=process())
    fold = reopen(run.path / "fold-3")
    answer = nnrun("resume", run.path)
    fold.release()

    assert answer.returncode == 1
    assert f"fold-3 is still running, as process {os.getpid()}" in answer.stderr


def test_resume_refuses_an_edited_spec(
    halted: Callable[[str], Halted], nnrun: Any, tmp_path: Path
) -> None:
    run = copy(halted("SIGINT").run, tmp_path)
    spec = run.path / layout.SPEC
    spec.write_text(spec.read_text().replace("folds: 3", "folds: 4"))
    answer = nnrun("resume", run.path)

    assert answer.returncode == 1
    assert "spec.yaml: has changed since the run began" in answer.stderr
    assert f"use `nnrun resume {run.path} --force` to resume with it" in answer.stderr
    assert run.status() == layout.INTERRUPTED
    assert statuses(run)[0] == "finished"


def test_resume_of_a_fold_names_its_run(whole: Run, nnrun: Any) -> None:
    answer = nnrun("resume", whole.path / "fold-1")

    assert answer.returncode == 1
    assert f"is a fold; use `nnrun resume {whole.path}`" in answer.stderr


@pytest.mark.slow
def test_a_second_worker_that_cannot_start_does_no_harm(
    started_anew: Any, wait_for: Any, configs: Path, tmp_path: Path
) -> None:
    process = started_anew(*boston(configs, tmp_path), "--workers", 2)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_for(lambda: len(workers(children)) == 2)
    os.kill(workers(children)[1], signal.SIGKILL)
    _, err = process.communicate(timeout=120)

    assert process.returncode == 0, err
    assert statuses(Run(next(tmp_path.iterdir()))) == ["finished"] * 3


def workers(children: Path) -> list[int]:
    """Spawned processes, without the resource tracker of Python."""
    pids = [int(pid) for pid in children.read_text().split()]
    return [pid for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.slow
def test_a_killed_worker_fails_only_its_fold(
    started: Any, wait_for: Any, configs: Path, tmp_path: Path
) -> None:
    """Another worker trains the other folds."""
    process = started(*boston(configs, tmp_path))
    wait_for(lambda: has_epochs(tmp_path, "fold-2"))
    run = Run(next(tmp_path.iterdir()))
    os.kill(Run(run.path / "fold-2").record().pid, signal.SIGKILL)
    answer, err = process.communicate(timeout=120)
    reason = "its process was ended by SIGKILL"

    assert process.returncode == 1
    assert statuses(run) == ["finished", "failed", "finished"]
    assert run.status() == layout.FAILED
    assert run.record().error.startswith(f"fold-2: {reason}")
    assert f"fold 2  failed: {reason}" in err
    assert "2 of 3 folds" in answer
    assert run.metrics().validation["mae"].folds[1] is None
