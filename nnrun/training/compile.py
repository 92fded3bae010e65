"""Optimizer, loss and metrics."""

from __future__ import annotations

from typing import Any

import keras

from nnrun import keras_objects
from nnrun.errors import Misfit
from nnrun.spec import catalogue
from nnrun.spec.component import Component
from nnrun.spec.training import Training

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
    name = "BinaryAccuracy" if word in ("accuracy", "acc") else catalogue.meaning("metrics", word)
    if name not in _LOGIT_ARGUMENTS:
        return metric
    # The history shows a metric under the word that the person wrote.
    reported = {} if word == name else {"name": word}
    return Component(
        name=name, arguments={**_LOGIT_ARGUMENTS[name], **reported, **metric.arguments}
    )


def _built(kind: str, component: Component, *path: str | int) -> object:
    try:
        return keras_objects.build(kind, component)
    except (TypeError, ValueError) as error:
        message = f"{component.name}: {keras_objects.reason(error)}"
        raise Misfit("NN114", ("training", *path), message) from error


def puts_out_logits(training: Training) -> bool:
    """Whether the loss turns the model's output into probabilities by itself."""
    return training.loss.arguments.get("from_logits") is True
