"""Wherever an interrupt falls while epochs are told, none is lost, doubled or half written."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any, cast

import numpy as np
import pytest

import nnrun
from nnrun.data import datasets, preprocessing
from nnrun.experiment.recorder import Recorder, RunContext
from nnrun.models.build import build
from nnrun.runs import Run, layout, making
from nnrun.spec.component import Component
from nnrun.spec.dataset import Iris
from nnrun.spec.training import Training
from nnrun.training.compile import compile_model
from nnrun.training.evaluate import Evaluator
from nnrun.training.loop import Trainer
from nnrun.training.rows import Rows, resident
from nnrun.types import Fold, Observer

EPOCHS = 3
FOLD = Fold(np.arange(100), np.arange(100, 120))
CODE = str(Path(nnrun.__file__).parent)


class Interrupter(Observer):
    """An observer of three epochs trained in one call that is interrupted at a line of them.

    Args:
        line: which of the lines that run from the first telling on.
    """

    def __init__(self, line: int) -> None:
        self._line = line
        self.lines = 0
        self.interrupted = False

    def steps_done(self, step: int) -> None:
        if not self.lines:
            sys.settrace(self._called)

    def _called(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        return self._ran if frame.f_code.co_filename.startswith(CODE) else None

    def _ran(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any]:
        if event == "line":
            self.lines += 1
            if self.lines == self._line:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self._ran


@dataclass(frozen=True)
class Bench:
    """A small model and its rows, to be trained over and over from the same weights."""

    model: Any
    trainer: Trainer
    rows: Rows
    weights: list[Any]

    def told(self, folder: Path, observer: Interrupter) -> Recorder:
        """What the recorder knows when training has ended or was interrupted."""
        run = making.create(folder, "iris", now=datetime.now(), record={})
        recorder = Recorder(
            run, observer, RunContext((), began=0, import_seconds=0), cast(Any, None)
        )
        self.model.set_weights(self.weights)
        try:
            self.trainer.train(self.rows, FOLD, seed=1, callbacks=[], observer=recorder)
        except KeyboardInterrupt:
            observer.interrupted = True
        finally:
            sys.settrace(None)
            run.release()
        return recorder


@pytest.fixture(scope="module")
def bench() -> Bench:
    training = Training.model_validate({"optimizer": "sgd", "loss": "mse", "epochs": EPOCHS})
    model = build([Component(name="Dense", arguments={"units": 1})], (4,))
    compile_model(model, training)
    data = datasets.load(Iris(name="iris")).train
    preparation = preprocessing.fit((), data.x, rows=FOLD.train)
    evaluator = Evaluator(model, preparation)
    trainer = Trainer(model, preparation, training, engine="graph", evaluator=evaluator)
    rows = resident(preparation.store(data.x), data.y.astype("float32")[:, None])
    return Bench(model, trainer, rows, model.get_weights())


def test_no_line_of_the_telling_is_one_where_an_epoch_can_be_lost(
    bench: Bench, tmp_path: Path
) -> None:
    """Once a call is over all of its epochs are trained, so all of them must be kept."""
    whole = bench.told(tmp_path / "whole", Interrupter(line=10**9)).history.epochs
    assert len(set(whole["loss"])) == EPOCHS

    for line in itertools.count(1):
        recorder = bench.told(tmp_path / str(line), observer := Interrupter(line))
        run = Run(recorder.run.path)

        assert recorder.history.epochs == whole, line
        assert run.history().epochs == whole, line
        assert len(recorder.epoch_seconds) == EPOCHS, line
        assert {path.name for path in run.path.iterdir()} == {layout.RUN, layout.JOURNAL}, line
        if not observer.interrupted:
            break
    assert line > 100
