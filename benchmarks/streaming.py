"""Trains on more pictures than memory is wanted for, and shows how much memory that takes.

    python benchmarks/streaming.py                  # 4 GB of pixels
    python benchmarks/streaming.py --gigabytes 0.6  # the least that is streamed

JPEG files are written to a temporary folder, trained on for an epoch in a process of its own, and
read again for the metrics before and after. Once per second the memory of the process is asked
for; files that are mapped and shared libraries count.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 160
CLASSES = 10
SPEC = f"""\
dataset: {{name: images, path: pictures, image_size: [{SIDE}, {SIDE}], prepare: [rescale]}}
model:
  - Conv2D: {{filters: 8, kernel_size: 5, strides: 4, activation: relu}}
  - MaxPooling2D: 2
  - Conv2D: {{filters: 16, kernel_size: 3, activation: relu}}
  - GlobalAveragePooling2D
  - Dense: {{units: {CLASSES}, activation: softmax}}
training:
  {{optimizer: adam, loss: sparse_categorical_crossentropy, metrics: [accuracy], epochs: 1}}
validation: {{holdout: {{size: 0.1}}}}
"""


def draw(folder: Path, count: int) -> None:
    """Writes pictures in which the class shows as a colour under noise."""
    for number in range(CLASSES):
        (folder / str(number)).mkdir(parents=True)

    def one(number: int) -> None:
        rng = np.random.default_rng(number)
        color = np.random.default_rng(number % CLASSES).integers(0, 200, 3)
        coarse = (color + rng.integers(0, 56, (SIDE // 8, SIDE // 8, 3))).astype(np.uint8)
        picture = Image.fromarray(coarse).resize((SIDE, SIDE))
        picture.save(folder / str(number % CLASSES) / f"{number}.jpg")

    with ThreadPoolExecutor() as pool:
        list(pool.map(one, range(count)))


def megabytes(process: int) -> int:
    """The memory of a process that is resident now; 0 once it is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS")), 0)


def watched(folder: Path) -> list[int]:
    """Trains, and gives the memory in MB, second by second."""
    command = [sys.executable, "-m", "nnrun", "train", "spec.yaml", "--runs", "runs"]
    with subprocess.Popen(command, cwd=folder, stdout=sys.stderr) as process:
        curve = []
        while process.poll() is None:
            curve.append(megabytes(process.pid))
            time.sleep(1)
    if process.returncode:
        raise SystemExit(f"training ended with {process.returncode}")
    return curve


def main() -> None:
    """Prints the curve, its peak and the time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=4.0, help="of pixels")
    count = round(parser.parse_args().gigabytes * 10**9 / (SIDE * SIDE * 3))
    folder = Path(tempfile.mkdtemp(prefix="nnrun-streaming-"))
    try:
        draw(folder / "pictures", count)
        (folder / "spec.yaml").write_text(SPEC, "utf-8")
        began = time.perf_counter()
        curve = watched(folder)
        seconds = time.perf_counter() - began
    finally:
        shutil.rmtree(folder)
    gigabytes = count * SIDE * SIDE * 3 / 10**9
    print(f"{count:,} pictures of {SIDE} x {SIDE}, {gigabytes:.2f} GB of pixels")
    tenths = [max(part) for part in np.array_split(curve, 10) if len(part)]
    print(f"memory, the most of each tenth of the time: {', '.join(map(str, tenths))} MB")
    print(f"peak {max(curve):,} MB, {seconds:.0f} s in all")


if __name__ == "__main__":
    main()
