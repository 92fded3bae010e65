"""A cross-validation that was stopped keeps its finished folds and goes on at the next one."""

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

EPOCHS = "training.epochs=600"  # a fold lasts a second after its first epochs are written


@dataclass(frozen=True)
class Halted:
    """A run that was halted in its second fold: exit code, messages, a copy of its folder."""

    code: int
    err: str
    run: Run


def boston(configs: Path, root: Path) -> tuple[object, ...]:
    # A worker less than cores, so that a fold is always waiting.
    return "kfold", configs / "boston.yaml", "--set", EPOCHS, "--workers", 1, "--runs", root


@pytest.fixture(scope="module")
def whole(nnrun: Any, configs: Path, tmp_path_factory: Any) -> Run:
    """Never stopped."""
    root = tmp_path_factory.mktemp("whole")
    assert nnrun(*boston(configs, root)).returncode == 0
    return Run(next(root.iterdir()))


@pytest.fixture(scope="module")
def halted(
    started: Any, wait_for: Any, configs: Path, tmp_path_factory: Any
) -> Callable[[str], Halted]:
    """The same, stopped or killed in the second fold; once for each signal that is asked for."""

    def once(name: str) -> Halted:
        root = tmp_path_factory.mktemp(name)
        process = started(*boston(configs, root))
        wait_for(lambda: has_epochs(root, "fold-2"))
        process.send_signal(getattr(signal, name))
        _, err = process.communicate(timeout=60)
        return Halted(process.returncode, err, Run(next(root.iterdir())))

    @functools.cache
    def halt(name: str) -> Halted:
        for _ in range(3):
            end = once(name)
            # On a busy machine the fold may be over by the time that its epochs are seen.
            if statuses(end.run)[1] != "finished":
                break
        return end

    return halt


def has_epochs(root: Path, part: str, least: int = 1) -> bool:
    journals = root.glob(str(Path("*", part, layout.JOURNAL)))
    return any(journal.read_text().count("\n") > least for journal in journals)


def statuses(run: Run) -> list[str]:
    parts = [Run(run.path / layout.fold(number)) for number in range(1, 5)]
    return [part.status() if part.holds(layout.RUN) else "missing" for part in parts]


def copy(run: Run, folder: Path) -> Run:
    """For a test that changes it."""
    return Run(Path(shutil.copytree(run.path, folder / run.path.name)))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("way", "code"), [("SIGINT", 130), pytest.param("SIGTERM", 143, marks=pytest.mark.slow)]
)
def test_a_stopped_cross_validation_keeps_what_there_is(
    way: str, code: int, halted: Callable[[str], Halted], whole: Run
) -> None:
    """The finished fold whole, the one at work with its epochs, and a word on how to go on."""
    end = halted(way)

    assert end.code == code
    assert end.run.status() == layout.INTERRUPTED
    assert statuses(end.run) == ["finished", "interrupted", "missing", "missing"]
    assert len(Run(end.run.path / "fold-2").history()) > 0
    assert f"nnrun resume {end.run.path}" in end.err + end.run.path.joinpath("log.txt").read_text()
    assert end.run.metrics().validation["mae"].folds == [
        whole.metrics().validation["mae"].folds[0],
        *[None] * 3,
    ]
    assert "Traceback" not in end.err


@pytest.mark.parametrize(
    "way", ["SIGINT", pytest.param("SIGTERM", marks=pytest.mark.slow), "SIGKILL"]
)
def test_no_worker_outlives_the_one_who_hired_it(
    way: str, halted: Callable[[str], Halted], wait_for: Callable[..., None]
) -> None:
    """Also where it was killed and could tell nobody to stop."""
    pid = Run(halted(way).run.path / "fold-2").record().pid

    wait_for(lambda: not is_alive(pid))


def test_a_killed_cross_validation_is_listed_as_crashed(
    halted: Callable[[str], Halted], here: Callable[..., Any]
) -> None:
    run = halted("SIGKILL").run
    answer = here("list", "--json", "--runs", run.path.parent)

    assert halted("SIGKILL").code == -signal.SIGKILL
    assert [each["status"] for each in json.loads(answer.stdout)["runs"]] == ["crashed"]
    assert "1 of 4 folds finished" in here("list", "--runs", run.path.parent).stdout


@pytest.mark.parametrize("way", [pytest.param("SIGINT", marks=pytest.mark.slow), "SIGKILL"])
def test_resume_makes_the_missing_folds_and_no_other(
    way: str, halted: Callable[[str], Halted], whole: Run, nnrun: Any, tmp_path: Path
) -> None:
    """What comes out is what would have come out, to the byte."""
    run = copy(halted(way).run, tmp_path)
    first = (run.path / "fold-1" / layout.RUN).read_bytes()
    answer = nnrun("resume", run.path)

    assert answer.returncode == 0
    assert run.status() == layout.FINISHED
    assert statuses(run) == ["finished"] * 4
    assert (run.path / "fold-1" / layout.RUN).read_bytes() == first
    for part in ("", "fold-1", "fold-2", "fold-3", "fold-4"):
        for name in (layout.HISTORY, layout.SPEC):
            file = Path(part, name)
            assert (run.path / file).read_bytes() == (whole.path / file).read_bytes()
    assert run.metrics().validation == whole.metrics().validation
    assert run.record().overrides == [EPOCHS]
    assert Run(run.path / "fold-4").record().overrides == [EPOCHS]


