"""nnrun beside Ludwig and a plain loop in PyTorch, on the same rows.

    sh benchmarks/peers/set_up.sh FOLDER              # an environment of their own, gigabytes
    python benchmarks/peers/peers.py FOLDER           # takes turns, prints a table per task
    python benchmarks/peers/peers.py FOLDER boston --turns 1

Whole processes. PyTorch is a loop that somebody has written, so it has no config to refuse.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from turns import Cost, run, spread

QUIET = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONWARNINGS": "ignore"}


@dataclass(frozen=True)
class Side:
    """One of the three.

    Args:
        name: for the table.
        environment: where its packages are.
        command: the program of a task; None where it has no such task.
        metric: finds the task's metric, by what it printed and the folder it left.
    """

    name: str
    environment: Path
    command: Callable[[str], list[str] | None]
    metric: Callable[[str, str, Path], float | None]


def nnrun(task: str) -> list[str] | None:
    """The task as nnrun has it."""
    program = [sys.executable, "-m", "nnrun"]
    sixteen = ["--set", "training.batch_size=16"]
    return {
        "--help": [*program, "train", "--help"],
        "refuse": [*program, "train", "boston", "--set", "training.epochs=twenty"],
        "boston": [*program, "kfold", "boston", *sixteen, "--json", "--runs", "left"],
        "mnist": [*program, "train", "nnrun-mnist.yaml", "--json", "--runs", "left"],
    }[task]


def nnrun_metric(task: str, out: str, _: Path) -> float | None:
    """From the answer."""
    if task not in ("boston", "mnist"):
        return None
    metrics = json.loads(out)["runs"][0]["metrics"]
    return metrics["validation"]["mae"]["mean"] if task == "boston" else metrics["test"]["accuracy"]


def ludwig(environment: Path) -> Callable[[str], list[str] | None]:
    """The task as Ludwig has it."""
    program = [str(environment / "bin" / "ludwig")]
    experiment = [*program, "experiment", "--output_directory", "left", "-rs", "42"]
    boston = [*experiment, "--dataset", "boston.csv", "--k_fold", "4"]
    return lambda task: {
        "--help": [*program, "train", "--help"],
        "refuse": [*experiment, "--dataset", "boston.csv", "--config", "broken.yaml"],
        "boston": [*boston, "--config", "boston.yaml"],
        "mnist": [*experiment, "--dataset", "mnist.csv", "--config", "ludwig-mnist.yaml"],
    }[task]


def ludwig_metric(task: str, _: str, folder: Path) -> float | None:
    """From the files that it leaves."""
    if task == "boston":
        found = next((folder / "left").rglob("kfold_training_statistics.json"))
        return float(json.loads(found.read_text())["overall"]["MEDV"]["mean_absolute_error_mean"])
    if task == "mnist":
        found = next((folder / "left").rglob("test_statistics.json"))
        label = json.loads(found.read_text())["label"]
        return float(label.get("accuracy_micro", label["accuracy"]))
    return None


def torch(environment: Path) -> Callable[[str], list[str] | None]:
    """The task as a plain loop."""
    program = [str(environment / "bin" / "python"), str(HERE / "loop_in_torch.py")]
    return lambda task: {
        "--help": [*program, "--help"],
        "refuse": None,
        "boston": [*program, "boston", "."],
        "mnist": [*program, "mnist", "."],
    }[task]


def torch_metric(_: str, out: str, __: Path) -> float | None:
    """From what it prints."""
    found = re.search(r"^metric (\S+)$", out, re.MULTILINE)
    return float(found[1]) if found else None


def size(folder: Path) -> tuple[int, float]:
    """Files, and megabytes, below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return len(files), sum(path.stat().st_size for path in files) / 2**20


def packages(environment: Path) -> int:
    """How many are installed."""
    listed = [str(environment / "bin" / "python"), "-m", "pip", "list", "--format", "json"]
    return len(json.loads(subprocess.run(listed, capture_output=True, check=True).stdout))


def measure(task: str, sides: Sequence[Side], turns: int, rows: Path) -> None:
    """Prints a table of one task."""
    found: dict[str, list[tuple[Cost, float | None, int, float]]] = {}
    for _ in range(turns):
        for side in sides:
            if (command := side.command(task)) is None:
                continue
            with tempfile.TemporaryDirectory(prefix="nnrun-peers-") as name:
                folder = Path(name)
                for path in rows.iterdir():
                    (folder / path.name).symlink_to(path)
                cost = run(command, cwd=folder, fails=task == "refuse")
                for said in folder.glob(".*"):
                    said.unlink()
                metric = side.metric(task, cost.out, folder)
                found.setdefault(side.name, []).append((cost, metric, *size(folder)))
    print(f"\n{task}", flush=True)
    print(f"{'':10}{'wall s':26}{'CPU s':26}{'peak MB':>8}{'files':>7}{'MB left':>9}   metric")
    for name, costs in found.items():
        metrics = [metric for _, metric, _, _ in costs if metric is not None]
        print(
            f"{name:10}{spread([cost.wall for cost, *_ in costs], '.2f'):26}"
            f"{spread([cost.cpu for cost, *_ in costs], '.2f'):26}"
            f"{max(cost.peak for cost, *_ in costs):8,.0f}"
            f"{costs[-1][2]:7}{costs[-1][3]:9.1f}"
            f"   {spread(metrics, '.4f') if metrics else ''}",
            flush=True,
        )


def main() -> None:
    """Takes turns."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("environment", type=Path, help="made by set_up.sh")
    tasks = ["--help", "refuse", "boston", "mnist"]
    parser.add_argument("tasks", nargs="*", default=tasks, metavar="TASK", help=", ".join(tasks))
    parser.add_argument("--turns", type=int, default=2)
    given = parser.parse_args()
    os.environ.update(QUIET)
    # As typed: a name that a link stands for is another environment.
    environment = given.environment.absolute()
    own = Path(sys.prefix)
    sides = [
        Side("nnrun", own, nnrun, nnrun_metric),
        Side("Ludwig", environment, ludwig(environment), ludwig_metric),
        Side("PyTorch", environment, torch(environment), torch_metric),
    ]
    print("installed: packages, files, MB")
    for side in sides[:2]:
        files, megabytes = size(side.environment)
        print(f"{side.name:10}{packages(side.environment):8}{files:9,}{megabytes:9,.0f}")
    with tempfile.TemporaryDirectory(prefix="nnrun-peers-rows-") as rows:
        # By another process: what this one holds would count as what its children hold.
        subprocess.run([sys.executable, str(HERE / "rows.py"), rows], check=True)
        for task in given.tasks:
            measure(task, sides, given.turns, Path(rows))


if __name__ == "__main__":
    main()
