"""LiteRT, once called TensorFlow Lite: one file, of its own operations only."""

from __future__ import annotations

import warnings
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from nnrun.exporting.saved_model import signature
from nnrun.records import Array


def write(model: keras.Model, path: Path) -> int | None:
    """Writes a model, and says how many rows it takes at once: None for any number.

    A recurrent layer keeps its outputs in a list whose size LiteRT has to know: then it is one row.

    Raises:
        ConverterError: LiteRT lacks an operation.
    """
    try:
        _convert(model, path, None)
    except ConverterError:
        _convert(model, path, 1)
        return 1
    return None


def _convert(model: keras.Model, path: Path, batch: int | None) -> None:
    # Those of TensorFlow would need a library that few devices have.
    own = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    # Keras wants the ending of the name.
    named = path.with_name(f"{path.name}.tflite")
    told = signature(model, batch)
    model.export(str(named), format="litert", input_signature=told, target_spec=own, verbose=False)
    named.rename(path)


def run(path: Path, x: Array) -> Array:
    """What the exported model makes of rows, one at a time where it takes no more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the name under which it will be installed one day
        interpreter = tf.lite.Interpreter(str(path))
    [takes], [gives] = interpreter.get_input_details(), interpreter.get_output_details()
    at_once = len(x) if takes["shape_signature"][0] == -1 else 1
    interpreter.resize_tensor_input(takes["index"], (at_once, *x.shape[1:]))
    interpreter.allocate_tensors()
    parts = []
    for start in range(0, len(x), at_once):
        interpreter.set_tensor(takes["index"], x[start : start + at_once])
        interpreter.invoke()
        parts.append(interpreter.get_tensor(gives["index"]))
    return np.concatenate(parts)
