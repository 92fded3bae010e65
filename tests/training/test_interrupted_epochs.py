"""An interrupt at any line of the report of epochs neither loses nor repeats one."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
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
from nnrun.training.loop import Trainer
from nnrun.training.rows import resident
from nnrun.types import Fold, Observer

EPOCHS = 3
FOLD = Fold(np.arange(100), np.arange(100, 120))
CODE = str(Path(nnrun.__file__).parent)


class Interrupter(Observer):
    """Raises an interrupt at the nth line that runs after training."""

    def __init__(self, line: int) -> None:
        self._line = line
        self.lines = 0
        self.interrupted = False

    def steps_done(self, step: int) -> None:
        if not self.lines:
            sys.settrace(self._trace_call)

    def _trace_call(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        return self._trace_line if frame.f_code.co_filename.startswith(CODE) else None

    def _trace_line(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any]:
        if event == "line":
            self.lines += 1
            if self.lines == self._line:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self._trace_line


Train = Callable[[Path, Interrupter], Recorder]


@pytest.fixture(scope="module")
def train() -> Train:
    """Trains three epochs in one call, each time from the same weights."""
    training = Training.model_validate({"optimizer": "sgd", "loss": "mse", "epochs": EPOCHS})
    model = build([Component(name="Dense", arguments={"units": 1})], (4,))
    compile_model(model, training)
    data = datasets.load(Iris(name="iris")).train
    preparation = preprocessing.fit((), data.x, rows=FOLD.train)
    trainer = Trainer(model, preparation, training, engine="graph")
    rows = resident(preparation.store(data.x), data.y.astype("float32")[:, None])
    weights = model.get_weights()

    def train(folder: Path, observer: Interrupter) -> Recorder:
        run = making.create(folder, "iris", now=datetime.now(), record={})
        context = RunContext((), began=0, import_seconds=0)
        recorder = Recorder(run, observer, context, cast(Any, None))
        model.set_weights(weights)
        try:
            trainer.train(rows, FOLD, seed=1, callbacks=[], observer=recorder)
        except KeyboardInterrupt:
            observer.interrupted = True
        finally:
            sys.settrace(None)
            run.release()
        return recorder

    return train


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_no_epoch_is_lost_at_any_line(step: int, train: Train, tmp_path: Path) -> None:
    """Once a call is over all of its epochs are trained, so all of them must be kept."""
    whole = train(tmp_path / "whole", Interrupter(line=10**9)).history.epochs
    assert len(set(whole["loss"])) == EPOCHS

    for line in itertools.count(1, step):
        recorder = train(tmp_path / str(line), observer := Interrupter(line))
        run = Run(recorder.run.path)

        assert recorder.history.epochs == whole, line
        assert run.history().epochs == whole, line
        assert len(recorder.epoch_seconds) == EPOCHS, line
        assert {path.name for path in run.path.iterdir()} == {layout.RUN, layout.JOURNAL}, line
        if not observer.interrupted:
            break
    assert line > 100
