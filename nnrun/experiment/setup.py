"""From rows and a spec to a compiled model that is ready to train."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from nnrun.check.training import check_monitors
from nnrun.errors import IncompatibleSpec
from nnrun.experiment.inputs import PreparedData
from nnrun.models import components
from nnrun.models.build import REFUSALS, Wired, begin_anew, summary, wire
from nnrun.models.structure import Structure
from nnrun.spec.experiment import Experiment
from nnrun.spec.labels import check_output
from nnrun.training import callbacks, devices, loop
from nnrun.training.compile import Stages
from nnrun.training.evaluate import Evaluator
from nnrun.training.loop import Engine, Trainer
from nnrun.training.rows import Rows, enable_sparse, resident, sparse_layers
from nnrun.training.state import restart
from nnrun.types import Array, Observer, Sequences, Split, Streamed


@dataclass(frozen=True)
class TrainingSetup:
    """A compiled model with its rows on the device, ready to train; it took `seconds`.

    `test` are the test rows, None for a fold, which is not tested. `initial` are the metrics of the
    untrained model on the training rows.
    """

    prepared: PreparedData
    model: keras.Model
    device: str
    engine: Engine
    train: Rows
    test: Rows | None
    evaluator: Evaluator
    trainer: Trainer
    summary: str
    structure: Structure
    initial: dict[str, float]
    seconds: float


def build_setup(
    prepared: PreparedData,
    device: str,
    observer: Observer,
    *,
    previous: TrainingSetup | None = None,
) -> TrainingSetup:
    """Builds and compiles the model and brings the rows to the device.

    Args:
        prepared: of one fold.
        device: by the name that a spec uses.
        observer: is told that it takes a while.
        previous: of another fold of the same experiment, whose model, put back to its beginning,
            and traced functions are used again.

    Raises:
        Misfit: the model cannot be built, or does not fit the labels.
    """
    began = time.perf_counter()
    observer.stage("building the model")
    spec = prepared.spec
    wired, stages, described = _compiled(prepared)
    model = wired.model
    units = check_output(prepared.dataset, spec, tuple(model.output_shape[1:]))
    if previous:
        previous.trainer.enter(0)
        restart(previous.model, model)
        model, chosen = previous.model, previous.engine
        evaluator, trainer = previous.evaluator, previous.trainer
    else:
        chosen = loop.choose(
            spec.training,
            model,
            device=device,
            streamed=isinstance(prepared.dataset.train.x, Streamed),
        )
        evaluator = Evaluator(model, prepared.preparation)
        trainer = Trainer(
            model,
            prepared.preparation,
            spec.training,
            engine=chosen,
            evaluator=evaluator,
            stages=stages,
        )
    takers = _takers_of_words(prepared, model, chosen, device)
    for layer in takers:
        enable_sparse(layer)
    store = prepared.preparation.distinct if takers else prepared.preparation.store
    weights = prepared.weights(prepared.fold)
    train = _on_device(prepared, store, prepared.dataset.train, units, weights=weights)
    test = (
        None if prepared.fold.number else _on_device(prepared, store, prepared.dataset.test, units)
    )
    return TrainingSetup(
        prepared=prepared,
        model=model,
        device=device,
        engine=chosen,
        train=train,
        test=test,
        evaluator=evaluator,
        trainer=trainer,
        summary=described,
        structure=wired.structure,
        initial=_untrained(evaluator, train, prepared),
        seconds=time.perf_counter() - began,
    )


def serves(previous: TrainingSetup | None, spec: Experiment) -> bool:
    """Whether what is there of one experiment can be used again: at most the seed is another."""
    return previous is not None and previous.prepared.spec == spec.model_copy(
        update={"seed": previous.prepared.spec.seed}
    )


def _compiled(prepared: PreparedData) -> tuple[Wired, Stages, str]:
    """The untrained model of a fold in its first stage, and its summary."""
    spec, preparation = prepared.spec, prepared.preparation
    begin_anew(spec.training.precision)
    devices.seed_everything(devices.of_fold(prepared.seed, prepared.fold))
    wired = wire(spec.model, preparation.shape, dtype=preparation.dtype)
    described = summary(wired)
    stages = Stages(wired.model, wired.layers, spec.training)
    stages.enter(0)
    callbacks.build(spec.training.callbacks, Path())
    return wired, stages, described


def _takers_of_words(
    prepared: PreparedData, model: keras.Model, chosen: Engine, device: str
) -> list[keras.layers.Dense]:
    """The layers for whose sake bags of words are kept as words.

    Not under XLA, to which rows have to be equally long, and not on a GPU, where the gradient of
    such a product is not the same each time.
    """
    sparsely = chosen == "graph" and device == "cpu"
    if not sparsely or not prepared.preparation.is_sparse(prepared.dataset.train.x):
        return []
    return sparse_layers(model)


def _on_device(
    prepared: PreparedData,
    store: Callable[[Any], Array | Sequences | Streamed],
    split: Split,
    units: int,
    *,
    weights: Array | None = None,
) -> Rows:
    y = prepared.labels(split.y, units)
    return resident(store(split.x), y, prepared.preparation.state, weights=weights)


def _untrained(evaluator: Evaluator, rows: Rows, prepared: PreparedData) -> dict[str, float]:
    """Loss and metrics before training, which also tells whether they take model and labels."""
    training = prepared.spec.training
    try:
        initial = evaluator.metrics(rows, prepared.fold.train)
    except REFUSALS as error:
        message = f"loss or metrics do not take the model's output: {components.reason(error)}"
        raise IncompatibleSpec("NN122", ("training", "loss"), message) from error
    held_out = [f"val_{name}" for name in initial] if len(prepared.fold.validation) else []
    check_monitors(training.callbacks, [*initial, *held_out])
    return initial
