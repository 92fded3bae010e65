"""Writes the rows of both experiments as each side reads them: `python rows.py FOLDER`."""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path

import numpy as np

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
from keras.datasets import boston_housing, mnist

HERE = Path(__file__).parent
COLUMNS = "CRIM ZN INDUS CHAS NOX RM AGE DIS RAD TAX PTRATIO B LSTAT".split()
BROKEN = "epochs: twenty"


def write_rows(folder: Path) -> None:
    """The rows of both experiments, in the form that each side reads."""
    (x, y), _ = boston_housing.load_data()
    np.savez(folder / "boston.npz", x=x, y=y)
    with (folder / "boston.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[*COLUMNS, "MEDV"], *np.column_stack([x, y]).tolist()])
    (x, y), _ = mnist.load_data()
    x, y = x[:10000], y[:10000]
    np.savez(folder / "mnist.npz", x=x, y=y)
    parts = {"x_train": x[:9000], "y_train": y[:9000], "x_test": x[9000:], "y_test": y[9000:]}
    np.savez(folder / "rows.npz", **parts)
    split = [0] * 8000 + [1] * 1000 + [2] * 1000
    with (folder / "mnist.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["pixels", "label", "split"])
        for pixels, label, part in zip(x.reshape(-1, 784) / 255, y, split, strict=True):
            table.writerow([" ".join(f"{value:.6f}" for value in pixels), label, part])
    features = json.dumps([{"name": name, "type": "number"} for name in COLUMNS])
    text = (HERE / "ludwig-boston.yaml").read_text().replace("FEATURES", features)
    (folder / "boston.yaml").write_text(text)
    (folder / "broken.yaml").write_text(text.replace("epochs: 100", BROKEN))
    for name in ("ludwig-mnist.yaml", "nnrun-mnist.yaml"):
        (folder / name).write_text((HERE / name).read_text())


if __name__ == "__main__":
    write_rows(Path(sys.argv[1]))
