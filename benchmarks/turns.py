"""Programs that take turns, and what each of them costs: for the scripts in this folder."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Cost:
    """What a whole process took.

    Args:
        wall: seconds from its start to its end.
        cpu: seconds of all cores, its children's among them.
        peak: megabytes that it held at most.
        out: what it printed.
    """

    wall: float
    cpu: float
    peak: float
    out: str


def run(command: Sequence[str], *, cwd: Path, fails: bool = False) -> Cost:
    """Runs a program to its end.

    Args:
        command: the program and its arguments.
        cwd: where it runs, and where two hidden files take what it says.
        fails: whether it is meant to.

    Raises:
        SystemExit: it failed, or did not though it was meant to; with what it said.
    """
    out, err = cwd / ".out", cwd / ".err"
    began = time.perf_counter()
    with out.open("w") as said, err.open("w") as complained:
        process = subprocess.Popen(command, cwd=cwd, stdout=said, stderr=complained)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if bool(process.returncode) != fails:
        why = err.read_text("utf-8", "replace")[-2000:]
        raise SystemExit(f"{' '.join(command)}\nended with {process.returncode}:\n{why}")
    # Linux counts in kilobytes.
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, out.read_text("utf-8"))


def spread(values: Sequence[float], form: str = ".1f") -> str:
    """The median, and the least and the most."""
    low, high = min(values), max(values)
    if len(values) == 1:
        return f"{low:{form}}"
    return f"{median(values):{form}} ({low:{form}} to {high:{form}})"
