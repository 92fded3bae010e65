"""Puts a trained model back to where a fresh one begins, so that what was traced still serves."""

from __future__ import annotations

from typing import Any

import keras


def restart(model: keras.Model, fresh: keras.Model) -> None:
    """Gives a model the weights, seeds and optimizer state of another of the same spec.

    Args:
        model: compiled, perhaps trained; its variables stay the same objects.
        fresh: compiled and never trained.
    """
    for old, new in zip(variables(model), variables(fresh), strict=True):
        old.assign(new)


def seeds(model: keras.Model) -> list[Any]:
    """The variables from which layers draw; Keras saves all others with the model."""
    return [each for each in variables(model) if each.name == "seed_generator_state"]


def variables(model: keras.Model) -> list[Any]:
    """All variables that training changes; metrics begin anew with each epoch."""
    return [
        *model.trainable_variables,
        # Seeds of layers such as dropout are among these.
        *model.non_trainable_variables,
        *model.optimizer.variables,
    ]
