"""The experiments that are disturbed: small, on real data that come with the installation."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import yaml


class Spec(TypedDict):
    """The content of a spec file, without its name."""

    dataset: dict[str, object]
    model: list[dict[str, object]]
    training: dict[str, object]
    validation: dict[str, object]


DIGITS: Spec = {
    "dataset": {"name": "digits", "prepare": [{"rescale": 16}, "flatten"]},
    "model": [
        {"Dense": {"units": 32, "activation": "relu"}},
        {"Dense": {"units": 10, "activation": "softmax"}},
    ],
    "training": {
        "optimizer": "adam",
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
        "epochs": 3,
        "batch_size": 8,
    },
    "validation": {"holdout": {"size": 0.2, "take": "random", "stratify": True}},
}
BOSTON: Spec = {
    "dataset": {"name": "boston_housing", "prepare": ["standardize"]},
    "model": [{"Dense": {"units": 16, "activation": "relu"}}, {"Dense": 1}],
    "training": {
        "optimizer": "rmsprop",
        "loss": "mse",
        "metrics": ["mae"],
        "epochs": 3,
        "batch_size": 8,
    },
    "validation": {"kfold": {"folds": 3}},
}
CALLBACKS = [
    {"CSVLogger": {"filename": "own.csv"}},
    {"ModelCheckpoint": {"filepath": "own.keras"}},
    {"EarlyStopping": {"monitor": "val_loss", "patience": 5, "restore_best_weights": True}},
]


def train(spec: Spec, **changes: object) -> Spec:
    """The same experiment with changes in its `training`."""
    return {**spec, "training": {**spec["training"], **changes}}


def write(folder: Path, name: str, spec: Spec) -> Path:
    """Writes the file of an experiment."""
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"name": name, **spec}, sort_keys=False))
    return path
