"""Seconds that `nnrun check` takes as a whole process, for one spec and for 200.

    python benchmarks/check.py

The specs are the shipped ones, each copied as often as it takes, with a name of its own.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))
TIMES = 10


def specs(folder: Path, count: int) -> list[Path]:
    """So many specs in a folder, and beside them what they extend."""
    for path in CONFIGS:
        (folder / path.name).write_bytes(path.read_bytes())
    found = []
    for number in range(count):
        source = CONFIGS[number % len(CONFIGS)]
        found.append(folder / f"{source.stem}-{number}.yaml")
        found[-1].write_bytes(source.read_bytes())
    return found


def seconds(paths: list[Path]) -> float:
    """Wall time of one check."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "nnrun", "check", *map(str, paths)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def main() -> None:
    """Prints the median and the range of some rounds."""
    for count in (1, 200):
        with tempfile.TemporaryDirectory() as folder:
            paths = specs(Path(folder), count)
            took = [seconds(paths) for _ in range(TIMES)]
        middle = statistics.median(took)
        print(f"{count:4} specs  {middle:.2f} s  ({min(took):.2f} to {max(took):.2f})")


if __name__ == "__main__":
    main()
