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
from importlib import import_module
from pathlib import Path
from typing import TypeVar

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from nnrun.analysis.predict import Raw, TrainedRun, files
from nnrun.analysis.predict import model as trained
from nnrun.data import datasets
from nnrun.data.preprocessing import Preparation
from nnrun.errors import DataError, RunError
from nnrun.exporting.formats import INPUT, Format, check_free, description_path, name
from nnrun.models import components
from nnrun.runs import layout
from nnrun.spec.labels import are_probabilities, outputs_logits
from nnrun.spec.text import cut, escape_json
from nnrun.types import Array, Inputs, Sequences, Windows

# Importing from `tensorflow.lite` replaces the public module of that name if it is loaded lazily.
tf.lite = import_module("tensorflow._api.v2.lite")

MOST = 100
"""Maximum number of rows to compare; fewer if they are large, because deep models are slow."""
_NUMBERS = 4_000_000
_WORDS = 60  # in a random text
TEST, RANDOM = "the test set", "random numbers"
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
class ComparedRows:
    """Prepared rows on which the export and Keras are compared; from `TEST` or `RANDOM`."""

    x: Array
    source: str


@dataclass(frozen=True)
class Exported:
    """An export and its comparison with Keras; a `batch` of None is any number of rows per call."""

    path: Path
    format: Format
    bytes: int
    batch: int | None
    compared: ComparedRows
    difference: float
    tolerance: float

    @property
    def description(self) -> Path:
        """The file that describes its input and output."""
        return description_path(self.path, self.format)


def export(subject: TrainedRun, format_: Format, path: Path) -> Exported:
    """Writes the model of a run in another format, and compares its output with Keras.

    Raises:
        RunError: the format does not support the model, its output differs from Keras, or it cannot
            be written; then nothing is left of it.
        CommandError: the path exists.
    """
    if subject.inputs:
        raise RunError(f"{subject.run.path}: a model with several inputs cannot be exported yet")
    check_free(path, format_)
    rows, tolerance = compared_rows(subject), TOLERANCE[subject.spec.training.precision]
    model, _ = trained.read(subject, rows.x.shape[1:])
    with _temporary(path) as temporary:
        batch, difference = write(model, format_, temporary, rows.x)
        if not difference <= tolerance:  # also if it is NaN
            raise RunError(
                f"{path} was not written: its output differs from Keras by {difference:.2e} on "
                f"{len(rows.x)} rows of {rows.source}, and {tolerance:.0e} is allowed"
            )
        members = temporary.rglob("*") if temporary.is_dir() else [temporary]
        size = sum(member.stat().st_size for member in members if member.is_file())
        exported = Exported(path, format_, size, batch, rows, difference, tolerance)
        content = _description(subject, exported, tuple(model.output_shape[1:]))
        text = escape_json(json.dumps(content, indent=1, ensure_ascii=False)) + "\n"
        description = description_path(temporary, format_)
        description.write_text(text, encoding="utf-8")
        check_free(path, format_)
        if format_ is not Format.saved_model:
            description = description.rename(exported.description)
        try:
            temporary.rename(path)
        except OSError:
            description.unlink()
            raise
    return exported


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A temporary path next to the target, deleted at the end."""
    try:
        with tempfile.TemporaryDirectory(
            prefix=f".{path.name}.", dir=path.parent, ignore_cleanup_errors=True
        ) as folder:
            yield Path(folder) / path.name
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror or error}") from error


def _description(
    subject: TrainedRun, exported: Exported, output: tuple[int, ...]
) -> dict[str, object]:
    """The JSON description of an export: input, output and preparation of rows."""
    prepared = subject.run.read_json(layout.PREPARATION)
    x, training = exported.compared.x, subject.spec.training
    from_logits = outputs_logits(training)
    are_scores = from_logits or not are_probabilities(training)
    content: dict[str, object] = {
        "schema_version": layout.SCHEMA_VERSION,
        "run": name(subject),
        "dataset": subject.name,
        "format": str(exported.format),
        "input": {"name": INPUT, "shape": [exported.batch, *x.shape[1:]], "dtype": str(x.dtype)},
        "output": {
            "shape": [exported.batch, *output],
            "dtype": "float32",
            "holds": (
                "values"
                if subject.target.kind == "value"
                else "scores"
                if are_scores
                else "probabilities"
            ),
            "target": subject.target.name,
            "classes": [] if subject.target.kind == "value" else list(subject.target.names),
        },
        "rows": prepared["rows"],
        "prepare": prepared["steps"],
        "compared": {
            "rows": len(x),
            "source": exported.compared.source,
            "largest_difference": exported.difference,
            "tolerance": exported.tolerance,
        },
    }
    if subject.run.holds(layout.WORDS):
        content["words"] = subject.run.read_json(layout.WORDS)
    return content


def compared_rows(subject: TrainedRun) -> ComparedRows:
    """The first test rows if the data are present, else random ones; nothing is downloaded."""
    schema = subject.schema
    shape = subject.steps[-1].shape if subject.steps else schema.shape
    count = max(2, min(MOST, _NUMBERS // math.prod(shape)))
    if not datasets.missing(subject.spec.dataset):
        try:
            return _prepare(subject, files.read_test_rows(subject, slice(0, count)), TEST)
        except DataError:
            """A user's file is missing or has changed."""
    rng = np.random.default_rng(0)
    x: Inputs
    if schema.kind == "texts":
        words = np.array([*subject.vocabulary().words.values()], np.int32)
        x = Sequences(rng.choice(words, count * _WORDS), np.arange(count + 1) * _WORDS)
    elif schema.kind == "images":
        x = rng.uniform(0, schema.highest or 1.0, (count, *schema.shape))
    else:
        return ComparedRows(rng.normal(size=(count, *shape)).astype(np.float32), RANDOM)
    return _prepare(subject, Raw(tuple(map(str, range(count))), x), RANDOM)


