"""What the tests of several verbs start, wait for and stop."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from forkserver import ForkServer, Pending
from typer.testing import CliRunner

from nnrun.cli.app import app

PATIENCE = 240  # seconds that a loaded machine may take

Process = subprocess.Popen[str]


def attentive() -> None:
    """A shell that runs the tests in the background has SIGINT ignored, and a child inherits it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="module")
def started(forks: ForkServer) -> Iterator[Callable[..., Pending]]:
    """Starts the command and does not wait for it; it ends with the tests at the latest."""
    processes = []

    def start(*arguments: object) -> Pending:
        processes.append(forks.start(*arguments))
        return processes[-1]

    yield start
    for process in processes:
        if process.returncode is None:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def started_anew(environment: dict[str, str]) -> Iterator[Callable[..., Process]]:
    """The same in a new process, which loads TensorFlow, and whose workers are new processes."""
    processes = []

    def start(*arguments: object) -> Process:
        process = subprocess.Popen(
            [sys.executable, "-m", "nnrun", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            preexec_fn=attentive,  # noqa: PLW1509 - one call, before any thread of the child
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()


@dataclass(frozen=True)
class Told:
    """What the command answered in this process."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def here(environment: dict[str, str]) -> Callable[..., Told]:
    """Runs a verb that trains nothing in this process, which has loaded its libraries already.

    Streams, environment and folder are as for a script; the seconds that a start takes are saved.
    """

    def run(
        *arguments: object, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Told:
        hidden = dict.fromkeys({*os.environ} - {*environment})
        with contextlib.chdir(cwd or Path.cwd()):
            found = CliRunner().invoke(app, [*map(str, arguments)], env={**hidden, **(env or {})})
        assert isinstance(found.exception, SystemExit | None), found.exc_info
        return Told(found.exit_code, found.stdout, found.stderr)

    return run


@pytest.fixture(scope="session")
def wait_for() -> Callable[[Callable[[], bool]], None]:
    """Waits until something is so, and fails where it never is."""

    def wait(what: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not what():
            assert time.monotonic() < until, "waited in vain"
            time.sleep(0.05)

    return wait
