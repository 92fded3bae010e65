"""The state that training needs to resume after an epoch with identical results.

It does not include the order of the rows, a function of seed, fold and epoch, nor random states of
Python and NumPy: layers draw from their own seeds, which are variables of the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from nnrun.types import Array


def restart(model: keras.Model, fresh: keras.Model) -> None:
    """Resets a model to the state of a fresh one of the same spec, so that its traces can be reused."""
    for old, new in zip(variables(model), variables(fresh), strict=True):
        old.assign(new)


def seeds(model: keras.Model) -> list[keras.Variable]:
    """The seed variables of layers; Keras saves all other variables with the model."""
    return [variable for variable in variables(model) if variable.name == "seed_generator_state"]


def variables(model: keras.Model) -> list[keras.Variable]:
    """All variables that training changes; metrics are reset in each epoch."""
    return [
        *model.trainable_variables,
        # Seeds of layers such as dropout are among these.
        *model.non_trainable_variables,
        *model.optimizer.variables,
    ]


# Attributes that a callback sets whenever training begins. Keras flips the sign of `min_delta` after
# the first epoch of every training, and would flip a restored one again.
_RESET = frozenset(("params", "_model", "model", "min_delta", "_current_epoch"))


@dataclass(frozen=True)
class State:
    """The state of training after an epoch.

    Args:
        stopped: whether a callback has ended the training.
        variables: weights, seeds of layers and the optimizer's state, in the model's order.
        callbacks: the attributes of each callback that are numbers, None, arrays or lists of
            arrays, such as the patience and the best weights of early stopping.
    """

    epochs: int
    stopped: bool
    variables: tuple[Array, ...]
    callbacks: tuple[Mapping[str, object], ...]


def capture(
    model: keras.Model, callbacks: Sequence[keras.callbacks.Callback], *, epochs: int
) -> State:
    """The state after `epochs` epochs, copied to the host."""
    arrays = map(keras.ops.convert_to_numpy, variables(model))
    return State(
        epochs,
        bool(model.stop_training),
        # Types that NumPy lacks, such as bfloat16, are stored as their bytes.
        tuple(
            array if array.dtype.isbuiltin == 1 else array.view(f"u{array.dtype.itemsize}")
            for array in arrays
        ),
        tuple(map(_attributes, callbacks)),
    )


def restore(
    state: State, model: keras.Model, callbacks: Sequence[keras.callbacks.Callback]
) -> None:
    """Restores a model and its callbacks, after training has begun, which resets them.

    Raises:
        ValueError: the state is of another model, or of other callbacks.
    """
    current = variables(model)
    shapes = [tuple(value.shape) for value in state.variables]
    if shapes != [tuple(variable.shape) for variable in current] or len(callbacks) != len(
        state.callbacks
    ):
        raise ValueError("the checkpoint is of another model, or of other callbacks")
    for variable, value in zip(current, state.variables, strict=True):
        dtype = keras.ops.convert_to_numpy(variable).dtype
        variable.assign(value if dtype.isbuiltin == 1 else value.view(dtype))
    for callback, attributes in zip(callbacks, state.callbacks, strict=True):
        # A checkpoint from elsewhere must not choose where a callback writes: it sets no text.
        if not all(name in vars(callback) and _is_state(attributes[name]) for name in attributes):
            raise ValueError("the checkpoint is of other callbacks")
        vars(callback).update(attributes)


def _attributes(callback: keras.callbacks.Callback) -> dict[str, object]:
    if isinstance(callback, keras.callbacks.CSVLogger):
        # Its state is in its file.
        return {}
    return {
        name: value
        for name, value in vars(callback).items()
        if name not in _RESET and _is_state(value)
    }


def _is_state(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return len(value) > 0 and all(isinstance(part, np.ndarray) for part in value)
    return value is None or isinstance(value, (bool, int, float, np.generic, np.ndarray))
