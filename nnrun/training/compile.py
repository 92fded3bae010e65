"""Compiles a model with optimizer, loss and metrics, for each stage of a training."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from nnrun.errors import IncompatibleSpec
from nnrun.models import components
from nnrun.models.components import Named
from nnrun.spec import catalogue, labels
from nnrun.spec.component import Component
from nnrun.spec.training import Stage, Training


def compile_model(model: keras.Model, training: Training) -> None:
    """Compiles a model without XLA: the training loop compiles whole epochs itself.

    Raises:
        IncompatibleSpec: Keras refuses an argument.
    """
    units = model.output_shape[-1]
    metrics = [labels.adapted(metric, training, units) for metric in training.metrics]
    model.compile(
        optimizer=_instantiate("optimizers", training.optimizer, "optimizer"),
        loss=_instantiate("losses", training.loss, "loss"),
        metrics=[
            _instantiate("metrics", metric, "metrics", index)
            for index, metric in enumerate(metrics)
        ],
        jit_compile=False,
    )
    model.optimizer.build(model.trainable_variables)


def _instantiate(kind: str, component: Component, *path: str | int) -> object:
    try:
        return components.instantiate(kind, component)
    except (TypeError, ValueError) as error:
        message = f"{component.name}: {components.reason(error)}"
        raise IncompatibleSpec("NN114", ("training", *path), message) from error


class Stages:
    """Puts a model into the stages of `training.stages`; without stages there is one.

    Keras reads `trainable` when it compiles, so each stage compiles the model again and begins
    with a fresh optimizer.
    """

    def __init__(self, model: keras.Model, layers: Sequence[Named], training: Training) -> None:
        self._model, self._layers, self._training = model, layers, training
        self._current: int | None = None

    def enter(self, epoch: int) -> bool:
        """Puts the model into the stage of an epoch, counted from 0.

        Returns:
            Whether the stage is a new one, so that the model was compiled.

        Raises:
            IncompatibleSpec: Keras refuses an argument of optimizer, loss or metrics.
        """
        stages = self._training.stages
        number = stage_of_epoch(stages, epoch)
        if number == self._current:
            return False
        if self._current is not None:
            finalize(self._model)
        self._current = number
        stage = stages[number] if stages else Stage(epochs=1)
        for layer in self._layers:
            layer.set_frozen(frozen=not layer.names.isdisjoint(stage.freeze))
        compile_model(self._model, _with_learning_rate(self._training, stage.learning_rate))
        return True

    def end(self, epoch: int) -> int:
        """The first epoch after the stage of an epoch."""
        stages = self._training.stages
        number = stage_of_epoch(stages, epoch)
        if number + 1 >= len(stages):
            return self._training.epochs
        return min(self._training.epochs, sum(stage.epochs for stage in stages[: number + 1]))


def stage_of_epoch(stages: Sequence[Stage], epoch: int) -> int:
    """The number of the stage of an epoch, both counted from 0; the last stage has no end.

    Example:
        >>> [stage_of_epoch([Stage(epochs=2), Stage(epochs=1)], epoch) for epoch in range(4)]
        [0, 0, 1, 1]
    """
    for number, stage in enumerate(stages):
        epoch -= stage.epochs
        if epoch < 0:
            return number
    return max(0, len(stages) - 1)


def finalize(model: keras.Model) -> None:
    """Replaces the weights by their averages, if the optimizer averages them."""
    model.optimizer.finalize_variable_values(model.trainable_weights)


def _with_learning_rate(training: Training, learning_rate: float | None) -> Training:
    if learning_rate is None:
        return training
    given = training.optimizer
    parsed = catalogue.parse_component("optimizers", {given.name: given.arguments})
    arguments = {**parsed.arguments, "learning_rate": learning_rate}
    optimizer = parsed.model_copy(update={"arguments": arguments})
    return training.model_copy(update={"optimizer": optimizer})
