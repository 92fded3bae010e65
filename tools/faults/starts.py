"""Starts many runs in the same second into one folder of runs: each must be complete.

    python tools/faults/starts.py --count 20

Each folder must hold the files of a run that was alone, no two may have the same name, and
`nnrun show` and `nnrun list` must report each of them as finished.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import injector
import specs
from folders import Contents, contents, differences, status

NOON = "1767268800"
PATIENCE = 900  # seconds for all runs together


@dataclass(frozen=True)
class Ended:
    """The exit code of a process, its messages, and the run folder that it reports."""

    code: int
    message: str
    run: Path | None

    @classmethod
    def read(cls, code: int, out: str, err: str) -> Ended:
        """Reads the output of `nnrun train --json`."""
        try:
            (run,) = json.loads(out)["runs"]
        except (ValueError, KeyError):
            return cls(code, err or out, None)
        return cls(code, err, Path(run["path"]))


def start(spec: Path, root: Path, count: int) -> list[Ended]:
    """Starts `nnrun train` several times at once, and waits for all.

    If faults can be injected, it is the same second for them from beginning to end.
    """
    command = [sys.executable, "-m", "nnrun", "train", str(spec), "--json", "--runs", str(root)]
    pipe, environment = subprocess.PIPE, os.environ | {"KERAS_HOME": str(spec.with_name("keras"))}
    if injector.missing() is None:
        shim = injector.compile_shim(spec.parent)
        environment |= {"LD_PRELOAD": str(shim), "FAULTS_CLOCK": NOON}
    processes = [
        subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)
        for _ in range(count)
    ]
    # Read one after another: the output of a run fits into its pipe.
    outputs = [process.communicate(timeout=PATIENCE) for process in processes]
    return [Ended.read(p.returncode, *output) for p, output in zip(processes, outputs, strict=True)]


def find_problems(ended: Sequence[Ended], root: Path, expected: Contents) -> Iterator[str]:
    """The problems of runs that were started together, as sentences.

    Args:
        ended: the end of each process.
        root: the folder of their runs.
        expected: the contents of the same run that was alone.
    """
    for process in ended:
        if process.code or not process.run:
            yield f"ended with {process.code}: {process.message[-500:]}"
    paths = Counter(process.run for process in ended if process.run)
    if twice := [path for path, times in paths.items() if times > 1]:
        yield f"written by two: {twice}"
    if differing := {path.name for path in root.iterdir()} ^ {path.name for path in paths}:
        yield f"reported but missing, or not reported: {sorted(differing)}"
    for path in paths:
        actual, broken = contents(path)
        for problem in (*broken, *differences(actual, expected, complete=True)):
            yield f"{path.name}: {problem}"
        if status(path) != "finished":
            yield f"{path.name}: is {status(path)}"


def shared_seconds(root: Path) -> int:
    """The number of runs with the same time in their name as another."""
    stamps = Counter(path.name[:15] for path in root.iterdir())
    return sum(times for times in stamps.values() if times > 1)


def _find_unlisted(root: Path) -> Iterator[str]:
    """Runs that `nnrun list` or `nnrun show` do not report as finished."""
    nnrun = [sys.executable, "-m", "nnrun"]
    answer = subprocess.check_output([*nnrun, "list", "--json", "--runs", str(root)], text=True)
    runs = json.loads(answer)["runs"]
    if len(runs) != len(list(root.iterdir())):
        yield f"list reports {len(runs)} runs"
    for run in runs:
        command = [*nnrun, "show", run["path"]]
        show = subprocess.run(command, check=False, capture_output=True, text=True)
        if show.returncode or run["status"] != "finished":
            yield f"{run['path']}: {run['status']}, {show.stderr}"


def main() -> int:
    """Reads the arguments and starts the runs; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20, help="runs at the same time")
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory(prefix="nnrun-starts-") as name:
        folder = Path(name).resolve()
        spec = specs.write(folder, "digits", specs.DIGITS)
        (alone,) = start(spec, folder / "alone", 1)
        assert alone.run, alone.message
        expected, _ = contents(alone.run)
        root = folder / "runs"
        problems = [*find_problems(start(spec, root, count), root, expected), *_find_unlisted(root)]
        print(*problems, sep="\n", end="\n" if problems else "")
        runs = len(list(root.iterdir()))
        print(f"{runs} of {count} runs, {shared_seconds(root)} of them in a shared second")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
