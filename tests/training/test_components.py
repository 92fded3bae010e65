"""Every optimizer, loss and metric of Keras trains in the compiled loop, with and without XLA."""

from __future__ import annotations

from itertools import product
from typing import Any

import keras
import numpy as np
import pytest

from nnrun.data.labels import encode
from nnrun.models.components import instantiate
from nnrun.spec import catalogue
from nnrun.spec.component import Component
from nnrun.spec.training import Training
from nnrun.training.loop import Engine
from nnrun.types import Fold, Logs
from tests.training.trained import functional, train

X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
FOLD = Fold(np.arange(15), np.arange(15, 20))
# Number of classes, activation and loss of each task.
TASKS: dict[str, tuple[int, str, str]] = {
    "regression": (0, "softplus", "mse"),
    "binary": (2, "sigmoid", "binary_crossentropy"),
    "categorical": (3, "softmax", "categorical_crossentropy"),
    "sparse": (3, "softmax", "sparse_categorical_crossentropy"),
}
NEEDED: dict[str, Any] = {
    "inner_optimizer": {"SGD": {}},
    "num_classes": 3,
    "target_class_ids": [0, 1],
    "recall": 0.5,
    "precision": 0.5,
    "specificity": 0.5,
    "sensitivity": 0.5,
}
# CTC takes a sequence of labels per row, and a row of nnrun has one label.
SEQUENCE_LOSSES = {"CTC"}
# Mean and Sum take one value, not label and output.
ONE_VALUE_METRICS = {"Mean", "Sum"}
# The tasks of losses and metrics; all others are for a probability.
FAMILIES = {
    "sparse": {
        *("SparseCategoricalCrossentropy", "CategoricalGeneralizedCrossEntropy", "Circle"),
        *("SparseCategoricalAccuracy", "SparseTopKCategoricalAccuracy"),
    },
    "categorical": {
        *("CategoricalCrossentropy", "CategoricalFocalCrossentropy", "CategoricalHinge"),
        *("CategoricalAccuracy", "TopKCategoricalAccuracy", "F1Score", "FBetaScore"),
        *("OneHotIoU", "OneHotMeanIoU", "ConcordanceCorrelation", "PearsonCorrelation"),
    },
    "regression": {
        *("MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "Huber"),
        *("LogCosh", "MeanSquaredLogarithmicError", "LogCoshError", "RootMeanSquaredError"),
        "R2Score",
    },
}


def task(name: str) -> str:
    return next((family for family, names in FAMILIES.items() if name in names), "binary")


def trained(family: str, engine: Engine, **changed: Any) -> Logs:
    """One epoch of a tiny model."""
    classes, activation, loss = TASKS[family]
    training = Training.model_validate(
        {"optimizer": "sgd", "loss": loss, "epochs": 1, "batch_size": 8, **changed}
    )
    y = np.arange(20) % classes if classes else np.abs(X[:, 0])
    units = classes if classes > 2 else 1
    model = functional((4,), lambda: [keras.layers.Dense(units, activation)], seed=0)
    y = encode(y, training, classes=classes, units=units)
    return train(model, training, X, y, FOLD, engine=engine).history.row(0)


def with_required(kind: str, name: str) -> dict[str, Any]:
    entry = catalogue.entry(kind, name)
    assert entry is not None
    required = {argument.name for argument in entry.arguments.values() if argument.required}
    return {name: {argument: NEEDED[argument] for argument in required}}


def names_with_entry(kind: str) -> set[str]:
    """Keras's own names, each once."""
    names = {catalogue.canonical_name(kind, name) for name in catalogue.names(kind)} - {""}
    return {name for name in names if catalogue.entry(kind, name)}


def cases(kind: str, without: frozenset[str] | set[str] = frozenset()) -> Any:
    """Every name with both engines."""
    return list(product(sorted(names_with_entry(kind) - without), ("graph", "xla")))


def test_an_unusual_optimizer_loss_and_metric_train_together() -> None:
    """The slow tests train each one alone."""
    metric = {"SparseTopKCategoricalAccuracy": {"k": 2}}
    logs = trained("sparse", "graph", optimizer="Muon", loss="Circle", metrics=[metric])

    assert len(logs) == 4
    assert np.isfinite(list(logs.values())).all()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "engine"), cases("optimizers"))
def test_every_optimizer_trains(name: str, engine: Engine) -> None:
    logs = trained("regression", engine, optimizer=with_required("optimizers", name))

    assert np.isfinite([logs["loss"], logs["val_loss"]]).all()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "engine"), cases("losses", SEQUENCE_LOSSES))
def test_every_loss_trains(name: str, engine: Engine) -> None:
    """On labels encoded as it needs them."""
    logs = trained(task(name), engine, loss=with_required("losses", name))

    assert np.isfinite([logs["loss"], logs["val_loss"]]).all()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "engine"), cases("metrics", ONE_VALUE_METRICS))
def test_every_metric_is_computed(name: str, engine: Engine) -> None:
    logs = trained(task(name), engine, metrics=[with_required("metrics", name)])

    assert len(logs) == 4
    assert np.isfinite(list(logs.values())).all()


def test_every_exception_exists() -> None:
    """A name that Keras drops must not stay in the lists of exceptions."""
    assert names_with_entry("losses") >= SEQUENCE_LOSSES
    assert names_with_entry("metrics") >= ONE_VALUE_METRICS


def test_a_schedule_may_begin_with_a_whole_number() -> None:
    """As a warm-up from 0; Keras fails in the first step."""
    arguments = {
        "initial_learning_rate": 0,
        "decay_steps": 4,
        "warmup_target": 1,
        "warmup_steps": 2,
    }
    schedule = instantiate("schedules", Component(name="CosineDecay", arguments=arguments))

    assert [float(schedule(step)) for step in range(3)] == [0.0, 0.5, 1.0]
