"""`training.stages`: parts of the training with a learning rate, and layers that stand still."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from nnrun.keras_objects import Named
from nnrun.spec import catalogue
from nnrun.spec.training import Stage, Training
from nnrun.training.compile import compile_model


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
    own = catalogue.component("optimizers", {given.name: given.arguments})
    arguments = {**own.arguments, "learning_rate": learning_rate}
    optimizer = own.model_copy(update={"arguments": arguments})
    return training.model_copy(update={"optimizer": optimizer})
