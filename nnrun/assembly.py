"""From rows and a spec to a compiled model that is ready to train."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from nnrun import keras_objects
from nnrun.check.callbacks import check_monitors
from nnrun.check.labels import check_output
from nnrun.errors import Misfit
from nnrun.intake import Intake
from nnrun.models.build import REFUSALS, Wired, begin_anew, summary, wire
from nnrun.records import Array, Observer, Sequences, Split, Streamed
from nnrun.spec.experiment import Experiment
from nnrun.structure import Structure
from nnrun.training import callbacks, engine, seeding, sparse
from nnrun.training.engine import Engine
from nnrun.training.evaluate import Evaluator
from nnrun.training.fit import Trainer
from nnrun.training.restart import restart
from nnrun.training.rows import Rows, resident
from nnrun.training.stages import Stages


@dataclass(frozen=True)
class Assembly:
    """A compiled model with its rows on the device, ready to train; it took `seconds`.

    `test` are the test rows, None for a fold, which is not tested. `initial` are the metrics of the
    untrained model on the training rows.
    """

    intake: Intake
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


def assemble(
    intake: Intake, device: str, observer: Observer, *, previous: Assembly | None = None
) -> Assembly:
    """Builds and compiles the model and brings the rows to the device.

    Args:
        intake: of one fold.
        device: by the name that a spec uses.
        observer: is told that it takes a while.
        previous: of another fold of the same experiment, whose model, put back to its beginning,
            and traced functions are used again.

    Raises:
        Misfit: the model cannot be built, or does not fit the labels.
    """
    began = time.perf_counter()
    observer.stage("building the model")
    spec = intake.spec
    wired, stages, described = _compiled(intake)
    model = wired.model
    units = check_output(intake.dataset, spec, tuple(model.output_shape[1:]))
    if previous:
        previous.trainer.enter(0)
        restart(previous.model, model)
        model, chosen = previous.model, previous.engine
        evaluator, trainer = previous.evaluator, previous.trainer
    else:
        chosen = engine.choose(
            spec.training,
            model,
            device=device,
            streamed=isinstance(intake.dataset.train.x, Streamed),
        )
        evaluator = Evaluator(model, intake.preparation)
        trainer = Trainer(
            model,
            intake.preparation,
            spec.training,
            engine=chosen,
            evaluator=evaluator,
            stages=stages,
        )
    takers = _takers_of_words(intake, model, chosen, device)
    for layer in takers:
        sparse.teach(layer)
    store = intake.preparation.distinct if takers else intake.preparation.store
    weights = intake.weights(intake.fold)
    train = _on_device(intake, store, intake.dataset.train, units, weights=weights)
    test = None if intake.fold.number else _on_device(intake, store, intake.dataset.test, units)
    return Assembly(
        intake=intake,
        model=model,
        device=device,
        engine=chosen,
        train=train,
        test=test,
        evaluator=evaluator,
        trainer=trainer,
        summary=described,
        structure=wired.structure,
        initial=_untrained(evaluator, train, intake),
        seconds=time.perf_counter() - began,
    )


def serves(previous: Assembly | None, spec: Experiment) -> bool:
    """Whether what is there of one experiment can be used again: at most the seed is another."""
    return previous is not None and previous.intake.spec == spec.model_copy(
        update={"seed": previous.intake.spec.seed}
    )


def _compiled(intake: Intake) -> tuple[Wired, Stages, str]:
    """The untrained model of a fold in its first stage, and its summary."""
    spec, preparation = intake.spec, intake.preparation
    begin_anew(spec.training.precision)
    seeding.seed_everything(seeding.of_fold(intake.seed, intake.fold))
    wired = wire(spec.model, preparation.shape, dtype=preparation.dtype)
    described = summary(wired)
    stages = Stages(wired.model, wired.layers, spec.training)
    stages.enter(0)
    callbacks.build(spec.training.callbacks, Path())
    return wired, stages, described


def _takers_of_words(
    intake: Intake, model: keras.Model, chosen: Engine, device: str
) -> list[keras.layers.Dense]:
    """The layers for whose sake bags of words are kept as words.

    Not under XLA, to which rows have to be equally long, and not on a GPU, where the gradient of
    such a product is not the same each time.
    """
    sparsely = chosen == "graph" and device == "cpu"
    if not sparsely or not intake.preparation.is_sparse(intake.dataset.train.x):
        return []
    return sparse.takers(model)


def _on_device(
    intake: Intake,
    store: Callable[[Any], Array | Sequences | Streamed],
    split: Split,
    units: int,
    *,
    weights: Array | None = None,
) -> Rows:
    y = intake.labels(split.y, units)
    return resident(store(split.x), y, intake.preparation.state, weights=weights)


def _untrained(evaluator: Evaluator, rows: Rows, intake: Intake) -> dict[str, float]:
    """Loss and metrics before training, which also tells whether they take model and labels."""
    training = intake.spec.training
    try:
        initial = evaluator.metrics(rows, intake.fold.train)
    except REFUSALS as error:
        message = f"loss or metrics do not take the model's output: {keras_objects.reason(error)}"
        raise Misfit("NN122", ("training", "loss"), message) from error
    held_out = [f"val_{name}" for name in initial] if len(intake.fold.validation) else []
    check_monitors(training.callbacks, [*initial, *held_out])
    return initial
