"""From a run to an export that says what Keras says. Loads TensorFlow."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import keras
import numpy as np

from nnrun.analysis.predict import Raw, TrainedRun, files
from nnrun.analysis.predict import model as trained
from nnrun.data import datasets
from nnrun.errors import DataError, RunError
from nnrun.exporting import writers
from nnrun.exporting.formats import INPUT, Format, check_free, description_path, name
from nnrun.models import components
from nnrun.runs import layout
from nnrun.spec.labels import are_probabilities
from nnrun.spec.text import escape_json
from nnrun.types import Array, Inputs, Sequences

# What an exported model wants and says, written down for whoever uses it without nnrun.

# What the numbers are that come out.
PROBABILITIES, SCORES, VALUES = "probabilities", "scores", "values"


def description(subject: TrainedRun, found: Exported, output: tuple[int, ...]) -> dict[str, Any]:
    """Rows, outputs, and how rows are prepared, as JSON holds them.

    Args:
        subject: the run.
        found: the export.
        output: shape of what the model says of one row.
    """
    prepared = subject.run.read_json(layout.PREPARATION)
    x = found.asked.x
    said: dict[str, Any] = {
        "schema_version": layout.SCHEMA_VERSION,
        "run": name(subject),
        "dataset": subject.name,
        "format": str(found.format),
        "input": {
            "name": INPUT,
            "shape": [found.batch, *x.shape[1:]],
            "dtype": str(x.dtype),
        },
        "output": {
            "shape": [found.batch, *output],
            "dtype": "float32",
            "holds": _holds(subject),
            "target": subject.target,
            "classes": list(subject.classes),
        },
        "rows": prepared["rows"],
        "prepare": prepared["steps"],
        "compared": {
            "rows": len(x),
            "source": found.asked.source,
            "largest_difference": found.difference,
            "tolerance": found.tolerance,
        },
    }
    if subject.run.holds(layout.WORDS):
        said["words"] = subject.run.read_json(layout.WORDS)
    return said


def _holds(subject: TrainedRun) -> str:
    """What the numbers are that come out."""
    training = subject.spec.training
    if not subject.classes:
        return VALUES
    from_logits = training.loss.arguments.get("from_logits") is True
    return PROBABILITIES if are_probabilities(training) and not from_logits else SCORES


# An export comes into its place whole or not at all, and never over what is there.


@contextmanager
def workplace(path: Path) -> Iterator[Path]:
    """A passing name beside the place, of which nothing is left in the end.

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


def place(passing: Path, path: Path, format_: Format) -> None:
    """Moves an export with its description to where it belongs.

    Raises:
        CommandError: somebody else was quicker.
        OSError: it cannot be moved.
    """
    check_free(path, format_)
    if format_ is Format.saved_model:
        passing.rename(path)
        return
    beside = description_path(path, format_)
    description_path(passing, format_).rename(beside)
    try:
        passing.rename(path)
    except OSError:
        beside.unlink()
        raise


def export_size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(each.stat().st_size for each in files if each.is_file())


# Rows that the exported model and Keras's are both asked about.

MOST = 100
"""Rows at most, and fewer of large ones: deep models take a second for each picture."""
_NUMBERS = 4_000_000
_WORDS = 60  # in a text that is made up

TEST, RANDOM = "the test set", "random numbers"


@dataclass(frozen=True)
class Compared:
    """Rows as the model takes them.

    Args:
        x: shape `(rows, …)`.
        source: where they are from, `TEST` or `RANDOM`.
    """

    x: Array
    source: str


def compared(subject: TrainedRun) -> Compared:
    """The first test rows where the data are at hand, else random ones; nothing is downloaded."""
    shape = subject.fitted.steps[-1].shape if subject.fitted.steps else subject.looks.shape
    count = max(2, min(MOST, _NUMBERS // math.prod(shape)))
    if not datasets.missing(subject.spec.dataset):
        try:
            raw = files.read_test_rows(subject, files.Range(0, count))
        except DataError:
            """A file of a person's own that is gone, or is another by now."""
        else:
            return Compared(_prepared(subject, raw), TEST)
    return Compared(_random(subject, count, shape), RANDOM)


def _prepared(subject: TrainedRun, raw: Raw) -> Array:
    preparation = subject.fitted.preparation(raw.x)
    prepared = preparation.expand(preparation.store(raw.x), np, preparation.state)
    return np.asarray(prepared, dtype=preparation.dtype)


def _random(subject: TrainedRun, count: int, shape: tuple[int, ...]) -> Array:
    """Numbers of the size that the model takes."""
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


def _texts(known: Array, count: int, rng: np.random.Generator) -> Sequences:
    return Sequences(rng.choice(known, count * _WORDS), np.arange(count + 1) * _WORDS)


_WRITE_AND_RUN: dict[Format, tuple[Callable[..., int | None], Callable[..., Array]]] = {
    Format.saved_model: (writers.write_saved_model, writers.run_saved_model),
    Format.tflite: (writers.write_tflite, writers.run_tflite),
    Format.onnx: (writers.write_onnx, writers.run_onnx),
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
        return description_path(self.path, self.format)


def export(subject: TrainedRun, format_: Format, path: Path) -> Exported:
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
    check_free(path, format_)
    asked, tolerance = compared(subject), TOLERANCE[subject.spec.training.precision]
    model, _ = trained.read(subject, asked.x.shape[1:])
    with workplace(path) as passing:
        batch, difference = write(model, format_, passing, asked.x)
        size = export_size(passing)
        found = Exported(path, format_, size, batch, asked, difference, tolerance)
        _check(found)
        about = description(subject, found, tuple(model.output_shape[1:]))
        text = escape_json(json.dumps(about, indent=1, ensure_ascii=False)) + "\n"
        description_path(passing, format_).write_text(text, encoding="utf-8")
        place(passing, path, format_)
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
    save, run = _WRITE_AND_RUN[format_]
    batch = _tried(format_, model, lambda: save(_inference(model), path))
    found = _tried(format_, model, lambda: run(path, x))
    alone = _tried(format_, model, lambda: run(path, x[:1]))
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
    reason = components.reason(error)
    reason = reason if len(reason) <= _LONGEST else f"{reason[: _LONGEST - 1]}…"
    return f"{it}: {reason}" if layer else reason


def _named_first(model: keras.Model, said: str) -> str | None:
    """The layer whose name is the first in what a converter says."""
    found = ((re.search(rf"/{re.escape(each.name)}(_\d+)*/", said), each) for each in model.layers)
    places = {match.start(): layer.name for match, layer in found if match}
    return str(places[min(places)]) if places else None
