"""The same seed gives the same training, also in another process."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import hashlib, sys
import numpy as np
from nnrun.data import datasets, labels, preprocessing
from nnrun.models.build import build
from nnrun.types import Observer, Fold
from nnrun.spec.component import Component
from nnrun.spec.prepare import Rescale
from nnrun.spec.dataset import Digits
from nnrun.spec.training import Training
from nnrun.training import devices
from nnrun.training.compile import compile_model
from nnrun.training.evaluate import Evaluator
from nnrun.training.loop import Trainer
from nnrun.training.rows import resident

class Heard(Observer):
    def epoch_ended(self, epoch, logs, seconds):
        print(epoch, sorted((name, value.hex()) for name, value in logs.items()))

engine, seed = sys.argv[1], int(sys.argv[2])
data = datasets.load(Digits(name="digits")).train
training = Training.model_validate(
    dict(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"], epochs=3)
)
devices.seed_everything(seed)
layers = [("Flatten", {}), ("Dense", {"units": 32, "activation": "relu"}),
          ("Dropout", {"rate": 0.4}), ("Dense", {"units": 10, "activation": "softmax"})]
model = build([Component(name=name, arguments=each) for name, each in layers], (8, 8))
compile_model(model, training)
preparation = preprocessing.fit((Rescale(divisor=16),), data.x, rows=np.arange(500))
rows = resident(preparation.store(data.x), labels.encode(data.y, training, classes=10, units=10))
Trainer(
    model, preparation, training, engine=engine, evaluator=Evaluator(model, preparation)
).train(rows, Fold(np.arange(500), np.arange(500, 700)), seed=seed, callbacks=[], observer=Heard())
weights = b"".join(weight.tobytes() for weight in model.get_weights())
print(hashlib.sha256(weights).hexdigest())
"""


def told(engine: str, *seeds: int) -> list[str]:
    """History and a digest of the weights of a net with dropout, each from its own process."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, engine, str(seed)], stdout=subprocess.PIPE, text=True
        )
        for seed in seeds
    ]
    return [process.communicate()[0] for process in running]


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param("xla", marks=pytest.mark.slow),
        "graph",
        pytest.param("fit", marks=pytest.mark.slow),
    ],
)
def test_two_processes_train_to_the_same_bits(engine: str) -> None:
    """Loss and metrics of each epoch, and every weight, though units drop out at random."""
    first, second = told(engine, 1, 1)

    assert len(first.splitlines()) == 4
    assert first == second


@pytest.mark.slow
def test_another_seed_trains_to_other_bits() -> None:
    """Or the test above would say nothing."""
    first, second = told("graph", 1, 2)

    assert first != second
