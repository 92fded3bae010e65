"""A stopped or killed run keeps its epochs, and its folder has the status."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nnrun.runs import Run, layout

DIGITS = Path(__file__).parents[2] / "configs" / "digits.yaml"
TIMEOUT = 240  # seconds, for a loaded machine


@dataclass(frozen=True)
class Stopped:
    """Exit code and messages of a stopped run, and the seconds since the first signal."""

    code: int
    err: str
    seconds: float
    root: Path

    @property
    def run(self) -> Run:
        return Run(next(self.root.iterdir()))


def endless(root: Path) -> tuple[object, ...]:
    return "train", DIGITS, "--runs", root, "--set", "training.epochs=100000"


def stop(process: subprocess.Popen[str], *signals: int) -> float:
    """Sends the signals, and returns when the first was sent."""
    since = time.perf_counter()
    for number in signals:
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
    return since


def end_of(process: subprocess.Popen[str], root: Path, since: float) -> Stopped:
    _, err = process.communicate(timeout=TIMEOUT)
    return Stopped(process.returncode, err, time.perf_counter() - since, root)


def has_epochs(root: Path) -> bool:
    return any(journal.read_text().count("\n") > 3 for journal in root.glob(f"*/{layout.JOURNAL}"))


@pytest.fixture(scope="module")
def stopped(started: Any, wait_for: Any, tmp_path_factory: Any) -> dict[str, Stopped]:
    """Five runs that began together, each stopped by other signals after its first epochs."""
    signals = {
        "SIGINT": [signal.SIGINT],
        "SIGTERM": [signal.SIGTERM],
        "SIGHUP": [signal.SIGHUP],
        "twice": [signal.SIGINT, signal.SIGINT],
        "SIGKILL": [signal.SIGKILL],
    }
    roots = {name: tmp_path_factory.mktemp(name) for name in signals}
    processes = {name: started(*endless(root)) for name, root in roots.items()}
    since = {}
    for name, root in roots.items():
        wait_for(lambda root=root: has_epochs(root))
        since[name] = stop(processes[name], *signals[name])
    return {name: end_of(processes[name], roots[name], since[name]) for name in signals}


def printed(err: str) -> list[int]:
    return [int(epoch) for epoch in re.findall(r"^epoch (\d+)/100000 ", err, flags=re.MULTILINE)]


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 143)])
def test_an_interrupted_run_keeps_its_epochs_and_plots(
    name: str, code: int, stopped: dict[str, Stopped], here: Any
) -> None:
    end, run = stopped[name], stopped[name].run
    epochs = len(run.history())
    shown = here("show", run.path)

    assert end.code == code
    assert run.status() == layout.INTERRUPTED
    assert run.record().ended is not None
    assert run.read_json(layout.HISTORY) == run.history().epochs
    # The line of the interrupted epoch may be printed twice, but none is left out.
    assert list(dict.fromkeys(printed(end.err))) == list(range(1, epochs + 1))
    assert len(printed(end.err)) <= epochs + 2
    assert run.metrics().epochs == epochs
    assert run.holds(layout.plot("loss"))
    assert run.holds(layout.plot("accuracy"))
    assert not list(run.path.rglob(".*"))
    assert "Traceback" not in end.err
    assert "last epoch" in shown.stdout
    assert f"interrupted after {epochs} epochs" in shown.stdout


def test_a_second_interrupt_ends_the_run_at_once(stopped: dict[str, Stopped]) -> None:
    end = stopped["twice"]

    assert end.code == 130
    assert end.seconds < 10
    assert "Traceback" not in end.err
    assert end.run.status() in (layout.INTERRUPTED, layout.CRASHED)
    assert not list(end.run.path.rglob(".*"))


def test_a_killed_run_is_listed_as_crashed_with_all_its_epochs(
    stopped: dict[str, Stopped], here: Any
) -> None:
    end = stopped["SIGKILL"]
    epochs = len(end.run.history())
    document = json.loads(here("list", "--json", "--runs", end.root).stdout)

    assert end.code == -signal.SIGKILL
    assert end.run.record().status == "running"
    assert f"│ crashed │ {epochs} " in here("list", "--runs", end.root).stdout
    assert [run["status"] for run in document["runs"]] == ["crashed"]
    # The kill may fall between the journal and the screen.
    assert epochs - len(printed(end.err)) in (0, 1)


def loads_tensorflow(process: subprocess.Popen[str]) -> bool:
    maps = Path(f"/proc/{process.pid}/maps")
    return "libtensorflow" in maps.read_text()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc")
def test_an_interrupt_while_tensorflow_loads_leaves_no_run(
    started_anew: Any, wait_for: Any, tmp_path: Path
) -> None:
    process = started_anew(*endless(tmp_path / "runs"))
    wait_for(lambda: loads_tensorflow(process))
    end = end_of(process, tmp_path, stop(process, signal.SIGINT))

    assert (end.code, end.err) == (130, "")
    assert list(tmp_path.iterdir()) == []
