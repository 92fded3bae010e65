"""Training in stages: freezing, learning rates, and resuming from any epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import keras
import numpy as np
import pytest

from nnrun.data import datasets, labels, preprocessing
from nnrun.errors import IncompatibleSpec
from nnrun.models.build import Wired, wire
from nnrun.spec.catalogue import parse_component
from nnrun.spec.dataset import Iris
from nnrun.spec.training import Training
from nnrun.training import devices
from nnrun.training.compile import Stages
from nnrun.training.loop import Engine, Trainer
from nnrun.training.rows import Schedule, resident
from nnrun.training.state import State
from nnrun.types import Array, Fold
from tests.training.trained import ENGINES, EpochLog

FOLD = Fold(np.arange(20, 110), np.arange(20))
STACK = [
    {"Dense": {"units": 8, "activation": "relu", "name": "base"}},
    {"Residual": {"main": [{"Dense": 8}]}},
    {"Dense": {"units": 3, "activation": "softmax"}},
]
STAGED = Training.model_validate(
    {
        "optimizer": {"SGD": {"learning_rate": 0.1, "momentum": 0.9}},
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
        "stages": [
            {"epochs": 2, "freeze": ["b*", "Residual"]},
            {"epochs": 1, "freeze": ["base"], "optimizer": "adam", "batch_size": 10},
            {"epochs": 2, "learning_rate": 0.01},
        ],
    }
)


@dataclass
class Trained:
    """Losses, and states and weights after each epoch; the first weights are untrained."""

    losses: list[float]
    states: list[State]
    weights: list[list[Array]]


def prepared() -> tuple[Wired, preprocessing.Preparation, Array, Array]:
    """An untrained model, the same each time, with its rows."""
    rows = datasets.load(Iris(name="iris")).train
    assert isinstance(rows.x, np.ndarray)
    keras.utils.clear_session()
    devices.seed_everything(3)
    wired = wire([parse_component("layers", layer) for layer in STACK], rows.x.shape[1:])
    preparation = preprocessing.fit((), rows.x, rows=FOLD.train)
    y = labels.encode(rows.y, STAGED, classes=3, units=3)
    return wired, preparation, preparation.store(rows.x), y


def train(engine: Engine, training: Training = STAGED, start: State | None = None) -> Trained:
    wired, preparation, x, y = prepared()
    stages = Stages(wired.model, wired.layers, training)
    stages.enter(0)
    trainer = Trainer(wired.model, preparation, training, engine=engine, stages=stages)
    trained, log = Trained([], [], [wired.model.get_weights()]), EpochLog()

    def save_state(capture: Callable[[], State]) -> None:
        trained.states.append(capture())
        trained.weights.append(wired.model.get_weights())

    rows = resident(x, y)
    trainer.train(
        rows, FOLD, seed=0, callbacks=[], observer=log, start=start, save_state=save_state
    )
    trained.losses = log.history.epochs["loss"]
    return trained


@cache
def whole(engine: Engine) -> Trained:
    """All epochs without interruption."""
    return train(engine)


def by_keras() -> tuple[list[float], list[Array]]:
    """The same with `compile` and `fit` for each stage."""
    wired, _, rows, targets = prepared()
    model, losses = wired.model, []
    base, other, head = (layer for layer in model.layers if isinstance(layer, keras.layers.Dense))
    order = Schedule(FOLD, STAGED, 0).order
    sgd = keras.optimizers.SGD
    for optimizer, size, frozen, epochs in (
        (sgd(0.1, momentum=0.9), 32, (base, other), (0, 1)),
        (keras.optimizers.Adam(), 10, (base,), (2,)),
        (sgd(0.01, momentum=0.9), 32, (), (3, 4)),
    ):
        for layer in (base, other, head):
            layer.trainable = layer not in frozen
        model.compile(optimizer, STAGED.loss.name)
        for epoch in epochs:
            x, y = rows[order(epoch)], targets[order(epoch)]
            history = model.fit(x, y, batch_size=size, epochs=1, shuffle=False, verbose=0)
            losses += history.history["loss"]
    return losses, model.get_weights()


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param("xla", marks=pytest.mark.slow),
        "graph",
        pytest.param("fit", marks=pytest.mark.slow),
    ],
)
def test_stages_equal_compile_and_fit(engine: Engine) -> None:
    losses, weights = by_keras()

    assert whole(engine).losses == pytest.approx(losses, rel=2e-4)
    assert [weight.tolist() for weight in whole(engine).weights[-1]] == [
        pytest.approx(weight, rel=2e-4, abs=2e-5) for weight in weights
    ]


def test_frozen_layers_do_not_change() -> None:
    changed = [
        [not np.array_equal(old, new) for old, new in zip(before, after, strict=True)]
        for before, after in pairwise(whole("graph").weights)
    ]

    # Kernel and bias of the base, of the residual block, and of the head.
    assert changed == [
        *[[False, False, False, False, True, True]] * 2,
        [False, False, True, True, True, True],
        *[[True] * 6] * 2,
    ]


@pytest.mark.parametrize(
    ("engine", "epochs"),
    [
        # By default only at the end of a stage, whose optimizer differs from the next one's.
        pytest.param(
            engine, epochs, marks=() if (engine, epochs) == ("graph", 2) else pytest.mark.slow
        )
        for engine in ENGINES
        for epochs in (1, 2, 3, 4)
    ],
)
def test_it_resumes_from_any_epoch_to_the_same_bits(engine: Engine, epochs: int) -> None:
    rest = train(engine, start=whole(engine).states[epochs - 1])

    assert rest.losses == whole(engine).losses[epochs:]
    assert [weight.tobytes() for weight in rest.weights[-1]] == [
        weight.tobytes() for weight in whole(engine).weights[-1]
    ]


def test_a_rule_that_freezes_nothing_is_refused() -> None:
    """Names that only Keras knows are checked when the model is built."""
    wired, *_ = prepared()
    given = STAGED.model_dump()
    training = Training.model_validate({**given, "stages": [{"epochs": 1, "freeze": ["dense_9"]}]})
    with pytest.raises(IncompatibleSpec) as caught:
        Stages(wired.model, wired.layers, training).enter(0)

    assert caught.value.path == ("training", "stages", 0, "freeze", 0)
    assert (
        caught.value.message
        == "the model has no layer 'dense_9'; there are base, dense, add and dense_1"
    )


def test_epochs_cut_the_stages_or_extend_the_last() -> None:
    """For `--set training.epochs=1` and `nnrun resume --epochs`."""
    given = STAGED.model_dump()
    short, long = (Training.model_validate({**given, "epochs": epochs}) for epochs in (1, 7))

    assert [STAGED.epochs, short.epochs, long.epochs] == [5, 1, 7]
    wired, *_ = prepared()
    ends = [
        Stages(wired.model, wired.layers, training).end(training.epochs - 1)
        for training in (short, long)
    ]
    assert ends == [1, 7]
