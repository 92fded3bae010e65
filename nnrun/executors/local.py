"""Worker processes that run at the same time and send messages.

Each is a fresh interpreter, so a worker that dies, for example when memory runs out, takes only its
job with it, and everything that it used is freed.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Self

PATIENCE = 30.0  # seconds for a worker to save its results after a request to stop


@dataclass(frozen=True)
class WorkerDied:
    """The last message of a worker, sent in its place.

    Args:
        code: its exit code; minus the signal number if a signal ended it.
    """

    code: int | None

    @property
    def reason(self) -> str:
        """Why it died, as far as the exit code tells."""
        if self.code is not None and self.code < 0:
            name = signal.Signals(-self.code).name
            hint = ", perhaps for want of memory" if name == "SIGKILL" else ""
            return f"its process was ended by {name}{hint}"
        return f"its process ended with exit code {self.code}"


@dataclass(eq=False)
class Worker:
    """One process with its connection.

    Args:
        number: counted from 0; free numbers are used again.
    """

    number: int
    process: SpawnProcess
    connection: Connection

    def send(self, message: object) -> None:
        """Sends a message; if the worker is gone, `WorkerPool.receive` reports that."""
        with suppress(OSError):
            self.connection.send(message)


class WorkerPool:
    """Worker processes; leaving the context ends them all.

    Args:
        main: the function of a module that each worker runs, called with its connection.
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
        """Starts one more process; returns before it is ready."""
        ours, theirs = self._context.Pipe()
        taken = {worker.number for worker in self.workers}
        number = next(number for number in range(len(taken) + 1) if number not in taken)
        process = self._context.Process(target=self._main, args=(theirs,), daemon=True)
        with _interrupts_ignored():
            process.start()
        # Otherwise the connection would stay open when the worker ends.
        theirs.close()
        self.workers.append(Worker(number, process, ours))
        return self.workers[-1]

    def receive(self, seconds: float) -> Iterator[tuple[Worker, object]]:
        """The messages so far, each with its worker; `WorkerDied` is the last of a worker.

        Args:
            seconds: how long to wait for the first message.
        """
        ready = connection.wait([worker.connection for worker in self.workers], seconds)
        for worker in [worker for worker in self.workers if worker.connection in ready]:
            try:
                message = worker.connection.recv()
            except (EOFError, OSError):
                worker.process.join()
                worker.connection.close()
                self.workers.remove(worker)
                message = WorkerDied(worker.process.exitcode)
            yield worker, message

    def stop(self) -> None:
        """Asks every worker to stop, waits for them, and kills those that do not stop."""
        try:
            for worker in self.workers:
                worker.process.terminate()
            for worker in self.workers:
                worker.process.join(PATIENCE)
        finally:
            # Also if a second Ctrl-C ends the waiting.
            for worker in self.workers:
                worker.process.kill()
                worker.connection.close()
            self.workers = []


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """A process started within ignores Ctrl-C and SIGHUP, which the main process handles."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = {signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGINT)}
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