def test_resume_leaves_alone_what_is_finished(whole: Run, nnrun: Any) -> None:
    before = (whole.path / layout.RUN).read_bytes()
    answer = nnrun("resume", whole.path)

    document = nnrun("resume", whole.path, "--json")

    assert (answer.returncode, answer.stdout) == (0, "")
    assert answer.stderr.strip().endswith("is finished")
    assert [run["status"] for run in json.loads(document.stdout)["runs"]] == ["finished"]
    assert (whole.path / layout.RUN).read_bytes() == before


@pytest.mark.slow
def test_a_fold_whose_files_are_gone_is_made_anew(whole: Run, nnrun: Any, tmp_path: Path) -> None:
    """To the same bytes."""
    run = copy(whole, tmp_path)
    (run.path / "fold-2" / layout.METRICS).unlink()
    run.update(status=layout.INTERRUPTED)
    answer = nnrun("resume", run.path)

    assert answer.returncode == 0
    assert run.metrics().validation == whole.metrics().validation
    assert run.metrics().seconds["total"] > whole.metrics().seconds["total"]


@pytest.mark.slow
def test_resume_leaves_alone_what_is_still_at_work(whole: Run, nnrun: Any, tmp_path: Path) -> None:
    """Two processes would write into one fold."""
    run = copy(whole, tmp_path)
    run.update(status=layout.INTERRUPTED)
    Run(run.path / "fold-3").update(status=layout.RUNNING, process=process())
    fold = reopen(run.path / "fold-3")
    answer = nnrun("resume", run.path)
    fold.release()

    assert answer.returncode == 1
    assert f"fold-3 is still running, as process {os.getpid()}" in answer.stderr


def test_resume_does_not_mix_two_experiments_in_one_folder(
    halted: Callable[[str], Halted], nnrun: Any, tmp_path: Path
) -> None:
    """Somebody has edited the spec since."""
    run = copy(halted("SIGINT").run, tmp_path)
    spec = run.path / layout.SPEC
    spec.write_text(spec.read_text().replace("folds: 4", "folds: 5"))
    answer = nnrun("resume", run.path)

    assert answer.returncode == 1
    assert "spec.yaml: has changed since the run began" in answer.stderr
    assert f"use `nnrun resume {run.path} --force` to resume with it" in answer.stderr
    assert run.status() == layout.INTERRUPTED
    assert statuses(run)[0] == "finished"


def test_resume_of_a_fold_names_the_run_that_it_is_of(
    whole: Run, nnrun: Callable[..., Any]
) -> None:
    answer = nnrun("resume", whole.path / "fold-1")

    assert answer.returncode == 1
    assert f"is a fold; use `nnrun resume {whole.path}`" in answer.stderr


@pytest.mark.slow
def test_a_further_worker_that_cannot_start_costs_nothing(
    started_anew: Any, wait_for: Any, configs: Path, tmp_path: Path
) -> None:
    """The one that is there does all."""
    spec = ("kfold", configs / "boston.yaml", "--set", EPOCHS, "--workers", 2)
    process = started_anew(*spec, "--runs", tmp_path)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_for(lambda: len(workers(children)) == 2)
    os.kill(workers(children)[1], signal.SIGKILL)
    _, err = process.communicate(timeout=120)

    assert process.returncode == 0, err
    assert statuses(Run(next(tmp_path.iterdir()))) == ["finished"] * 4


def workers(children: Path) -> list[int]:
    """Processes that were spawned to work; another one of Python's own watches over them."""
    pids = [int(pid) for pid in children.read_text().split()]
    return [pid for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.slow
def test_a_worker_that_dies_costs_its_fold_and_no_other(
    started: Any, wait_for: Any, configs: Path, tmp_path: Path
) -> None:
    """For want of memory, say: the fold is reported, another worker does the rest."""
    process = started(*boston(configs, tmp_path))
    wait_for(lambda: has_epochs(tmp_path, "fold-2"))
    run = Run(next(tmp_path.iterdir()))
    os.kill(Run(run.path / "fold-2").record().pid, signal.SIGKILL)
    answer, err = process.communicate(timeout=120)
    reason = "its process was ended by SIGKILL, perhaps for want of memory"

    assert process.returncode == 1
    assert statuses(run) == ["finished", "failed", "finished", "finished"]
    assert run.status() == layout.FAILED
    assert run.record().error == f"fold-2: {reason}"
    assert f"fold 2  failed: {reason}" in err
    assert "3 of 4 folds" in answer
    assert run.metrics().validation["mae"].folds[1] is None
