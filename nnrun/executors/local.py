"""Processes that work side by side and tell how it goes.

Each is a fresh interpreter, so a worker that dies, for want of memory say, takes nothing with it
but the job it was at, and whatever it used is given back when it goes.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.connection import Connection
from typing import Any, Self

# How long a worker that was asked to stop has to write down what it has.
PATIENCE = 30.0


@dataclass(frozen=True)
class WorkerDied:
    """A worker's last word, which it did not say itself.

    Args:
        code: its exit code; minus the signal's number where a signal ended it.
    """

    code: int | None

    @property
    def reason(self) -> str:
        """Why it went, as far as that shows."""
        if self.code is not None and self.code < 0:
            name = signal.Signals(-self.code).name
            hint = ", perhaps for want of memory" if name == "SIGKILL" else ""
            return f"its process was ended by {name}{hint}"
        return f"its process ended with exit code {self.code}"


@dataclass(eq=False)
class Worker:
    """One process, and what it is at.

    Args:
        number: counted from 0; free numbers are given anew.
        job: whatever the one who gave it wants to remember.
    """

    number: int
    process: Any
    line: Connection
    ready: bool = False
    job: Any = field(default=None)

    def send(self, message: Any) -> None:
        """Hands it a message; one that is gone does not hear it, which `WorkerPool.receive` tells of."""
        with suppress(OSError):
            self.line.send(message)


class WorkerPool:
    """Worker processes; leaving the context ends them all.

    Args:
        main: what each runs, a function of a module, called with its end of the line.
    """

    def __init__(self, main: Callable[[Connection], None]) -> None:
        self._main = main
        self._context = multiprocessing.get_context("spawn")
        self.workers: list[Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Worker:
        """Starts one more process; returns before it is ready for anything."""
        ours, theirs = self._context.Pipe()
        taken = {worker.number for worker in self.workers}
        number = next(number for number in range(len(taken) + 1) if number not in taken)
        process = self._context.Process(target=self._main, args=(theirs,), daemon=True)
        with _deaf_to_interrupts():
            process.start()
        # Else the line would not end when the worker does.
        theirs.close()
        worker = Worker(number, process, ours)
        self.workers.append(worker)
        return worker

    def receive(self, seconds: float) -> Iterator[tuple[Worker, Any]]:
        """What the workers have said by now, each with its worker; `Gone` is the last of one.

        Args:
            seconds: waits so long for a first message.
        """
        lines = {worker.line: worker for worker in self.workers}
        for line in connection.wait(list(lines), seconds):
            worker = lines[line]  # type: ignore[index]  # only lines were given
            try:
                message = worker.line.recv()
            except (EOFError, OSError):
                worker.process.join()
                worker.line.close()
                self.workers.remove(worker)
                message = WorkerDied(worker.process.exitcode)
            yield worker, message

    def stop(self) -> None:
        """Asks every worker to stop, waits until it has, and ends those that do not."""
        try:
            for worker in self.workers:
                worker.process.terminate()
            for worker in self.workers:
                worker.process.join(PATIENCE)
        finally:
            # Also where a second Ctrl-C ends the waiting.
            for worker in self.workers:
                worker.process.kill()
                worker.line.close()
            self.workers = []


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """A process started within does not hear Ctrl-C, which is for the one who started it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
