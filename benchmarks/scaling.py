"""How the cost of an experiment grows with its size: a picture and an exponent for each kind.

    python benchmarks/scaling.py FOLDER           # pictures go to FOLDER
    python benchmarks/scaling.py FOLDER classes   # one of them

Whole processes are timed at growing sizes, each the fastest of some. What a start costs is the same for
all, so `seconds = start + rate * size ** exponent` is fitted, all three at once, by least squares of
the relative error. An exponent of 1 is proportional; above 1.1 the script ends with exit code 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import compare
import matplotlib as mpl
import numpy as np
from scipy.optimize import curve_fit
from turns import run

mpl.use("Agg")
import matplotlib.pyplot as plt

TIMES, MOST = 2, 1.1
ROWS = """\
dataset: {name: npz, path: rows.npz}
model: [Dense: {units: 32, activation: relu}, Dense: {units: CLASSES, activation: softmax}]
training:
  {optimizer: adam, loss: sparse_categorical_crossentropy, metrics: [accuracy], epochs: 3}
"""


def nnrun(*arguments: object) -> list[str]:
    """A command line."""
    return [sys.executable, "-m", "nnrun", *map(str, arguments)]


def epochs(folder: Path, size: int) -> list[str]:
    """Epochs of a small net."""
    return nnrun("train", "digits", "--set", f"training.epochs={size}", "--runs", folder / "runs")


def folds(folder: Path, size: int) -> list[str]:
    """Folds of a cross-validation, one after the other."""
    changes = (f"validation.kfold={{folds: {size}, shuffle: true}}", "training.epochs=5")
    options = [word for change in changes for word in ("--set", change)]
    return nnrun("kfold", "breast_cancer", *options, "--workers", 1, "--runs", folder / "runs")


def rows(folder: Path, size: int) -> list[str]:
    """Rows of 100 numbers, in ten classes."""
    return _made(folder, rows=size, classes=10)


def classes(folder: Path, size: int) -> list[str]:
    """Classes of 20,000 rows."""
    return _made(folder, rows=20_000, classes=size)


def compared(folder: Path, size: int) -> list[str]:
    """Runs in a comparison."""
    root = folder / f"{size}"
    if not root.exists():
        compare.write(root, size)
    return nnrun("compare", "--runs", root)


def _made(folder: Path, *, rows: int, classes: int) -> list[str]:
    rng = np.random.default_rng(0)
    x, y = rng.random((rows, 100), dtype=np.float32), np.arange(rows) % classes
    np.savez(folder / "rows.npz", x_train=x, y_train=y, x_test=x[:5000], y_test=y[:5000])
    (folder / "rows.yaml").write_text(ROWS.replace("CLASSES", str(classes)), "utf-8")
    return nnrun("train", folder / "rows.yaml", "--runs", folder / "runs")


KINDS: dict[str, tuple[Callable[[Path, int], list[str]], Sequence[int]]] = {
    "epochs": (epochs, (250, 500, 1000, 2000, 4000)),
    "folds": (folds, (4, 8, 16, 32, 64)),
    "rows": (rows, (20_000, 40_000, 80_000, 160_000, 320_000)),
    "classes": (classes, (10, 40, 160, 640, 1280)),
    "compared runs": (compared, (250, 500, 1000, 2000, 4000)),
}


def seconds(command: list[str], folder: Path) -> float:
    """The fastest of some whole processes."""
    return min(run(command, cwd=folder).wall for _ in range(TIMES))


def fitted(sizes: Sequence[int], found: Sequence[float]) -> tuple[float, float, float]:
    """Start, rate and exponent."""
    unit = np.array(sizes) / max(sizes)
    first = (min(found), max(found) - min(found), 1.0)
    bounds = ([0, 0, 0.1], [min(found), 10 * max(found), 3])
    best, _ = curve_fit(
        lambda n, start, rate, power: start + rate * n**power,
        unit,
        found,
        p0=np.clip(first, bounds[0], bounds[1]),
        sigma=found,
        bounds=bounds,
    )
    return float(best[0]), float(best[1]), float(best[2])


def draw(name: str, sizes: Sequence[int], found: Sequence[float], file: Path) -> float:
    """Draws what was measured and what was fitted; gives the exponent."""
    start, rate, power = fitted(sizes, found)
    figure, axes = plt.subplots(figsize=(5, 3.4), layout="constrained")
    fine = np.linspace(0, max(sizes), 200)
    axes.plot(fine, start + rate * (fine / max(sizes)) ** power, color="0.6", zorder=1)
    axes.scatter(sizes, found, zorder=2)
    axes.set(xlabel=name, ylabel="seconds, whole process", ylim=(0, None), xlim=(0, None))
    axes.set_title(f"exponent {power:.2f}")
    figure.savefig(file, dpi=110)
    plt.close(figure)
    return power


def main() -> None:
    """Measures, prints and draws."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    given = parser.parse_args()
    powers = []
    for kind in given.kinds or KINDS:
        make, sizes = KINDS[kind]
        with tempfile.TemporaryDirectory(prefix="nnrun-scaling-") as name:
            found = [seconds(make(Path(name), size), Path(name)) for size in sizes]
        file = given.folder / f"scaling-{kind.replace(' ', '-')}.png"
        powers.append(draw(kind, sizes, found, file))
        told = ", ".join(f"{n:,}: {s:.2f} s" for n, s in zip(sizes, found, strict=True))
        print(f"{kind}: exponent {powers[-1]:.2f} ({told})", flush=True)
    sys.exit(0 if max(powers) <= MOST else 1)


if __name__ == "__main__":
    main()
