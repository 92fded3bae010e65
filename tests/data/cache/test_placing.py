"""However a download ends, and however many there are, a name never stands for half a file."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nnrun.data import cache
from nnrun.data.cache import fetch
from nnrun.data.published import File
from nnrun.errors import DataError

BYTES = bytes(400_000)  # more than one write of a download
DAY = 24 * 60 * 60
# One process of several: it downloads one file, whose facts are its arguments.
PROGRAM = """
import sys
from nnrun.data.cache import fetch
from nnrun.data.published import File
dataset, name, url, hash, bytes = sys.argv[1:]
print(fetch(File(dataset, name, url, hash, int(bytes))))
"""

Start = Callable[[File], "subprocess.Popen[str]"]


@pytest.fixture
def offered(file: File, server: Any) -> File:
    """The file on a server that gets slow after half of it."""
    server.put("some.npz", BYTES)
    server.gate.clear()
    published = "sha256:" + hashlib.sha256(BYTES).hexdigest()
    url = f"{server.address}/some.npz"
    return replace(file, url=url, hash=published, bytes=len(BYTES))


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a process that downloads a file; it ends with the test at the latest."""
    processes = []

    def start(file: File) -> subprocess.Popen[str]:
        facts = (file.dataset, file.name, file.url, file.hash, str(file.bytes))
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *facts],
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


def wait_for(what: Callable[[], object]) -> None:
    until = time.monotonic() + 30
    while not what():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def half_there(folder: Path) -> Callable[[], bool]:
    """Whether some bytes of a download have reached the disk."""
    return lambda: any(path.stat().st_size for path in folder.glob(".nnrun-download-*/*"))


def test_two_processes_download_a_file_once(
    offered: File, server: Any, start: Start, target: Path
) -> None:
    """The second waits, says so, and takes what the first has brought."""
    first = start(offered)
    wait_for(half_there(target.parent))
    second = start(offered)
    assert second.stderr is not None
    said = second.stderr.readline()
    server.gate.set()
    answers = [process.communicate(timeout=60) for process in (first, second)]

    assert said == "some.npz: waiting for another process that downloads it\n"
    assert answers == [(f"{target}\n", ""), (f"{target}\n", "")]
    assert (server.asked, names(target.parent)) == (["some.npz"], ["some.npz"])
    assert target.read_bytes() == BYTES


def test_without_locks_both_download_and_neither_harms_the_other(
    offered: File, server: Any, start: Start, target: Path
) -> None:
    """Some network file systems have none; a folder in the lock's place has the same effect."""
    (target.parent / ".nnrun-lock-some.npz").mkdir()
    processes = [start(offered), start(offered)]
    wait_for(lambda: len(server.asked) == 2)
    server.gate.set()

    assert [process.communicate(timeout=60) for process in processes] == [(f"{target}\n", "")] * 2
    assert target.read_bytes() == BYTES


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_a_stopped_download_leaves_is_not_taken_for_data(
    number: int, offered: File, server: Any, start: Start, target: Path
) -> None:
    """The next download neither waits for the dead process nor goes on with its bytes."""
    process = start(offered)
    wait_for(half_there(target.parent))
    process.send_signal(number)
    process.communicate(timeout=60)
    after = names(target.parent)
    server.gate.set()

    assert "some.npz" not in after
    assert (after == []) == (number == signal.SIGINT)
    assert fetch(offered).read_bytes() == BYTES


def test_a_waiting_process_takes_over_from_one_that_is_killed(
    offered: File, server: Any, start: Start, target: Path
) -> None:
    """The kernel lets go of the lock of a dead process."""
    first = start(offered)
    wait_for(half_there(target.parent))
    second = start(offered)
    assert second.stderr is not None
    second.stderr.readline()
    first.kill()
    server.gate.set()

    assert second.communicate(timeout=60) == (f"{target}\n", "")
    assert target.read_bytes() == BYTES


def test_a_process_that_stops_waiting_leaves_the_other_alone(
    offered: File, server: Any, start: Start, target: Path
) -> None:
    first = start(offered)
    wait_for(half_there(target.parent))
    second = start(offered)
    assert second.stderr is not None
    second.stderr.readline()
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=60)
    locks = [name for name in names(target.parent) if "lock" in name]
    server.gate.set()

    assert locks == [".nnrun-lock-some.npz"]
    assert first.communicate(timeout=60) == (f"{target}\n", "")


def left_behind(folder: Path, *, seconds: float) -> Path:
    """Half a download in its workplace, last written so long ago."""
    left = folder / ".nnrun-download-killed"
    left.mkdir()
    (left / "some.npz").write_bytes(BYTES[:9])
    for path in (left / "some.npz", left):
        os.utime(path, (time.time() - seconds,) * 2)
    return left


@pytest.mark.parametrize(("seconds", "stays"), [(DAY + 60, False), (DAY - 60, True)])
def test_what_killed_downloads_left_goes_when_it_is_old(
    seconds: float, stays: bool, offered: File, server: Any, target: Path
) -> None:
    """What is younger may belong to a process on another machine."""
    left = left_behind(target.parent, seconds=seconds)
    server.gate.set()
    fetch(offered)

    assert left.exists() is stays


def test_an_old_workplace_with_a_young_file_is_in_use(target: Path) -> None:
    """A slow line needs more than a day, but never a day for a byte."""
    left = left_behind(target.parent, seconds=2 * DAY)
    os.utime(left / "some.npz")
    cache.sweep(target.parent)

    assert left.exists()


def test_a_file_of_a_person_that_comes_during_the_download_is_kept(
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


def test_where_there_are_no_links_a_file_is_renamed(file: File, target: Path) -> None:
    """A name that the file system refuses to link, as it refuses all on a memory card."""
    complete = target.with_name("complete")
    complete.write_bytes(b"whole")
    cache._rename(complete, file)

    assert (names(target.parent), target.read_bytes()) == (["some.npz"], b"whole")


def test_where_there_are_no_links_a_file_of_a_person_is_kept_too(file: File, target: Path) -> None:
    complete = target.with_name("complete")
    complete.write_bytes(b"whole")
    target.write_bytes(b"made by myself, so")
    with pytest.raises(DataError, match="It was left as it is"):
        cache._rename(complete, file)

    assert target.read_bytes() == b"made by myself, so"
