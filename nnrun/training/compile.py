"""Optimizer, loss and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from nnrun.errors import IncompatibleSpec
from nnrun.models import components
from nnrun.models.components import Named
from nnrun.spec import catalogue
from nnrun.spec.component import Component
from nnrun.spec.training import Stage, Training

_LOGIT_ARGUMENTS: dict[str, dict[str, Any]] = {
    "BinaryAccuracy": {"threshold": 0.0},
    "Precision": {"thresholds": 0.0},
    "Recall": {"thresholds": 0.0},
    "AUC": {"from_logits": True},
}


def compile_model(model: keras.Model, training: Training) -> None:
    """Gives the model its optimizer, loss and metrics.

    XLA is left out on purpose: the training loop compiles whole epochs itself.

    Raises:
        Misfit: Keras refuses an argument.
    """
    on_logits = puts_out_logits(training) and model.output_shape[-1] == 1
    metrics = [_on_logits(metric) if on_logits else metric for metric in training.metrics]
    model.compile(
        optimizer=_built("optimizers", training.optimizer, "optimizer"),
        loss=_built("losses", training.loss, "loss"),
        metrics=[
            _built("metrics", metric, "metrics", index) for index, metric in enumerate(metrics)
        ],
        jit_compile=False,
    )
    model.optimizer.build(model.trainable_variables)


def _on_logits(metric: Component) -> Component:
    """The metric with its border between the classes where a logit has it, at 0.

    Keras gives metrics the model's output as it is, and cuts it at 0.5 all the same.
    """
    word = metric.name
    name = (
        "BinaryAccuracy"
        if word in ("accuracy", "acc")
        else catalogue.canonical_name("metrics", word)
    )
    if name not in _LOGIT_ARGUMENTS:
        return metric
    # The history shows a metric under the word that the person wrote.
    reported = {} if word == name else {"name": word}
    return Component(
        name=name, arguments={**_LOGIT_ARGUMENTS[name], **reported, **metric.arguments}
    )


def _built(kind: str, component: Component, *path: str | int) -> object:
    try:
        return components.instantiate(kind, component)
    except (TypeError, ValueError) as error:
        message = f"{component.name}: {components.reason(error)}"
        raise IncompatibleSpec("NN114", ("training", *path), message) from error


def puts_out_logits(training: Training) -> bool:
    """Whether the loss turns the model's output into probabilities by itself."""
    return training.loss.arguments.get("from_logits") is True


# `training.stages`: parts of the training with a learning rate, and layers that stand still.


class Stages:
    """Leads one model through the stages of its training; without any there is one.

    Whatever stands still or moves on is compiled anew, because Keras looks at it then; so each
    stage has an optimizer of its own, which begins with nothing in mind.

    Args:
        model: not compiled yet.
        layers: its layers, with what they are called in the spec.
        training: the spec's.
    """

    def __init__(self, model: keras.Model, layers: Sequence[Named], training: Training) -> None:
        self._model, self._layers = model, layers
        self._training = training
        self._now: int | None = None

    def enter(self, epoch: int) -> bool:
        """Brings the model into the stage of an epoch, counted from 0.

        Returns:
            Whether it is another stage than before, and the model compiled anew.

        Raises:
            Misfit: Keras refuses an argument of optimizer, loss or metrics.
        """
        stage = of_epoch(self._training.stages, epoch)
        if stage == self._now:
            return False
        if self._now is not None:
            finalize(self._model)
        self._now = stage
        self._compile(self._training.stages[stage] if self._training.stages else Stage(epochs=1))
        return True

    def end(self, epoch: int) -> int:
        """The first epoch that an epoch's stage does not hold any more."""
        stages = self._training.stages
        stage = of_epoch(stages, epoch)
        if stage + 1 >= len(stages):
            return self._training.epochs
        return min(self._training.epochs, sum(each.epochs for each in stages[: stage + 1]))

    def _compile(self, stage: Stage) -> None:
        for each in self._layers:
            each.stand_still(wanted=not each.names.isdisjoint(stage.freeze))
        compile_model(self._model, _with_rate(self._training, stage.learning_rate))


def of_epoch(stages: Sequence[Stage], epoch: int) -> int:
    """The stage that an epoch lies in, both counted from 0; the last one has no end.

    Example:
        >>> [of_epoch([Stage(epochs=2), Stage(epochs=1)], epoch) for epoch in range(4)]
        [0, 0, 1, 1]
    """
    for number, stage in enumerate(stages):
        epoch -= stage.epochs
        if epoch < 0:
            return number
    return max(0, len(stages) - 1)


def finalize(model: keras.Model) -> None:
    """Lets an optimizer that averages weights put the averages in place."""
    model.optimizer.finalize_variable_values(model.trainable_weights)


def _with_rate(training: Training, learning_rate: float | None) -> Training:
    if learning_rate is None:
        return training
    given = training.optimizer
    own = catalogue.parse_component("optimizers", {given.name: given.arguments})
    arguments = {**own.arguments, "learning_rate": learning_rate}
    optimizer = own.model_copy(update={"arguments": arguments})
    return training.model_copy(update={"optimizer": optimizer})
