"""Calls of the file layer that fail on demand: compiles `shim.c`, and arms it.

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
    """What becomes of the chosen call; the order is that of `shim.c`."""

    FAIL_ONCE = 0
    FAIL_ON = 1  # and so do all that follow
    HALF_ONCE = 2  # a write takes half of the bytes, as POSIX lets it
    HALF_THEN_FAIL = 3
    KILL = 4
    HALF_THEN_KILL = 5


@dataclass(frozen=True)
class Fault:
    """One call that goes wrong.

    Args:
        number: of the call, from 1; 0 counts only.
        action: what becomes of it.
        error: the `errno` of a call that fails.
    """

    number: int = 0
    action: Action = Action.FAIL_ON
    error: int = errno.ENOSPC

    def __str__(self) -> str:
        return f"call {self.number} {self.action.name} {errno.errorcode[self.error]}"


@dataclass(frozen=True)
class Call:
    """A call that was counted: its number, what it does, and the path that it does it to."""

    number: int
    name: str
    path: Path


def missing() -> str | None:
    """Why no file layer can be made to fail here, if it cannot."""
    if sys.platform != "linux":
        return "needs Linux, for LD_PRELOAD and /proc"
    return None if shutil.which("cc") else "needs a C compiler, `cc`"


def compiled(folder: Path) -> Path:
    """The shim, compiled into a folder."""
    shim = folder / "shim.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(shim), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return shim


def arm(folder: str, fault: Fault, trace: str) -> None:
    """From now on counts calls under a folder, writes each to a file, and lets one go wrong.

    Args:
        folder: without links in its path.
        fault: the call that goes wrong.
        trace: a file outside of the folder.
    """
    told = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    ctypes.CDLL(None).faults_arm(
        folder.encode(), ctypes.c_long(fault.number), fault.error, int(fault.action), told
    )


def stop_clock(second: int) -> None:
    """From now on the time of day is always this second, counted from 1970."""
    ctypes.CDLL(None).faults_stop_clock(ctypes.c_long(second))


def calls(trace: Path) -> list[Call]:
    """What was written of the calls, in their order; nothing where none was armed."""
    lines = trace.read_text().splitlines() if trace.exists() else []
    parts = (line.split("\t") for line in lines)
    return [Call(int(number), name, Path(path)) for number, name, path in parts]
