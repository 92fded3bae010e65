"""All that training needs to go on after an epoch as if it had never stopped.

The order of the rows is not among it: that is a function of seed, fold and epoch. Nor are random
states of Python and NumPy: layers draw from seeds of their own, which are variables of the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from nnrun.types import Array

# Puts a trained model back to where a fresh one begins, so that what was traced still serves.


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


# What a callback sets anew whenever training begins. Keras turns the sign of `min_delta` at the end
# of the first epoch of every training, and would turn a restored one back.
_SET_ANEW = frozenset(("params", "_model", "model", "min_delta", "_current_epoch"))


@dataclass(frozen=True)
class State:
    """What training has reached.

    Args:
        epochs: how many are done.
        stopped: whether a callback has ended the training.
        variables: weights, seeds of layers and the optimizer's state, in the model's order.
        callbacks: of each callback its attributes that are numbers, None, arrays or lists of
            arrays, such as the patience and the best weights of early stopping.
    """

    epochs: int
    stopped: bool
    variables: tuple[Array, ...]
    callbacks: tuple[Mapping[str, Any], ...]


def capture(model: keras.Model, callbacks: Sequence[Any], *, epochs: int) -> State:
    """The state after so many epochs, copied to the host."""
    return State(
        epochs,
        bool(model.stop_training),
        tuple(_portable(keras.ops.convert_to_numpy(each)) for each in variables(model)),
        tuple(map(_attributes, callbacks)),
    )


def restore(state: State, model: keras.Model, callbacks: Sequence[Any]) -> None:
    """Puts a model and its callbacks where they were.

    Args:
        state: of a model of the same spec, with the same callbacks.
        model: compiled.
        callbacks: whose training has begun, because they begin with a clean slate.

    Raises:
        ValueError: the state is that of another model, or of other callbacks.
    """
    own = variables(model)
    shapes = [tuple(each.shape) for each in state.variables]
    if shapes != [tuple(each.shape) for each in own] or len(callbacks) != len(state.callbacks):
        raise ValueError("the checkpoint is of another model, or of other callbacks")
    for variable, value in zip(own, state.variables, strict=True):
        variable.assign(_native(value, variable))
    for callback, attributes in zip(callbacks, state.callbacks, strict=True):
        # A checkpoint may come from anywhere: text in it could say where a callback writes to.
        if not all(name in vars(callback) and _is_state(attributes[name]) for name in attributes):
            raise ValueError("the checkpoint is of other callbacks")
        vars(callback).update(attributes)


def _attributes(callback: Any) -> dict[str, Any]:
    if isinstance(callback, keras.callbacks.CSVLogger):
        # All that it knows is in its file.
        return {}
    return {
        name: value
        for name, value in vars(callback).items()
        if name not in _SET_ANEW and _is_state(value)
    }


def _is_state(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return len(value) > 0 and all(isinstance(each, np.ndarray) for each in value)
    return value is None or isinstance(value, (bool, int, float, np.generic, np.ndarray))


def _portable(value: Array) -> Array:
    """Numbers that NumPy itself does not know, such as bfloat16, as their bytes."""
    return value if value.dtype.isbuiltin == 1 else value.view(f"u{value.dtype.itemsize}")


def _native(value: Array, variable: Any) -> Array:
    kind = keras.ops.convert_to_numpy(variable).dtype
    return value if kind.isbuiltin == 1 else value.view(kind)
