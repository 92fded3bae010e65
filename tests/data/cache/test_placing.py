"""Concurrent and stopped downloads never leave an incomplete file under its name."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nnrun.data import cache
from nnrun.data.cache import fetch
from nnrun.data.published import File
from nnrun.errors import DataError

BYTES = bytes(400_000)  # more than one write of a download
# One process of several: it downloads one file, whose facts are its arguments.
PROGRAM = """
import sys
from nnrun.data.cache import fetch
from nnrun.data.published import File
dataset, name, url, hash, bytes = sys.argv[1:]
print(fetch(File(dataset, name, url, hash, int(bytes))))
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def offered(file: File, server: Any) -> File:
    """The file on a server that pauses after half of it."""
    server.put("some.npz", BYTES)
    server.gate.clear()
    published = "sha256:" + hashlib.sha256(BYTES).hexdigest()
    url = f"{server.address}/some.npz"
    return replace(file, url=url, hash=published, bytes=len(BYTES))


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a process that downloads a file, and kills it after the test."""
    processes = []

    def start(file: File, *, locks: bool = True) -> subprocess.Popen[str]:
        program = PROGRAM if locks else f"import sys; sys.modules['fcntl'] = None\n{PROGRAM}"
        facts = (file.dataset, file.name, file.url, file.hash, str(file.bytes))
        process = subprocess.Popen(
            [sys.executable, "-c", program, *facts],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until, "timeout"
        time.sleep(0.02)


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def half_there(folder: Path) -> Callable[[], bool]:
    """Whether some bytes of a download are on the disk."""
    return lambda: any(path.stat().st_size for path in folder.glob(".nnrun-part-*"))


def test_two_processes_download_a_file_once(
    offered: File, server: Any, start: Start, target: Path
) -> None:
    """The second waits, reports it, and uses the file of the first."""
    first = start(offered)
    wait_for(half_there(target.parent))
    second = start(offered)
    assert second.stderr is not None
    line = second.stderr.readline()
    server.gate.set()
    answers = [process.communicate(timeout=60) for process in (first, second)]

    assert line == "some.npz: waiting for another process that downloads it\n"
    assert answers == [(f"{target}\n", ""), (f"{target}\n", "")]
    assert (server.asked, names(target.parent)) == (["some.npz"], ["some.npz"])
    assert target.read_bytes() == BYTES


def test_without_locks_both_download_and_neither_harms_the_other(
    offered: File, server: Any, start: Start, target: Path
) -> None:
    """Windows has none, and nor do some network file systems."""
    processes = [start(offered, locks=False), start(offered, locks=False)]
    wait_for(lambda: len(server.asked) == 2)
    server.gate.set()

    assert [process.communicate(timeout=60) for process in processes] == [(f"{target}\n", "")] * 2
    assert target.read_bytes() == BYTES


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_download_leaves_no_data(
    number: int, offered: File, server: Any, start: Start, target: Path
) -> None:
    """The next download neither waits for the dead process nor uses its bytes."""
    process = start(offered)
    wait_for(half_there(target.parent))
    process.send_signal(number)
    process.communicate(timeout=60)
    after = names(target.parent)
    server.gate.set()

    assert "some.npz" not in after
    assert (after == []) == (number == signal.SIGINT)
    assert fetch(offered).read_bytes() == BYTES


@pytest.mark.parametrize("killed", ["first", "second"])
def test_a_stopped_process_does_not_harm_the_other(
    killed: str, offered: File, server: Any, start: Start, target: Path
) -> None:
    """The kernel releases the lock of a dead process."""
    first = start(offered)
    wait_for(half_there(target.parent))
    second = start(offered)
    assert second.stderr is not None
    second.stderr.readline()
    if killed == "first":
        first.kill()
    else:
        second.send_signal(signal.SIGINT)
        second.communicate(timeout=60)
        assert names(target.parent) == [".nnrun-part-some.npz"]
    server.gate.set()
    remaining = second if killed == "first" else first

    assert remaining.communicate(timeout=60) == (f"{target}\n", "")
    assert target.read_bytes() == BYTES


def test_a_user_file_that_appears_during_the_download_is_kept(
    offered: File, server: Any, start: Start, target: Path
) -> None:
    """It was not there when the download began."""
    process = start(offered)
    wait_for(half_there(target.parent))
    target.write_bytes(b"made by myself, so")
    server.gate.set()
    _, err = process.communicate(timeout=60)

    assert (process.returncode, target.read_bytes()) == (1, b"made by myself, so")
    assert "It was left as it is" in err


@pytest.mark.parametrize("occupied", [False, True])
def test_on_a_file_system_without_links_no_file_is_replaced_either(
    occupied: bool, file: File, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAT, for example, has none."""

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    part = target.with_name("part")
    part.write_bytes(b"complete")
    if occupied:
        target.write_bytes(b"made by myself, so")
    with pytest.raises(DataError, match="It was left as it is") if occupied else nullcontext():
        cache._place(part, file)

    assert target.read_bytes() == (b"made by myself, so" if occupied else b"complete")
