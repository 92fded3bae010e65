"""The residual net of 20 layers, an epoch on 10,000 rows: nnrun beside `model.fit` by hand.

    python benchmarks/residual.py            # the two take turns, twice
    python benchmarks/residual.py --turns 5

The rows are of the size of CIFAR-10 and made up, so that no download is needed: pictures of a plain
colour, which says the class, under noise. `hand/resnet20.py` is the program that nnrun is compared with.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
from turns import run, spread

from nnrun.cli import specs

HAND = Path(__file__).parent / "hand" / "resnet20.py"
ROWS, TEST = 10_000, 1_000
SPEC = """\
extends: resnet20.yaml
name: rows
dataset: {name: npz, path: rows.npz, prepare: [rescale]}
training:
  optimizer: {SGD: {learning_rate: 0.1, momentum: 0.9}}
  epochs: 1
validation: {}
"""


def draw(path: Path) -> None:
    """Rows of 32 x 32 x 3 bytes, of ten classes."""
    rng = np.random.default_rng(0)
    colors = rng.integers(0, 256, (10, 1, 1, 3))
    y = rng.integers(0, 10, ROWS + TEST).astype(np.uint8)
    noise = rng.integers(-60, 61, (len(y), 32, 32, 3), dtype=np.int16)
    x = np.clip(colors[y] + noise, 0, 255).astype(np.uint8)
    np.savez(path, x_train=x[:ROWS], y_train=y[:ROWS], x_test=x[ROWS:], y_test=y[ROWS:])


def main() -> None:
    """Prints seconds of both, whole process and epoch alone, and the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=2)
    turns = parser.parse_args().turns
    with tempfile.TemporaryDirectory(prefix="nnrun-residual-") as name:
        folder = Path(name)
        draw(folder / "rows.npz")
        blocks = (specs.shipped_folder() / "architectures" / "resnet20.yaml").read_text("utf-8")
        (folder / "resnet20.yaml").write_text(blocks, "utf-8")
        (folder / "rows.yaml").write_text(SPEC, "utf-8")
        ours, theirs, epochs, whole = [], [], [], []
        for _ in range(turns):
            hand = run([sys.executable, str(HAND), "rows.npz"], cwd=folder)
            told = run([sys.executable, "-m", "nnrun", "train", "rows.yaml", "--json"], cwd=folder)
            metrics = json.loads(told.out)["runs"][0]["metrics"]
            ours.append(metrics["seconds"]["training"])
            theirs.append(float(re.search(r"^epoch (.*)$", hand.out, re.MULTILINE)[1]))
            epochs.append(theirs[-1] / ours[-1])
            whole.append((hand.wall, told.wall, hand.peak, told.peak))
            print(
                f"epoch: by hand {theirs[-1]:.1f} s, nnrun {ours[-1]:.1f} s; whole process: "
                f"by hand {hand.wall:.1f} s, {hand.peak:,.0f} MB, nnrun {told.wall:.1f} s, "
                f"{told.peak:,.0f} MB; test accuracy {metrics['test']['accuracy']:.3f}, "
                f"by hand {float(re.search(r'^test (.*)$', hand.out, re.MULTILINE)[1]):.3f}",
                flush=True,
            )
    print(f"nnrun is {spread(epochs, '.2f')} times as fast in the epoch, and", end=" ")
    print(f"{spread([hand / own for hand, own, _, _ in whole], '.2f')} times as a whole process")


if __name__ == "__main__":
    main()
