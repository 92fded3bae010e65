"""Trains small models for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import keras
import numpy as np

from nnrun.data import preprocessing
from nnrun.training import devices
from nnrun.training.compile import compile_model
from nnrun.training.loop import Engine, Trainer
from nnrun.training.rows import resident
from nnrun.types import Array, Fold, History, Logs, Observer

if TYPE_CHECKING:
    from nnrun.spec.training import Training

ENGINES: tuple[Engine, ...] = ("xla", "graph", "fit")

# A linear regression of 30 training and 10 validation rows.
FOLD = Fold(np.arange(30), np.arange(30, 40))
X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
Y = (X @ [1.0, -2.0, 0.5]).astype(np.float32)[:, None]


@dataclass
class EpochLog(Observer):
    """Records the progress of a training."""

    history: History = field(default_factory=History)
    began: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)

    def epoch_began(self, epoch: int, epochs: int, steps: int) -> None:
        self.began.append(epoch)

    def steps_done(self, step: int) -> None:
        self.steps.append(step)

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        # An epoch is reported again if an interrupt cut its report off.
        self.history.cut(epoch)
        self.history.append(logs)


def functional(
    shape: tuple[int, ...], stack: Callable[[], Sequence[keras.Layer]], *, seed: int = 3
) -> keras.Model:
    """A model of a stack of new layers, with the same weights each time."""
    policy = keras.config.dtype_policy()
    keras.utils.clear_session()
    keras.config.set_dtype_policy(policy)
    devices.seed_everything(seed)
    inputs = outputs = keras.Input(shape)
    for layer in stack():
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def train(
    model: keras.Model,
    training: Training,
    x: Array = X,
    y: Array = Y,
    fold: Fold = FOLD,
    *,
    engine: Engine = "graph",
    seed: int = 0,
    callbacks: list[keras.callbacks.Callback] | None = None,
    weights: Array | None = None,
    observer: EpochLog | None = None,
    **options: object,
) -> EpochLog:
    """Compiles and trains a model; options as for `Trainer.train`."""
    compile_model(model, training)
    observer = observer or EpochLog()
    preparation = preprocessing.fit((), x, rows=fold.train)
    rows = resident(preparation.store(x), y, weights=weights)
    trainer = Trainer(model, preparation, training, engine=engine)
    trainer.train(rows, fold, seed=seed, callbacks=callbacks or [], observer=observer, **options)
    return observer
