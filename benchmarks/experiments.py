"""The five classic experiments: nnrun beside the program that a tutorial would have you write.

    python benchmarks/experiments.py                    # short: fewer epochs
    python benchmarks/experiments.py --full             # as the tutorials have them; about an hour
    python benchmarks/experiments.py imdb --turns 5

Both sides have the same rows, model, epochs and batch size, draw plots and test at the end. They
take turns as whole processes, so that a noisy machine troubles both. `hand/` has the other side. A
comparison counts only where the metrics of both agree, by less than 1 % or by Welch's test over the
seeds (p of at least 0.005); else it is void, and said to be.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from scipy.stats import ttest_ind
from turns import Cost, run, spread

SECONDS_PER_GB = 4
LIBRARIES = "import keras, matplotlib.pyplot, sklearn.metrics"
HAND = Path(__file__).parent / "hand"
AGREE = 0.01  # of the metric; what a difference of seeds may always be
LEVEL = 0.005  # of the test; nnrun's own for comparisons


@dataclass(frozen=True)
class Experiment:
    """One of them.

    Args:
        spec: the shipped one.
        verb: of nnrun.
        overrides: what the tutorial has otherwise.
        metric: that is compared.
        epochs: few, and as the tutorial has it.
        faster: the budget, times as fast.
        memory: the budget, share of the memory; None where there is none.
    """

    spec: str
    verb: str
    overrides: tuple[str, ...]
    metric: str
    epochs: tuple[int, int]
    faster: float
    memory: float | None = None


EXPERIMENTS = {
    "boston": Experiment("boston-500", "kfold", (), "mae", (30, 500), 100),
    "imdb": Experiment("imdb", "train", (), "binary_accuracy", (10, 20), 4, 1 / 6),
    "reuters": Experiment("reuters", "train", (), "accuracy", (9, 9), 2, 1 / 4),
    "mnist_dense": Experiment(
        "mnist", "train", ("training.batch_size=1000",), "accuracy", (10, 50), 2
    ),
    "mnist_dropout": Experiment("mnist-logits", "train", (), "accuracy", (3, 20), 3),
}


@dataclass(frozen=True)
class Turn:
    """What one run of one side came to."""

    cost: Cost
    metric: float


def by_hand(name: str, epochs: int, folder: Path) -> Turn:
    """The program that a person would write; it draws a seed of its own."""
    cost = run([sys.executable, str(HAND / f"{name}.py"), str(epochs)], cwd=folder)
    found = re.search(r"^metric (\S+)$", cost.out, re.MULTILINE)
    assert found, cost.out
    return Turn(cost, float(found[1]))


def by_nnrun(each: Experiment, epochs: int, folder: Path, seed: int) -> Turn:
    """The same by a spec."""
    changes = (f"training.epochs={epochs}", f"seed={seed}", *each.overrides)
    options = [word for change in changes for word in ("--set", change)]
    command = [sys.executable, "-m", "nnrun", each.verb, each.spec, *options, "--json"]
    cost = run(command, cwd=folder)
    metrics = json.loads(cost.out)["runs"][0]["metrics"]
    part = metrics["test"] if each.verb == "train" else metrics["validation"]
    value = part[each.metric]
    return Turn(cost, value["mean"] if isinstance(value, dict) else value)


def agree(ours: list[float], theirs: list[float]) -> bool:
    """Whether the difference of the means is no more than that of seeds."""
    if abs(mean(ours) - mean(theirs)) <= AGREE * abs(mean(theirs)):
        return True
    return bool(ttest_ind(ours, theirs, equal_var=False).pvalue >= LEVEL)


def rest(cost: Cost) -> None:
    """Brings the machine back to where the program before found it.

    A virtual one may take the memory of a process that has ended at the expense of the next: nnrun
    took 9 s for IMDB, and 19 to 32 s within 5 s of the end of a process of 8.8 GB. In the meantime
    libraries fall out of its memory, which whoever comes first would have to read again.
    """
    time.sleep(cost.peak / 1024 * SECONDS_PER_GB)
    subprocess.run([sys.executable, "-c", LIBRARIES], check=True, capture_output=True)


def compare(name: str, *, full: bool, turns: int) -> bool:
    """Prints both sides and their ratio; gives whether the budget is met and the metrics agree."""
    each = EXPERIMENTS[name]
    epochs = each.epochs[full]
    ours: list[Turn] = []
    theirs: list[Turn] = []
    scaled = "" if epochs == each.epochs[1] else f", of the {each.epochs[1]} of the tutorial"
    print(f"\n{name}: {epochs} epochs{scaled}", flush=True)
    with tempfile.TemporaryDirectory(prefix="nnrun-benchmark-") as folder:
        for seed in range(turns):
            theirs.append(by_hand(name, epochs, Path(folder)))
            rest(theirs[-1].cost)
            ours.append(by_nnrun(each, epochs, Path(folder), seed))
            rest(ours[-1].cost)
    print("           wall s                    CPU s                     peak MB        metric")
    for side, found in (("by hand", theirs), ("nnrun", ours)):
        columns = (
            f"{spread([turn.cost.wall for turn in found]):25}",
            f"{spread([turn.cost.cpu for turn in found]):25}",
            f"{max(turn.cost.peak for turn in found):<14,.0f}",
            spread([turn.metric for turn in found], ".4f"),
        )
        print(f"{side:10}", *columns, flush=True)
    ratios = [hand.cost.wall / own.cost.wall for hand, own in zip(theirs, ours, strict=True)]
    memory = max(turn.cost.peak for turn in ours) / max(turn.cost.peak for turn in theirs)
    print(f"{spread(ratios, '.2f')} times as fast, {memory:.2f} of the memory")
    if turns < 2:
        print("one turn each says nothing of seeds, so whether the metrics agree is open")
    elif not agree([turn.metric for turn in ours], [turn.metric for turn in theirs]):
        print("VOID: the metrics differ by more than seeds do")
        return False
    met = min(ratios) >= each.faster and (each.memory is None or memory <= each.memory)
    share = f", at most {each.memory:.2f} of the memory" if each.memory else ""
    print(f"budget: {each.faster:g} times as fast{share}: {'met' if met else 'NOT met'}", end="")
    print("" if full or epochs == each.epochs[1] else " (the budget is for the full experiment)")
    return met or not full


def main() -> None:
    """Compares those that are named, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(EXPERIMENTS))
    parser.add_argument("--full", action="store_true", help="as many epochs as the tutorials have")
    parser.add_argument("--turns", type=int, default=3, help="runs of each side")
    given = parser.parse_args()
    if unknown := sorted({*given.names} - {*EXPERIMENTS}):
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(EXPERIMENTS)}")
    print(f"{os.cpu_count()} cores, {given.turns} turns, Python {sys.version.split()[0]}")
    names = given.names or list(EXPERIMENTS)
    found = [compare(name, full=given.full, turns=given.turns) for name in names]
    sys.exit(0 if all(found) else 1)


if __name__ == "__main__":
    main()
