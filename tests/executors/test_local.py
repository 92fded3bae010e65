"""Worker processes: what they say is heard, how they end is known, none is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from multiprocessing.connection import Connection
from typing import Any

import pytest

from nnrun.executors.local import WorkerDied, WorkerPool

SECONDS = 20.0


def echo(line: Connection) -> None:
    """Says what it hears, until it hears nothing more."""
    while True:
        line.send(line.recv())


def leave(line: Connection) -> None:
    """Ends with the exit code that it is told."""
    os._exit(line.recv())


def stubborn(line: Connection) -> None:
    """Does not stop when it is asked to."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    line.send("ready")
    time.sleep(600)


def receive(team: WorkerPool, count: int = 1) -> list[tuple[int, Any]]:
    found: list[tuple[int, Any]] = []
    until = time.monotonic() + SECONDS
    while len(found) < count and time.monotonic() < until:
        found += [(worker.number, message) for worker, message in team.receive(0.1)]
    return sorted(found)


def test_each_worker_hears_and_is_heard() -> None:
    with WorkerPool(echo) as team:
        for word in ("first", "second"):
            team.start().send(word)

        assert receive(team, 2) == [(0, "first"), (1, "second")]


def test_a_worker_that_ends_is_told_of_with_its_exit_code() -> None:
    """And what it was told later is not a fault of the one who told it."""
    with WorkerPool(leave) as team:
        worker = team.start()
        worker.send(3)

        assert receive(team) == [(0, WorkerDied(3))]
        worker.send("too late")
        assert team.workers == []
        assert WorkerDied(3).reason == "its process ended with exit code 3"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("SIGKILL", "its process was ended by SIGKILL, perhaps for want of memory"),
        ("SIGTERM", "its process was ended by SIGTERM"),
    ],
)
def test_a_worker_that_is_killed_is_told_of_with_the_signal(name: str, reason: str) -> None:
    with WorkerPool(echo) as team:
        worker = team.start()
        worker.send("there")
        receive(team)
        os.kill(worker.process.pid, getattr(signal, name))
        [(_, gone)] = receive(team)

        assert gone.reason == reason


def test_the_number_of_one_that_is_gone_is_given_anew() -> None:
    """By the number a worker has its GPU."""
    with WorkerPool(leave) as team:
        first, _ = team.start(), team.start()
        first.send(0)
        receive(team)

        assert team.start().number == 0


def test_no_worker_is_left_behind() -> None:
    """Whatever ends the one who hired them."""
    processes = []
    with contextlib.suppress(KeyboardInterrupt), WorkerPool(echo) as team:
        processes += [team.start().process for _ in range(2)]
        raise KeyboardInterrupt

    assert [process.is_alive() for process in processes] == [False, False]


def test_a_worker_that_does_not_stop_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """After some patience."""
    monkeypatch.setattr("nnrun.executors.local.PATIENCE", 0.5)
    with WorkerPool(stubborn) as team:
        process = team.start().process
        receive(team)
    process.join(SECONDS)

    assert process.exitcode == -signal.SIGKILL
