"""From a run to an export that says what Keras says. Loads TensorFlow."""

from __future__ import annotations

import errno
import json
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import keras
import numpy as np

from nnrun import inert, keras_objects
from nnrun.errors import RunError
from nnrun.exporting import describing, onnx, placing, saved_model, tflite
from nnrun.exporting.formats import INPUT, Format
from nnrun.exporting.rows import Compared, compared
from nnrun.prediction import Subject
from nnrun.prediction import model as trained
from nnrun.records import Array

_FORMATS: dict[Format, ModuleType] = {
    Format.saved_model: saved_model,
    Format.tflite: tflite,
    Format.onnx: onnx,
}
TOLERANCE = {"float32": 1e-4, "mixed_float16": 1e-2, "mixed_bfloat16": 5e-2}
"""How far an export may be from Keras, by precision; relative to the largest output above 1."""

# How the converters write down what they lack.
_OPERATION = re.compile(
    r"'tf\.(\w+)' op|No Op registered for (\w+)|Tensorflow op \[\S+: (\w+)\]|\[\"(\w+):\""
)
_FULL = os.strerror(errno.ENOSPC)
_LOST = "are missing from input feed"
_LONGEST = 200  # characters of a converter's own words
Result = TypeVar("Result")


@dataclass(frozen=True)
class Exported:
    """An export and how it was checked.

    Args:
        path: of the file or folder.
        batch: how many rows it takes at once; None for any number.
        asked: the rows that it and Keras were asked about.
        difference: the largest, and the `tolerance` that it had to keep.
    """

    path: Path
    format: Format
    bytes: int
    batch: int | None
    asked: Compared
    difference: float
    tolerance: float

    @property
    def description(self) -> Path:
        """Where it is said what rows it wants."""
        return placing.description(self.path, self.format)


def export(subject: Subject, format_: Format, path: Path) -> Exported:
    """Writes the model of a run in another format, and runs it once to see that it is the same.

    Args:
        subject: the run.
        format_: whose packages are installed.
        path: where nothing is yet.

    Raises:
        RunError: the format cannot hold the model, it says something else than Keras does, or it
            cannot be written; then nothing is left of it.
        CommandError: there is something at that place.
    """
    placing.check_free(path, format_)
    asked, tolerance = compared(subject), TOLERANCE[subject.spec.training.precision]
    model, _ = trained.read(subject, asked.x.shape[1:])
    with placing.workplace(path) as passing:
        batch, difference = write(model, format_, passing, asked.x)
        size = placing.size(passing)
        found = Exported(path, format_, size, batch, asked, difference, tolerance)
        _check(found)
        about = describing.description(subject, found, tuple(model.output_shape[1:]))
        text = inert.json(json.dumps(about, indent=1, ensure_ascii=False)) + "\n"
        placing.description(passing, format_).write_text(text, encoding="utf-8")
        placing.place(passing, path, format_)
    return found


def _check(found: Exported) -> None:
    """Refuses an export that is another model.

    Raises:
        RunError: with the difference.
    """
    # Nor is one kept that puts out what is no number.
    if not found.difference <= found.tolerance:
        where = f"on {len(found.asked.x)} rows of {found.asked.source}"
        raise RunError(
            f"{found.path} is not kept: it says something else than Keras does, by "
            f"{found.difference:.2e} {where}, and {found.tolerance:.0e} is allowed"
        )


def write(model: keras.Model, format_: Format, path: Path, x: Array) -> tuple[int | None, float]:
    """Writes a model in a format and runs it, on all rows at once and on one alone.

    Args:
        model: with one input and one output.
        format_: whose packages are installed.
        path: where nothing is yet.
        x: at least a row as the model takes it.

    Returns:
        How many rows it takes at once, None for any number; and how far it is from Keras, relative
        to the largest output above 1.

    Raises:
        RunError: the format cannot hold the model.
        OSError: it cannot be written.
    """
    program = _FORMATS[format_]
    batch = _tried(format_, model, lambda: program.write(_inference(model), path))
    found = _tried(format_, model, lambda: program.run(path, x))
    alone = _tried(format_, model, lambda: program.run(path, x[:1]))
    expected = np.asarray(keras.ops.cast(model(x, training=False), "float32"))
    return batch, max(_difference(expected, found), _difference(expected[:1], alone))


def _inference(model: keras.Model) -> keras.Model:
    """The model as it predicts.

    Keras's own exports leave it open, and then layers that draw at random while they train, such as
    `RandomFlip`, do so in the export.
    """
    given = model.inputs[0]
    inputs = keras.Input(given.shape[1:], dtype=given.dtype, name=INPUT)
    outputs = model(inputs, training=False)
    return keras.Model(inputs, keras.ops.cast(outputs, "float32"))


def _difference(expected: Array, found: Array) -> float:
    """Relative to the largest output above 1; not a number where one of the two is none."""
    if expected.shape != found.shape:
        return math.inf
    scale = max(1.0, float(np.abs(expected).max()))
    return float(np.abs(found - expected).max() / scale)


def _tried(format_: Format, model: keras.Model, work: Callable[[], Result]) -> Result:
    """Does what another program does.

    Raises:
        RunError: with what the format lacks.
        OSError: it cannot be written.
    """
    try:
        return work()
    except OSError:
        raise
    # Converters are other people's programs, each with errors of its own.
    except Exception as error:
        if _FULL in str(error):
            raise OSError(errno.ENOSPC, _FULL) from error
        raise RunError(f"{format_} cannot hold this model: {_lacking(error, model)}") from error


def _lacking(error: Exception, model: keras.Model) -> str:
    """What of a model a format has no operation for, with the layer where it is known."""
    said = str(error)
    operation = next((name for found in _OPERATION.findall(said) for name in found if name), None)
    layer = _named_first(model, said)
    it = f"the layer {layer}" if layer else "it"
    if operation:
        return f"{it} needs {operation}, which the format lacks; try another one"
    if _LOST in said:
        return f"{it} has numbers that get lost on the way; try another format"
    reason = keras_objects.reason(error)
    reason = reason if len(reason) <= _LONGEST else f"{reason[: _LONGEST - 1]}…"
    return f"{it}: {reason}" if layer else reason


def _named_first(model: keras.Model, said: str) -> str | None:
    """The layer whose name is the first in what a converter says."""
    found = ((re.search(rf"/{re.escape(each.name)}(_\d+)*/", said), each) for each in model.layers)
    places = {match.start(): layer.name for match, layer in found if match}
    return str(places[min(places)]) if places else None
