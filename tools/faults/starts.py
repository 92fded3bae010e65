"""Starts many runs at the same second into one folder of runs: each must come out whole.

    python tools/faults/starts.py --count 20

Every folder must hold the files of a run that was alone, no two may have one name, and `nnrun show`
and `nnrun list` must know each of them as finished.
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
from folders import Said, contents, differences

NOON = "1767268800"
PATIENCE = 900  # seconds that so many may take side by side


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, and the run folder that it names."""

    code: int
    said: str
    run: Path | None


def started(spec: Path, root: Path, count: int) -> list[Ended]:
    """Starts `nnrun train` so many times at once, and waits for all.

    For them it is the same second from beginning to end, where the file layer can be made to say so.
    """
    command = [sys.executable, "-m", "nnrun", "train", str(spec), "--json", "--runs", str(root)]
    pipe, environment = subprocess.PIPE, os.environ | {"KERAS_HOME": str(spec.with_name("keras"))}
    if injector.missing() is None:
        environment |= {"LD_PRELOAD": str(injector.compiled(spec.parent)), "FAULTS_CLOCK": NOON}
    processes = [
        subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)
        for _ in range(count)
    ]
    # Read one after another: what a run prints fits into the pipe of one that still waits.
    outputs = [process.communicate(timeout=PATIENCE) for process in processes]
    return [
        ended(process.returncode, *output)
        for process, output in zip(processes, outputs, strict=True)
    ]


def ended(code: int, out: str, err: str) -> Ended:
    """How a process ended, by its exit code and by what it printed with `--json`."""
    try:
        (run,) = json.loads(out)["runs"]
    except (ValueError, KeyError):
        return Ended(code, err or out, None)
    return Ended(code, err, Path(run["path"]))


def complaints(all_ended: Sequence[Ended], root: Path, known: dict[str, Said]) -> Iterator[str]:
    """What is wrong with runs that were started together, as sentences.

    Args:
        all_ended: how each process ended.
        root: the folder of their runs.
        known: what the same run says that was alone, of `folders.contents`.
    """
    paths = [each.run for each in all_ended if each.run]
    for each in all_ended:
        if each.code or not each.run:
            yield f"ended with {each.code}: {each.said[-500:]}"
    if twice := [path for path, times in Counter(paths).items() if times > 1]:
        yield f"written by two: {twice}"
    there = {path.name for path in root.iterdir()}
    if strange := there ^ {path.name for path in paths}:
        yield f"made by none, or gone: {sorted(strange)}"
    for path in paths:
        found, broken = contents(path)
        yield from (f"{path.name}: {each}" for each in broken)
        yield from (f"{path.name}: {each}" for each in differences(found, known, whole=True))
        if found["run.json"]["status"] != "finished":
            yield f"{path.name}: is {found['run.json']['status']}"


def shared_seconds(root: Path) -> int:
    """How many runs have a name that another would have had too."""
    stamps = Counter(path.name[:15] for path in root.iterdir())
    return sum(times for times in stamps.values() if times > 1)


def _listed(root: Path) -> Iterator[str]:
    """What `nnrun list` and `nnrun show` have to say against the runs."""
    nnrun = [sys.executable, "-m", "nnrun"]
    answer = subprocess.check_output([*nnrun, "list", "--json", "--runs", str(root)], text=True)
    runs = json.loads(answer)["runs"]
    if len(runs) != len(list(root.iterdir())):
        yield f"list knows {len(runs)} runs"
    for run in runs:
        shown = subprocess.run(
            [*nnrun, "show", run["path"]], check=False, capture_output=True, text=True
        )
        if shown.returncode or run["status"] != "finished":
            yield f"{run['path']}: {run['status']}, {shown.stderr}"


def main() -> int:
    """Reads the arguments and starts the runs; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20, help="runs at once")
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory(prefix="nnrun-starts-") as name:
        folder = Path(name).resolve()
        spec = specs.written(folder, "digits", specs.DIGITS)
        (alone,) = started(spec, folder / "alone", 1)
        assert alone.run, alone.said
        known, _ = contents(alone.run)
        root = folder / "runs"
        wrong = [*complaints(started(spec, root, count), root, known), *_listed(root)]
        print(*wrong, sep="\n", end="\n" if wrong else "")
        whole = len(list(root.iterdir()))
        print(f"{whole} of {count} runs, {shared_seconds(root)} of them in a shared second")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
