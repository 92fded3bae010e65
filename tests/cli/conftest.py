"""Fixtures that start, await and stop the command."""

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

TIMEOUT = 240  # seconds, for a loaded machine


@pytest.fixture(scope="module")
def started(forks: ForkServer) -> Iterator[Callable[..., Pending]]:
    """Starts the command without waiting for its end."""
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
def started_anew(environment: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """The same in a new process, which loads TensorFlow and spawns its workers."""
    processes = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "nnrun", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            # A shell that runs the tests in the background ignores SIGINT; children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()


@dataclass(frozen=True)
class Answer:
    """Exit code and output of a command that ran in this process."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def here(environment: dict[str, str]) -> Callable[..., Answer]:
    """Runs a verb that trains nothing in this process, which saves the time to start."""

    def run(
        *arguments: object, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Answer:
        hidden = dict.fromkeys({*os.environ} - {*environment})
        with contextlib.chdir(cwd or Path.cwd()):
            result = CliRunner().invoke(app, [*map(str, arguments)], env={**hidden, **(env or {})})
        assert isinstance(result.exception, SystemExit | None), result.exc_info
        return Answer(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture(scope="session")
def seeds(run_once: Callable[..., tuple[subprocess.CompletedProcess[str], Path]]) -> object:
    """What the command answers that trains three seeds of iris, from 5 on, and their folder."""
    short = ("--set", "training.epochs=3", "--set", "validation.holdout=null")
    return run_once("seeds", "train", "iris", *short, "--set", "seed=5", "--seeds", 3)


@pytest.fixture(scope="session")
def wait_for() -> Callable[[Callable[[], bool]], None]:
    """Waits until a condition holds."""

    def wait(condition: Callable[[], bool]) -> None:
        until = time.monotonic() + TIMEOUT
        while not condition():
            assert time.monotonic() < until, "timed out"
            time.sleep(0.05)

    return wait
