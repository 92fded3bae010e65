"""Calls of the file layer that fail on demand: compiles `shim.c` and arms it.

A process started with `LD_PRELOAD` naming the compiled shim can call `arm`; from then on the calls
that change something under a folder are counted, and the chosen one fails.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")


class Action(IntEnum):
    """What the chosen call does, in the order of `shim.c`."""

    FAIL_ONCE = 0
    FAIL_ON = 1  # and all later calls fail too
    HALF_ONCE = 2  # a write takes half of the bytes, as POSIX allows
    HALF_THEN_FAIL = 3
    KILL = 4
    HALF_THEN_KILL = 5


@dataclass(frozen=True)
class Fault:
    """One call that fails.

    Args:
        number: of the call, from 1; with 0 calls are only counted.
        action: what it does.
        error: the `errno` of a call that fails.
    """

    number: int = 0
    action: Action = Action.FAIL_ON
    error: int = errno.ENOSPC


@dataclass(frozen=True)
class Call:
    """A counted call, such as `write`, with the path that it changes."""

    number: int
    name: str
    path: Path


def missing() -> str | None:
    """Why faults cannot be injected on this machine; None if they can."""
    if sys.platform != "linux":
        return "needs Linux, for LD_PRELOAD and /proc"
    return None if shutil.which("cc") else "needs a C compiler, `cc`"


def compile_shim(folder: Path) -> Path:
    """Compiles the shim into a folder."""
    shim = folder / "shim.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(shim), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return shim


def arm(folder: str, fault: Fault, trace: str) -> None:
    """From now on counts the calls under a folder, logs each to a file, and lets one fail.

    Args:
        folder: without links in its path.
        fault: the call that fails.
        trace: a file outside of the folder.
    """
    log = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    ctypes.CDLL(None).faults_arm(
        folder.encode(), ctypes.c_long(fault.number), fault.error, int(fault.action), log
    )


def stop_clock(second: int) -> None:
    """From now on the time of day is always this second, counted from 1970."""
    ctypes.CDLL(None).faults_stop_clock(ctypes.c_long(second))


def read_calls(trace: Path) -> list[Call]:
    """The calls in a log, in their order."""
    parts = (line.split("\t") for line in trace.read_text().splitlines())
    return [Call(int(number), name, Path(path)) for number, name, path in parts]
