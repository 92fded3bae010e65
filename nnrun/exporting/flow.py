"""Exports the model of a run and compares its output with Keras. Loads TensorFlow."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from nnrun.analysis.predict import Raw, TrainedRun, files
from nnrun.analysis.predict import model as trained
from nnrun.data import datasets
from nnrun.errors import DataError, RunError
from nnrun.exporting.formats import INPUT, Format, check_free, description_path, name
from nnrun.models import components
from nnrun.runs import layout
from nnrun.spec.labels import are_probabilities
from nnrun.spec.text import escape_json
from nnrun.types import Array, Inputs, Sequences

# Writes and runs exported models: SavedModel, LiteRT and ONNX.


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


# The meaning of the output.
PROBABILITIES, SCORES, VALUES = "probabilities", "scores", "values"


def description(subject: TrainedRun, exported: Exported, output: tuple[int, ...]) -> dict[str, Any]:
    """The description of an export for JSON: input, output and preparation of rows.

    Args:
        subject: the run.
        exported: the export.
        output: shape of the output for one row.
    """
    prepared = subject.run.read_json(layout.PREPARATION)
    x = exported.asked.x
    content: dict[str, Any] = {
        "schema_version": layout.SCHEMA_VERSION,
        "run": name(subject),
        "dataset": subject.name,
        "format": str(exported.format),
        "input": {
            "name": INPUT,
            "shape": [exported.batch, *x.shape[1:]],
            "dtype": str(x.dtype),
        },
        "output": {
            "shape": [exported.batch, *output],
            "dtype": "float32",
            "holds": _holds(subject),
            "target": subject.target,
            "classes": list(subject.classes),
        },
        "rows": prepared["rows"],
        "prepare": prepared["steps"],
        "compared": {
            "rows": len(x),
            "source": exported.asked.source,
            "largest_difference": exported.difference,
            "tolerance": exported.tolerance,
        },
    }
    if subject.run.holds(layout.WORDS):
        content["words"] = subject.run.read_json(layout.WORDS)
    return content


def _holds(subject: TrainedRun) -> str:
    """The meaning of the output."""
    training = subject.spec.training
    if not subject.classes:
        return VALUES
    from_logits = training.loss.arguments.get("from_logits") is True
    return PROBABILITIES if are_probabilities(training) and not from_logits else SCORES


@contextmanager
def workplace(path: Path) -> Iterator[Path]:
    """A temporary path next to the target, deleted at the end.

    Raises:
        RunError: nothing can be written there, or the disk is full.
    """
    try:
        with tempfile.TemporaryDirectory(
            prefix=f".{path.name}.", dir=path.parent, ignore_cleanup_errors=True
        ) as folder:
            yield Path(folder) / path.name
    except OSError as error:
        reason = error.strerror or error
        raise RunError(f"{path}: cannot be written: {reason}") from error


def place(temporary: Path, path: Path, format_: Format) -> None:
    """Moves an export with its description to its target.

    Raises:
        CommandError: the target exists by now.
        OSError: it cannot be moved.
    """
    check_free(path, format_)
    if format_ is Format.saved_model:
        temporary.rename(path)
        return
    beside = description_path(path, format_)
    description_path(temporary, format_).rename(beside)
    try:
        temporary.rename(path)
    except OSError:
        beside.unlink()
        raise


def export_size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(each.stat().st_size for each in files if each.is_file())


MOST = 100
"""Maximum number of rows to compare; fewer if they are large, because deep models are slow."""
_NUMBERS = 4_000_000
_WORDS = 60  # in a random text

TEST, RANDOM = "the test set", "random numbers"


@dataclass(frozen=True)
class Compared:
    """Prepared rows on which the export and Keras are compared.

    Args:
        x: shape `(rows, …)`.
        source: `TEST` or `RANDOM`.
    """

    x: Array
    source: str


def compared(subject: TrainedRun) -> Compared:
    """The first test rows if the data are present, else random ones; nothing is downloaded."""
    shape = subject.fitted.steps[-1].shape if subject.fitted.steps else subject.looks.shape
    count = max(2, min(MOST, _NUMBERS // math.prod(shape)))
    if not datasets.missing(subject.spec.dataset):
        try:
            raw = files.read_test_rows(subject, files.Range(0, count))
        except DataError:
            """A user's file is missing or has changed."""
        else:
            return Compared(_prepared(subject, raw), TEST)
    return Compared(_random(subject, count, shape), RANDOM)


def _prepared(subject: TrainedRun, raw: Raw) -> Array:
    preparation = subject.fitted.preparation(raw.x)
    prepared = preparation.expand(preparation.store(raw.x), np, preparation.state)
    return np.asarray(prepared, dtype=preparation.dtype)


def _random(subject: TrainedRun, count: int, shape: tuple[int, ...]) -> Array:
    """Random rows with the model's input shape."""
    rng = np.random.default_rng(0)
    looks = subject.looks
    x: Inputs
    if looks.kind == "texts":
        x = _texts(np.array([*subject.vocabulary().words.values()], np.int32), count, rng)
    elif looks.kind == "images":
        x = rng.uniform(0, looks.highest or 1.0, (count, *looks.shape))
    else:
        return rng.normal(size=(count, *shape)).astype(np.float32)
    return _prepared(subject, Raw(tuple(map(str, range(count))), x))


def _texts(words: Array, count: int, rng: np.random.Generator) -> Sequences:
    return Sequences(rng.choice(words, count * _WORDS), np.arange(count + 1) * _WORDS)


