"""How often `nnrun compare` takes two seeds of one spec for a difference.

    python benchmarks/seeds.py                     # digits, which needs no download
    python benchmarks/seeds.py reuters imdb        # the published data, in KERAS_HOME

Trains 40 seeds of each spec and compares them two by two: 20 pairs that share no run. Each verdict
other than "no difference shown" is a difference between two models that a reader might take for one
between two specs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

PAIRS = 20


def nnrun(*arguments: str) -> str:
    """What the command answers."""
    command = [sys.executable, "-m", "nnrun", *arguments]
    return subprocess.run(
        command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ).stdout


def verdicts(spec: str, root: Path) -> Counter[str]:
    """What is said of each pair, counted."""
    answer = nnrun("train", spec, "--seeds", str(2 * PAIRS), "--runs", str(root), "--json")
    paths = [run["path"] for run in json.loads(answer)["runs"]]
    found: Counter[str] = Counter()
    for first, second in zip(paths[::2], paths[1::2], strict=True):
        [verdict] = json.loads(nnrun("compare", first, second, "--json"))["verdicts"]
        found[verdict["verdict"]] += 1
    return found


def main() -> None:
    """Prints the counts for each spec."""
    for spec in sys.argv[1:] or ["digits"]:
        with tempfile.TemporaryDirectory() as folder:
            found = verdicts(spec, Path(folder))
        counts = ", ".join(f"{verdict}: {count}" for verdict, count in found.most_common())
        print(f"{spec}, {PAIRS} pairs of seeds: {counts}", flush=True)


if __name__ == "__main__":
    main()
