"""The documented rule by which `engine: auto` chooses.

It looks at the experiment alone and never at a clock: a choice that depends on timing would make
results depend on what else the machine is doing.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import keras

from nnrun.errors import DataError
from nnrun.spec.component import Component
from nnrun.spec.training import Training

Engine = Literal["xla", "graph", "fit"]

# Above this many floating-point operations the products of matrices are nearly all of a step, and
# XLA has nothing to gain but the second that it compiles for; likewise where a row is this wide, and
# the first product nearly all of the step. `benchmarks/` holds the measurement.
XLA_FLOPS = 1_000_000_000
XLA_ROW = 4096
# XLA on a CPU draws random numbers on one core, about 0.012 µs each.
XLA_RANDOM_NUMBERS = 40_000

_RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN"})
_RANDOM = frozenset({"Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout"})
# Layers that XLA is good at on a CPU. Convolutions are slower there, and the gradient of pooling
# has no deterministic form.
XLA_LAYERS = (
    _RECURRENT
    | _RANDOM
    | frozenset(
        "InputLayer Dense Flatten Reshape Activation ReLU LeakyReLU PReLU ELU Softmax Rescaling "
        "Embedding BatchNormalization LayerNormalization ActivityRegularization "
        "GlobalAveragePooling1D".split()
    )
)

# Hooks of callbacks that look at every batch when the argument has such a value.
_PER_BATCH = {
    "ModelCheckpoint": ("save_freq", "epoch"),
    "BackupAndRestore": ("save_freq", "epoch"),
    "OrbaxCheckpoint": ("save_freq", "epoch"),
    "TensorBoard": ("update_freq", "epoch"),
}


def choose(
    training: Training, model: keras.Model, *, device: str, streamed: bool = False
) -> Engine:
    """The engine for an experiment.

    1. What the spec says, if it says one.
    2. `fit` where a callback works batch by batch.
    3. `graph` where rows are read as they are needed, which XLA cannot.
    4. `xla` where every layer is in `XLA_LAYERS` and, on a CPU, one training step takes no more
       than `XLA_FLOPS` floating-point operations and `XLA_RANDOM_NUMBERS` random numbers, and a row
       has no more than `XLA_ROW` numbers.
    5. `graph` otherwise.

    Raises:
        DataError: the spec says `xla`, and the rows are streamed.
    """
    if streamed and training.engine == "xla":
        raise DataError(
            "the rows are more than are kept in memory, and engine: xla cannot read them as they "
            "are needed; leave it out, or make the pictures smaller"
        )
    if training.engine != "auto":
        return training.engine
    if any(map(_works_per_batch, training.callbacks)):
        return "fit"
    if streamed:
        return "graph"
    known = all(type(layer).__name__ in XLA_LAYERS for layer in model.layers)
    return "xla" if known and (device != "cpu" or _is_small(model, training)) else "graph"


def _is_small(model: keras.Model, training: Training) -> bool:
    random_numbers = training.batch_size * sum(map(_random_numbers, model.layers))
    flops = step_flops(model, training.batch_size)
    row = max(math.prod(_row(each)) for each in model.inputs)
    return flops <= XLA_FLOPS and random_numbers <= XLA_RANDOM_NUMBERS and row <= XLA_ROW


def _works_per_batch(callback: Component) -> bool:
    argument, per_epoch = _PER_BATCH.get(callback.name, ("", ""))
    if callback.name == "TensorBoard" and callback.arguments.get("profile_batch"):
        return True
    return bool(callback.arguments.get(argument, per_epoch) != per_epoch)


def step_flops(model: keras.Model, batch_size: int) -> int:
    """Floating-point operations of one training step, by the rule of thumb for dense layers.

    A weight is multiplied and added once per row going forward and twice going back: once for the
    gradient of the weight, once for that of the input.
    """
    return 6 * batch_size * sum(map(_multiplications, model.layers))


def _multiplications(layer: Any) -> int:
    """Of one row going forward: each weight once per position of the output."""
    if not layer.weights or isinstance(layer, keras.layers.Embedding):
        return 0
    # A recurrent layer uses each weight once per time step, which its output does not show.
    steps = _row(layer.input if type(layer).__name__ in _RECURRENT else layer.output)
    return int(layer.count_params() * math.prod(steps[:-1]))


def _random_numbers(layer: Any) -> int:
    """Drawn for one row in one training step."""
    if type(layer).__name__ in _RANDOM:
        return math.prod(_row(layer.output))
    dropout = getattr(layer, "dropout", 0) or getattr(layer, "recurrent_dropout", 0)
    return math.prod(_row(layer.input)) if dropout else 0


def _row(tensors: Any) -> tuple[int, ...]:
    """The shape of one row; a layer that is masked has its mask as a second input."""
    return tuple(size or 1 for size in keras.tree.flatten(tensors)[0].shape[1:])
