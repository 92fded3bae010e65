"""The experiments that are disturbed: small, of real data that come with the installation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

DIGITS: dict[str, Any] = {
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
BOSTON: dict[str, Any] = {
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
STOPPING = {"EarlyStopping": {"monitor": "val_loss", "patience": 5, "restore_best_weights": True}}
WRITING = [{"CSVLogger": {"filename": "own.csv"}}, {"ModelCheckpoint": {"filepath": "own.keras"}}]


def with_callbacks(spec: dict[str, Any], *callbacks: dict[str, Any]) -> dict[str, Any]:
    """The same experiment with callbacks."""
    return spec | {"training": spec["training"] | {"callbacks": list(callbacks)}}


def written(folder: Path, name: str, spec: dict[str, Any]) -> Path:
    """The file of an experiment, as a person would write it."""
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"name": name, **spec}, sort_keys=False))
    return path
