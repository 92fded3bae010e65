"""Compiles a model with optimizer, loss and metrics, for each stage of a training."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from nnrun.errors import IncompatibleSpec
from nnrun.models import components
from nnrun.models.components import Named
from nnrun.spec import catalogue, labels
from nnrun.spec.component import Component
from nnrun.spec.text import join_words, quote
from nnrun.spec.training import FrozenPart, Stage, Training
from nnrun.types import Target


def compile_model(model: keras.Model, training: Training, target: Target | None = None) -> None:
    """Compiles a model without XLA: the training loop compiles whole epochs itself.

    Args:
        model: built.
        training: with optimizer, loss and metrics.
        target: the meaning of a label; by default, each row has one class or value.

    Raises:
        IncompatibleSpec: Keras refuses an argument.
    """
    units = model.output_shape[-1]
    several = target is not None and target.kind == "labels"
    metrics = [
        labels.adapted(metric, training, units, several=several) for metric in training.metrics
    ]
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

    def __init__(
        self,
        model: keras.Model,
        layers: Sequence[Named],
        training: Training,
        target: Target | None = None,
    ) -> None:
        self._model, self._layers, self._training = model, layers, training
        self._target = target
        self._current: int | None = None

    @property
    def batch_size(self) -> int:
        """Rows per step of the current stage."""
        return self._training.batch_size_of(self._current or 0)

    def enter(self, epoch: int) -> bool:
        """Puts the model into the stage of an epoch, counted from 0.

        Returns:
            Whether the stage is a new one, so that the model was compiled.

        Raises:
            IncompatibleSpec: Keras refuses an argument of optimizer, loss or metrics, or there is no
                layer to freeze.
        """
        stages = self._training.stages
        number = self._training.stage_of_epoch(epoch)
        if number == self._current:
            return False
        if self._current is not None:
            finalize(self._model)
        self._current = number
        stage = stages[number] if stages else Stage(epochs=1)
        for layer in self._layers:
            layer.freeze(stage.frozen)
        self._check_frozen(number, stage)
        compile_model(self._model, _in_stage(self._training, stage), self._target)
        return True

    def _check_frozen(self, number: int, stage: Stage) -> None:
        """Raises an error if there is nothing that a rule freezes."""
        for position, (pattern, part) in enumerate(stage.frozen.items()):
            path = ("training", "stages", number, "freeze", position)
            named = [layer for layer in self._layers if layer.matches(pattern)]
            if not named:
                names = join_words([layer.layer.name for layer in self._layers], "and")
                message = f"the model has no layer {quote(pattern)}; there are {names}"
                raise IncompatibleSpec("NN104", path, message)
            if part != FrozenPart() and not any(layer.inner(part) for layer in named):
                message = f"freezes no layer inside {pattern}; see summary.txt, or Keras's summary"
                raise IncompatibleSpec("NN104", path, message)

    def end(self, epoch: int) -> int:
        """The first epoch after the stage of an epoch."""
        stages = self._training.stages
        number = self._training.stage_of_epoch(epoch)
        if number + 1 >= len(stages):
            return self._training.epochs
        return min(self._training.epochs, sum(stage.epochs for stage in stages[: number + 1]))


def finalize(model: keras.Model) -> None:
    """Replaces the weights by their averages, if the optimizer averages them."""
    model.optimizer.finalize_variable_values(model.trainable_weights)


def _in_stage(training: Training, stage: Stage) -> Training:
    """The training with the optimizer and learning rate of a stage."""
    given = stage.optimizer or training.optimizer
    if stage.learning_rate is None:
        return training.model_copy(update={"optimizer": given})
    parsed = catalogue.parse_component("optimizers", {given.name: given.arguments})
    arguments = {**parsed.arguments, "learning_rate": stage.learning_rate}
    optimizer = parsed.model_copy(update={"arguments": arguments})
    return training.model_copy(update={"optimizer": optimizer})
