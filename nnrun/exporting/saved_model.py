"""TensorFlow's own format: a folder with a signature `serving_default`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nnrun.exporting.formats import INPUT
from nnrun.records import Array


def signature(model: keras.Model, batch: int | None) -> list[Any]:
    """What goes into the exported model, under a name that does not change.

    Args:
        model: with one input.
        batch: how many rows it takes at once; None for any number.
    """
    shape = (batch, *model.input_shape[1:])
    return [tf.TensorSpec(shape, tf.as_dtype(model.inputs[0].dtype), name=INPUT)]


def write(model: keras.Model, path: Path) -> int | None:
    """Writes a model, and says how many rows it takes at once: None for any number."""
    told = signature(model, None)
    model.export(str(path), format="tf_saved_model", input_signature=told, verbose=False)
    return None


def run(path: Path, x: Array) -> Array:
    """What the exported model makes of rows, as another program would ask it."""
    loaded = tf.saved_model.load(str(path))
    [output] = loaded.signatures["serving_default"](**{INPUT: tf.constant(x)}).values()
    return np.asarray(output)
