"""Worker processes send messages, their end is reported, and none outlives the pool."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from multiprocessing.connection import Connection

import pytest

from nnrun.executors.local import WorkerDied, WorkerPool

SECONDS = 20.0


def echo(connection: Connection) -> None:
    """Sends each message back."""
    while True:
        connection.send(connection.recv())


def leave(connection: Connection) -> None:
    """Ends with the exit code that it receives."""
    os._exit(connection.recv())


def stubborn(connection: Connection) -> None:
    """Ignores requests to stop."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    connection.send("ready")
    time.sleep(600)


def receive(pool: WorkerPool, count: int = 1) -> list[tuple[int, object]]:
    messages: list[tuple[int, object]] = []
    until = time.monotonic() + SECONDS
    while len(messages) < count and time.monotonic() < until:
        messages += [(worker.number, message) for worker, message in pool.receive(0.1)]
    return sorted(messages, key=lambda message: message[0])


def test_each_worker_receives_and_sends_messages() -> None:
    with WorkerPool(echo) as pool:
        for word in ("first", "second"):
            pool.start().send(word)

        assert receive(pool, 2) == [(0, "first"), (1, "second")]


def test_the_exit_code_of_a_worker_is_reported_and_its_number_is_free() -> None:
    """The number selects the GPU; a message that comes too late is no error."""
    with WorkerPool(leave) as pool:
        worker, other = pool.start(), pool.start()
        worker.send(3)

        assert receive(pool) == [(0, WorkerDied(3))]
        assert WorkerDied(3).reason == "its process ended with exit code 3"
        worker.send("too late")
        assert pool.workers == [other]
        assert pool.start().number == 0


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("SIGKILL", "its process was ended by SIGKILL, perhaps for want of memory"),
        ("SIGTERM", "its process was ended by SIGTERM"),
    ],
)
def test_the_signal_that_ended_a_worker_is_reported(name: str, reason: str) -> None:
    with WorkerPool(echo) as pool:
        worker = pool.start()
        worker.send("ready")
        receive(pool)
        os.kill(worker.process.pid, getattr(signal, name))
        [(_, died)] = receive(pool)

        assert died.reason == reason


def test_an_interrupt_ends_all_workers() -> None:
    with contextlib.suppress(KeyboardInterrupt), WorkerPool(echo) as pool:
        processes = [pool.start().process for _ in range(2)]
        raise KeyboardInterrupt

    assert [process.is_alive() for process in processes] == [False, False]


def test_a_worker_that_does_not_stop_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnrun.executors.local.PATIENCE", 0.5)
    with WorkerPool(stubborn) as pool:
        process = pool.start().process
        receive(pool)
    process.join(SECONDS)

    assert process.exitcode == -signal.SIGKILL
