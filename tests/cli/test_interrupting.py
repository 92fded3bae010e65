"""However a run is stopped, its folder says so and no epoch is lost."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nnrun.runs import Run, layout

DIGITS = Path(__file__).parents[2] / "configs" / "digits.yaml"
PATIENCE = 240  # seconds that a loaded machine may take to write down what there is


@dataclass(frozen=True)
class Stopped:
    """How a run ended, and how long after the first signal."""

    code: int
    err: str
    seconds: float
    root: Path

    @property
    def run(self) -> Run:
        return Run(next(self.root.iterdir()))


def endless(root: Path) -> tuple[object, ...]:
    return "train", DIGITS, "--runs", root, "--set", "training.epochs=100000"


def stop(process: subprocess.Popen[str], root: Path, *signals: int) -> Stopped:
    since = time.perf_counter()
    for number in signals:
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
    _, err = process.communicate(timeout=PATIENCE)
    return Stopped(process.returncode, err, time.perf_counter() - since, root)


def has_epochs(root: Path) -> bool:
    return any(journal.read_text().count("\n") > 3 for journal in root.glob(f"*/{layout.JOURNAL}"))


@pytest.fixture(scope="module")
def stopped(started: Any, wait_for: Any, tmp_path_factory: Any) -> dict[str, Stopped]:
    """Four runs that began together, each stopped in its own way after some epochs."""
    ways = {
        "SIGINT": [signal.SIGINT],
        "SIGTERM": [signal.SIGTERM],
        "twice": [signal.SIGINT, signal.SIGINT],
        "SIGKILL": [signal.SIGKILL],
    }
    roots = {way: tmp_path_factory.mktemp(way) for way in ways}
    processes = {way: started(*endless(root)) for way, root in roots.items()}
    for root in roots.values():
        wait_for(lambda root=root: has_epochs(root))
    return {way: stop(processes[way], roots[way], *ways[way]) for way in ways}


def printed(err: str) -> list[int]:
    return [int(epoch) for epoch in re.findall(r"^epoch (\d+)/100000 ", err, flags=re.MULTILINE)]


@pytest.mark.parametrize(("way", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_stopped_run_keeps_every_epoch_and_what_was_made_of_them(
    way: str, code: int, stopped: dict[str, Stopped]
) -> None:
    """Ctrl-C by a person, or SIGTERM by a scheduler: status, histories, curves, weights so far."""
    end, run = stopped[way], stopped[way].run
    epochs = len(run.history())

    assert end.code == code
    assert run.status() == layout.INTERRUPTED
    assert run.record().ended is not None
    assert run.read_json(layout.HISTORY) == run.history().epochs
    # The epoch in whose line the signal falls may be printed again, but none is left out.
    assert list(dict.fromkeys(printed(end.err))) == list(range(1, epochs + 1))
    assert len(printed(end.err)) <= epochs + 2
    assert run.metrics().epochs == epochs
    assert run.holds(layout.plot("loss"))
    assert run.holds(layout.plot("accuracy"))
    assert "Traceback" not in end.err


@pytest.mark.parametrize("way", ["SIGINT", "SIGTERM"])
def test_a_stopped_run_leaves_no_passing_file(way: str, stopped: dict[str, Stopped]) -> None:
    assert not list(stopped[way].run.path.rglob(".*"))


def test_two_interrupts_end_at_once(stopped: dict[str, Stopped]) -> None:
    """Whoever presses Ctrl-C twice does not want to wait for plots."""
    end = stopped["twice"]

    assert end.code == 130
    assert end.seconds < 10
    assert "Traceback" not in end.err
    assert end.run.status() in (layout.INTERRUPTED, layout.CRASHED)
    assert not list(end.run.path.rglob(".*"))


def test_a_killed_run_is_listed_as_crashed_with_all_its_epochs(
    stopped: dict[str, Stopped], nnrun: Callable[..., Any]
) -> None:
    """The journal is written as each epoch ends."""
    end = stopped["SIGKILL"]
    answer = nnrun("list", "--runs", end.root)
    epochs = len(end.run.history())

    assert end.code == -signal.SIGKILL
    assert end.run.record().status == "running"
    assert f"│ crashed │ {epochs} " in answer.stdout
    # The kill may fall between the journal and the screen.
    assert epochs - len(printed(end.err)) in (0, 1)


def test_a_killed_run_is_listed_as_crashed_for_programs_too(
    stopped: dict[str, Stopped], nnrun: Callable[..., Any]
) -> None:
    answer = nnrun("list", "--json", "--runs", stopped["SIGKILL"].root)

    assert [run["status"] for run in json.loads(answer.stdout)["runs"]] == ["crashed"]


def test_a_stopped_run_is_shown_with_its_last_epoch(
    stopped: dict[str, Stopped], nnrun: Callable[..., Any]
) -> None:
    answer = nnrun("show", stopped["SIGINT"].run.path)

    assert answer.returncode == 0
    assert "last epoch" in answer.stdout
    assert f"interrupted after {len(stopped['SIGINT'].run.history())} epochs" in answer.stdout


def loads_tensorflow(process: subprocess.Popen[str]) -> bool:
    maps = Path(f"/proc/{process.pid}/maps")
    return "libtensorflow" in maps.read_text()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc")
def test_an_interrupt_while_tensorflow_loads_leaves_no_run(
    started_anew: Any, wait_for: Any, tmp_path: Path
) -> None:
    """Nothing has begun, so there is nothing to keep, and nothing to say."""
    process = started_anew(*endless(tmp_path / "runs"))
    wait_for(lambda: loads_tensorflow(process))
    end = stop(process, tmp_path, signal.SIGINT)

    assert (end.code, end.err) == (130, "")
    assert list(tmp_path.iterdir()) == []
