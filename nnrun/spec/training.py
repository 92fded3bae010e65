"""`training`: how the model is fitted."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, StringConstraints

from nnrun.spec.base import Spec
from nnrun.spec.component import Named

Device = Annotated[str, StringConstraints(pattern=r"^(auto|cpu|gpu:\d+)$")]


class Training(Spec):
    """How the model is fitted."""

    optimizer: Named
    """A Keras optimizer, such as `rmsprop` or `{RMSprop: {learning_rate: 0.001}}`."""
    loss: Named
    """A Keras loss. Labels are encoded as it needs them."""
    metrics: tuple[Named, ...] = Field((), strict=False)
    """Keras metrics, reported for training, validation and test rows."""
    epochs: PositiveInt
    """Passes over the training rows."""
    batch_size: PositiveInt = 32
    """Rows per gradient step."""
    shuffle: bool = True
    """New row order each epoch, drawn from the seed."""
    callbacks: tuple[Named, ...] = Field((), strict=False)
    """Keras callbacks, such as `{EarlyStopping: {monitor: val_loss, patience: 3}}`."""
    engine: Literal["auto", "xla", "graph", "fit"] = "auto"
    """Training loop: compiled by XLA, a TensorFlow graph, or Keras's `model.fit`."""
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    """Keras's dtype policy."""
    device: Device = "auto"
    """`auto` is the first GPU, or the CPU where there is none."""
