"""A training in stages: what stands still, what moves on, and that it can be gone on with."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from nnrun.data import datasets, labels, preprocessing
from nnrun.models.build import wire
from nnrun.spec.catalogue import parse_component
from nnrun.spec.dataset import Iris
from nnrun.spec.training import Training
from nnrun.training import devices
from nnrun.training.compile import Stages
from nnrun.training.evaluate import Evaluator
from nnrun.training.loop import Trainer
from nnrun.training.rows import Schedule, resident
from nnrun.training.state import State
from nnrun.types import Array, Fold
from tests.training.test_fit import ENGINES, Heard

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
            {"epochs": 2, "freeze": ["base", "Residual"]},
            {"epochs": 1, "freeze": ["base"]},
            {"epochs": 2, "learning_rate": 0.01},
        ],
    }
)


# At the end of a stage, and in the middle of the last.
DAILY = {("graph", 2)}


class Lesson:
    """A model and its trainer, untrained; the same each time."""

    def __init__(self, engine: Any, training: Training = STAGED) -> None:
        rows = datasets.load(Iris(name="iris")).train
        keras.utils.clear_session()
        devices.seed_everything(3)
        assert isinstance(rows.x, np.ndarray)
        wired = wire([parse_component("layers", layer) for layer in STACK], rows.x.shape[1:])
        preparation = preprocessing.fit((), rows.x, rows=FOLD.train)
        self.x = preparation.store(rows.x)
        self.y = labels.encode(rows.y, training, classes=3, units=3)
        self.model, self.training = wired.model, training
        stages = Stages(wired.model, wired.layers, training)
        stages.enter(0)
        self.trainer = Trainer(
            wired.model,
            preparation,
            training,
            engine=engine,
            evaluator=Evaluator(wired.model, preparation),
            stages=stages,
        )
        self.states: list[State] = []
        self.weights: list[list[Array]] = []

    def learn(self, start: State | None = None) -> Heard:
        def save_state(capture: Any) -> None:
            self.states.append(capture())
            self.weights.append(self.model.get_weights())

        heard = Heard()
        self.trainer.train(
            resident(self.x, self.y),
            FOLD,
            seed=0,
            callbacks=[],
            observer=heard,
            start=start,
            save_state=save_state,
        )
        return heard


def by_hand() -> tuple[list[float], list[Array]]:
    """The same as a person does it: freeze, compile, fit, and so on."""
    lesson = Lesson("fit")
    model, losses = lesson.model, []
    base, other, head = (layer for layer in model.layers if isinstance(layer, keras.layers.Dense))
    order = Schedule(FOLD, STAGED, 0).order
    for rate, frozen, epochs in (
        (0.1, (base, other), (0, 1)),
        (0.1, (base,), (2,)),
        (0.01, (), (3, 4)),
    ):
        for layer in (base, other, head):
            layer.trainable = layer not in frozen
        model.compile(keras.optimizers.SGD(rate, momentum=0.9), STAGED.loss.name)
        for epoch in epochs:
            x, y = lesson.x[order(epoch)], lesson.y[order(epoch)]
            told = model.fit(x, y, batch_size=32, epochs=1, shuffle=False, verbose=0)
            losses += told.history["loss"]
    return losses, model.get_weights()


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param("xla", marks=pytest.mark.slow),
        "graph",
        pytest.param("fit", marks=pytest.mark.slow),
    ],
)
def test_it_is_what_a_person_does_by_hand(engine: Any) -> None:
    losses, weights = by_hand()
    lesson = Lesson(engine)
    heard = lesson.learn()

    assert heard.history.epochs["loss"] == pytest.approx(losses, rel=2e-4)
    assert [each.tolist() for each in lesson.model.get_weights()] == [
        pytest.approx(each, rel=2e-4, abs=2e-5) for each in weights
    ]


def test_what_is_frozen_stands_still() -> None:
    lesson = Lesson("graph")
    first = lesson.model.get_weights()
    lesson.learn()
    moved = [
        [not np.array_equal(old, new) for old, new in zip(before, after, strict=True)]
        for before, after in zip([first, *lesson.weights], lesson.weights, strict=False)
    ]

    # Kernel and bias of the base, of the residual block, and of the head.
    assert moved == [
        *[[False, False, False, False, True, True]] * 2,
        [False, False, True, True, True, True],
        *[[True] * 6] * 2,
    ]


@pytest.mark.parametrize(
    ("engine", "epochs"),
    [
        pytest.param(engine, epochs, marks=() if (engine, epochs) in DAILY else pytest.mark.slow)
        for engine in ENGINES
        for epochs in (1, 2, 3, 4)
    ],
)
def test_it_goes_on_to_the_bit_from_any_epoch(engine: Any, epochs: int) -> None:
    """Also from the last epoch of a stage, whose optimizer is not that of the next one."""
    whole = Lesson(engine)
    expected = whole.learn().history.epochs["loss"]
    rest = Lesson(engine)
    heard = rest.learn(whole.states[epochs - 1])

    assert heard.history.epochs["loss"] == expected[epochs:]
    assert [each.tobytes() for each in rest.model.get_weights()] == [
        each.tobytes() for each in whole.model.get_weights()
    ]


def test_epochs_cut_the_stages_or_prolong_the_last() -> None:
    """`--set training.epochs=1` tries a spec, `nnrun resume --epochs` goes on with one."""
    given = STAGED.model_dump()
    short, long = (Training.model_validate({**given, "epochs": epochs}) for epochs in (1, 7))

    assert [STAGED.epochs, short.epochs, long.epochs] == [5, 1, 7]
    assert [len(Lesson("fit", each).learn().history) for each in (short, long)] == [1, 7]
