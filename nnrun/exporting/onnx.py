"""ONNX, written by tf2onnx and run by ONNX Runtime; both come with the extra of that name."""

from __future__ import annotations

import warnings
from pathlib import Path

import keras
import numpy as np

from nnrun.exporting.formats import INPUT
from nnrun.exporting.saved_model import signature
from nnrun.records import Array


def write(model: keras.Model, path: Path) -> int | None:
    """Writes a model, and says how many rows it takes at once: None for any number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names of NumPy's that tf2onnx has not given up yet
        told = signature(model, None)
        model.export(str(path), format="onnx", input_signature=told, verbose=False)
    return None


def run(path: Path, x: Array) -> Array:
    """What the exported model makes of rows, on the processor."""
    # An extra: the other formats do without.
    import onnxruntime  # noqa: PLC0415

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {INPUT: x})[0])
