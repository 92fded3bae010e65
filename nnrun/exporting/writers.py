"""Writes and runs exported models: SavedModel, LiteRT and ONNX."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from nnrun.exporting.formats import INPUT
from nnrun.types import Array


def signature(model: keras.Model, batch: int | None) -> list[Any]:
    """The input of the exported model, under a fixed name.

    Args:
        model: with one input.
        batch: number of rows per call; None for any number.
    """
    shape = (batch, *model.input_shape[1:])
    return [tf.TensorSpec(shape, tf.as_dtype(model.inputs[0].dtype), name=INPUT)]


def write_saved_model(model: keras.Model, path: Path) -> int | None:
    """Writes a model; returns the number of rows per call, None for any number."""
    inputs = signature(model, None)
    model.export(str(path), format="tf_saved_model", input_signature=inputs, verbose=False)
    return None


def run_saved_model(path: Path, x: Array) -> Array:
    """The output of the exported model for some rows."""
    loaded = tf.saved_model.load(str(path))
    [output] = loaded.signatures["serving_default"](**{INPUT: tf.constant(x)}).values()
    return np.asarray(output)


def write_tflite(model: keras.Model, path: Path) -> int | None:
    """Writes a model; returns the number of rows per call, None for any number.

    A recurrent layer needs a list whose size LiteRT has to know; then it is one row.

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
    # TensorFlow's operations would need a library that few devices have.
    own = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    # Keras requires this suffix.
    named = path.with_name(f"{path.name}.tflite")
    inputs = signature(model, batch)
    model.export(
        str(named), format="litert", input_signature=inputs, target_spec=own, verbose=False
    )
    named.rename(path)


def run_tflite(path: Path, x: Array) -> Array:
    """The output of the exported model for some rows, one at a time if necessary."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a future package name
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


def write_onnx(model: keras.Model, path: Path) -> int | None:
    """Writes a model; returns the number of rows per call, None for any number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about deprecated NumPy names in tf2onnx
        inputs = signature(model, None)
        model.export(str(path), format="onnx", input_signature=inputs, verbose=False)
    return None


def run_onnx(path: Path, x: Array) -> Array:
    """The output of the exported model for some rows, on the CPU."""
    # An optional package, only for this format.
    import onnxruntime  # noqa: PLC0415

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {INPUT: x})[0])