def _prepare(subject: TrainedRun, raw: Raw, source: str) -> ComparedRows:
    preparation = subject.preparation(raw.x)
    assert isinstance(preparation, Preparation)
    kept = preparation.store(raw.x)
    stored = kept.gathered() if isinstance(kept, Windows) else kept[:]
    x = preparation.expand(stored, np, preparation.state)
    return ComparedRows(np.asarray(x, dtype=preparation.dtype), source)


def write(model: keras.Model, format_: Format, path: Path, x: Array) -> tuple[int | None, float]:
    """Writes a model in a format and runs it, on all prepared rows `x` at once and on a single one.

    Returns:
        The number of rows per call, None for any number; and the difference from Keras, relative to
        the largest output above 1.

    Raises:
        RunError: the format does not support the model.
        OSError: it cannot be written.
    """
    save, run = _WRITE_AND_RUN[format_]
    batch = _attempt(format_, model, lambda: save(_inference(model), path))
    output = _attempt(format_, model, lambda: run(path, x))
    single = _attempt(format_, model, lambda: run(path, x[:1]))
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


def _attempt(format_: Format, model: keras.Model, action: Callable[[], Result]) -> Result:
    """Calls a converter or an exported model, and turns its errors into a RunError."""
    try:
        return action()
    except OSError:
        raise
    # Each converter has its own errors.
    except Exception as error:
        if _FULL in str(error):
            raise OSError(errno.ENOSPC, _FULL) from error
        raise RunError(f"{format_} cannot hold this model: {_reason(error, model)}") from error


def _reason(error: Exception, model: keras.Model) -> str:
    """The operation that a format lacks, with the layer if known."""
    text = str(error)
    operation = next((name for match in _OPERATION.findall(text) for name in match if name), None)
    layer = _first_layer(model, text)
    subject = f"the layer {layer}" if layer else "it"
    if operation:
        return f"{subject} needs {operation}, which the format lacks; try another one"
    if _LOST in text:
        return f"{subject} has numbers that the converter loses; try another format"
    reason = cut(components.reason(error), _LONGEST)
    return f"{subject}: {reason}" if layer else reason


def _first_layer(model: keras.Model, text: str) -> str | None:
    """The layer that a message of a converter names first."""
    matches = (
        (re.search(rf"/{re.escape(layer.name)}(_\d+)*/", text), layer) for layer in model.layers
    )
    places = {match.start(): layer.name for match, layer in matches if match}
    return str(places[min(places)]) if places else None


def _write_saved_model(model: keras.Model, path: Path) -> int | None:
    """Writes a model; returns the number of rows per call, None for any number."""
    _export_keras(model, path, "tf_saved_model", None)
    return None


def _run_saved_model(path: Path, x: Array) -> Array:
    loaded = tf.saved_model.load(str(path))
    [output] = loaded.signatures["serving_default"](**{INPUT: tf.constant(x)}).values()
    return np.asarray(output)


def _write_tflite(model: keras.Model, path: Path) -> int | None:
    """As above; one row per call for a recurrent layer, whose list of outputs needs a fixed size."""
    # Keras requires the suffix.
    temporary = path.with_name(f"{path.name}.tflite")
    # TensorFlow's operations would need a library that few devices have.
    target = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    batch = None
    try:
        _export_keras(model, temporary, "litert", batch, target_spec=target)
    except ConverterError:
        batch = 1
        _export_keras(model, temporary, "litert", batch, target_spec=target)
    temporary.rename(path)
    return batch


def _run_tflite(path: Path, x: Array) -> Array:
    """The output for some rows, one at a time if necessary."""
    with warnings.catch_warnings(action="ignore"):  # about a future package name
        interpreter = tf.lite.Interpreter(str(path))
    [source], [target] = interpreter.get_input_details(), interpreter.get_output_details()
    at_once = len(x) if source["shape_signature"][0] == -1 else 1
    interpreter.resize_tensor_input(source["index"], (at_once, *x.shape[1:]))
    interpreter.allocate_tensors()
    parts = []
    for start in range(0, len(x), at_once):
        interpreter.set_tensor(source["index"], x[start : start + at_once])
        interpreter.invoke()
        parts.append(interpreter.get_tensor(target["index"]))
    return np.concatenate(parts)


def _write_onnx(model: keras.Model, path: Path) -> int | None:
    with warnings.catch_warnings(action="ignore"):  # about deprecated NumPy names in tf2onnx
        _export_keras(model, path, "onnx", None)
    return None


def _run_onnx(path: Path, x: Array) -> Array:
    """The output for some rows, on the CPU."""
    # An optional package, only for this format.
    import onnxruntime  # noqa: PLC0415

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {INPUT: x})[0])


def _export_keras(
    model: keras.Model, path: Path, format_: str, batch: int | None, **options: object
) -> None:
    """Exports a model with a fixed name of its input, and a number of rows per call."""
    shape, dtype = (batch, *model.input_shape[1:]), tf.as_dtype(model.inputs[0].dtype)
    signature = [tf.TensorSpec(shape, dtype, name=INPUT)]
    model.export(str(path), format=format_, input_signature=signature, verbose=False, **options)


Writer = Callable[[keras.Model, Path], int | None]
Runner = Callable[[Path, Array], Array]
_WRITE_AND_RUN: dict[Format, tuple[Writer, Runner]] = {
    Format.saved_model: (_write_saved_model, _run_saved_model),
    Format.tflite: (_write_tflite, _run_tflite),
    Format.onnx: (_write_onnx, _run_onnx),
}
