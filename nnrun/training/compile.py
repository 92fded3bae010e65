"""Optimizer, loss and metrics."""

from __future__ import annotations

import keras

from nnrun import keras_objects
from nnrun.errors import Misfit
from nnrun.spec.component import Component
from nnrun.spec.training import Training


def compile_model(model: keras.Model, training: Training) -> None:
    """Gives the model its optimizer, loss and metrics.

    XLA is left out on purpose: the training loop compiles whole epochs itself.

    Raises:
        Misfit: Keras refuses an argument.
    """
    model.compile(
        optimizer=_built("optimizers", training.optimizer, "optimizer"),
        loss=_built("losses", training.loss, "loss"),
        metrics=[
            _built("metrics", metric, "metrics", index)
            for index, metric in enumerate(training.metrics)
        ],
        jit_compile=False,
    )
    model.optimizer.build(model.trainable_variables)


def _built(kind: str, component: Component, *path: str | int) -> object:
    try:
        return keras_objects.build(kind, component)
    except (TypeError, ValueError) as error:
        message = f"{component.name}: {keras_objects.reason(error)}"
        raise Misfit("NN114", ("training", *path), message) from error


def puts_out_logits(training: Training) -> bool:
    """Whether the loss turns the model's output into probabilities by itself."""
    return training.loss.arguments.get("from_logits") is True
