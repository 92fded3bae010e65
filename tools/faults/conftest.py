"""What the tests of faults share: a process that has loaded everything, and is forked for each run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The scripts beside this file import each other by their names.
sys.path.insert(0, str(Path(__file__).parent))

import injector
from forkserver import ForkServer


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all disturbed runs are made in."""
    if reason := injector.missing():
        pytest.skip(reason)
    return tmp_path_factory.mktemp("faults").resolve()


@pytest.fixture(scope="session")
def server(bench: Path) -> Iterator[ForkServer]:
    """Runs the command in 2 s instead of 6, with a file layer that can be made to fail."""
    with ForkServer(bench, shim=injector.compiled(bench)) as server:
        yield server