_WRITE_AND_RUN: dict[Format, tuple[Callable[..., int | None], Callable[..., Array]]] = {
    Format.saved_model: (write_saved_model, run_saved_model),
    Format.tflite: (write_tflite, run_tflite),
    Format.onnx: (write_onnx, run_onnx),
}
TOLERANCE = {"float32": 1e-4, "mixed_float16": 1e-2, "mixed_bfloat16": 5e-2}
"""Maximum difference from Keras by precision, relative to the largest output above 1."""

# How the converters name an operation that they lack.
_OPERATION = re.compile(
    r"'tf\.(\w+)' op|No Op registered for (\w+)|Tensorflow op \[\S+: (\w+)\]|\[\"(\w+):\""
)
_FULL = os.strerror(errno.ENOSPC)
_LOST = "are missing from input feed"
_LONGEST = 200  # characters of a converter's message
Result = TypeVar("Result")


@dataclass(frozen=True)
class Exported:
    """An export and its comparison with Keras.

    Args:
        path: of the file or folder.
        batch: number of rows per call; None for any number.
        asked: the rows of the comparison.
        difference: the largest one; at most `tolerance`.
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
        """The file that describes its input and output."""
        return description_path(self.path, self.format)


def export(subject: TrainedRun, format_: Format, path: Path) -> Exported:
    """Writes the model of a run in another format, and compares its output with Keras.

    Args:
        subject: the run.
        format_: its packages are installed.
        path: must not exist.

    Raises:
        RunError: the format does not support the model, its output differs from Keras, or it cannot
            be written; then nothing is left of it.
        CommandError: the path exists.
    """
    check_free(path, format_)
    asked, tolerance = compared(subject), TOLERANCE[subject.spec.training.precision]
    model, _ = trained.read(subject, asked.x.shape[1:])
    with workplace(path) as temporary:
        batch, difference = write(model, format_, temporary, asked.x)
        size = export_size(temporary)
        exported = Exported(path, format_, size, batch, asked, difference, tolerance)
        _check(exported)
        content = description(subject, exported, tuple(model.output_shape[1:]))
        text = escape_json(json.dumps(content, indent=1, ensure_ascii=False)) + "\n"
        description_path(temporary, format_).write_text(text, encoding="utf-8")
        place(temporary, path, format_)
    return exported


def _check(exported: Exported) -> None:
    """Refuses an export whose output differs.

    Raises:
        RunError: with the difference.
    """
    # False for NaN.
    if not exported.difference <= exported.tolerance:
        where = f"on {len(exported.asked.x)} rows of {exported.asked.source}"
        raise RunError(
            f"{exported.path} is not kept: it says something else than Keras does, by "
            f"{exported.difference:.2e} {where}, and {exported.tolerance:.0e} is allowed"
        )


def write(model: keras.Model, format_: Format, path: Path, x: Array) -> tuple[int | None, float]:
    """Writes a model in a format and runs it, on all rows at once and on a single one.

    Args:
        model: with one input and one output.
        format_: its packages are installed.
        path: must not exist.
        x: at least one prepared row.

    Returns:
        The number of rows per call, None for any number; and the difference from Keras, relative to
        the largest output above 1.

    Raises:
        RunError: the format does not support the model.
        OSError: it cannot be written.
    """
    save, run = _WRITE_AND_RUN[format_]
    batch = _tried(format_, model, lambda: save(_inference(model), path))
    output = _tried(format_, model, lambda: run(path, x))
    single = _tried(format_, model, lambda: run(path, x[:1]))
    expected = np.asarray(keras.ops.cast(model(x, training=False), "float32"))
    return batch, max(_difference(expected, output), _difference(expected[:1], single))


def _inference(model: keras.Model) -> keras.Model:
    """The model in inference mode.

    Otherwise layers that are random in training, such as `RandomFlip`, are random in the export.
    """
    [original] = model.inputs
    inputs = keras.Input(original.shape[1:], dtype=original.dtype, name=INPUT)
    outputs = model(inputs, training=False)
    return keras.Model(inputs, keras.ops.cast(outputs, "float32"))


def _difference(expected: Array, output: Array) -> float:
    """Relative to the largest output above 1; NaN if one of the two is."""
    if expected.shape != output.shape:
        return math.inf
    scale = max(1.0, float(np.abs(expected).max()))
    return float(np.abs(output - expected).max() / scale)


def _tried(format_: Format, model: keras.Model, work: Callable[[], Result]) -> Result:
    """Runs a converter or an exported model.

    Raises:
        RunError: the format does not support the model.
        OSError: it cannot be written.
    """
    try:
        return work()
    except OSError:
        raise
    # Each converter has its own errors.
    except Exception as error:
        if _FULL in str(error):
            raise OSError(errno.ENOSPC, _FULL) from error
        raise RunError(f"{format_} cannot hold this model: {_lacking(error, model)}") from error


def _lacking(error: Exception, model: keras.Model) -> str:
    """The operation that a format lacks, with the layer if known."""
    text = str(error)
    operation = next((name for found in _OPERATION.findall(text) for name in found if name), None)
    layer = _first_layer(model, text)
    it = f"the layer {layer}" if layer else "it"
    if operation:
        return f"{it} needs {operation}, which the format lacks; try another one"
    if _LOST in text:
        return f"{it} has numbers that get lost on the way; try another format"
    reason = components.reason(error)
    reason = reason if len(reason) <= _LONGEST else f"{reason[: _LONGEST - 1]}…"
    return f"{it}: {reason}" if layer else reason


def _first_layer(model: keras.Model, text: str) -> str | None:
    """The layer that a message of a converter names first."""
    matches = (
        (re.search(rf"/{re.escape(layer.name)}(_\d+)*/", text), layer) for layer in model.layers
    )
    places = {match.start(): layer.name for match, layer in matches if match}
    return str(places[min(places)]) if places else None
