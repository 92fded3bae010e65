"""The formats that a trained model is exported to. Loads nothing heavy."""

from __future__ import annotations

import os
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from nnrun.errors import CommandError
from nnrun.runs import layout

if TYPE_CHECKING:
    from nnrun.analysis.predict import TrainedRun


class Format(StrEnum):
    """A format of other programs."""

    saved_model = "saved_model"
    """A folder that TensorFlow and TensorFlow Serving load."""
    tflite = "tflite"
    """A file for LiteRT, which runs on telephones and small devices."""
    onnx = "onnx"
    """A file that ONNX Runtime and many others run."""


INPUT = "input"
"""By what name an export is given rows."""

_INSIDE = "rows.json"

# What a format needs besides TensorFlow, and how it is installed.
_PACKAGES = {Format.onnx: ("onnx", "onnxruntime", "tf2onnx")}


def ending(format_: Format) -> str:
    """Of the name that an export has where nobody names it."""
    return "-saved_model" if format_ is Format.saved_model else f".{format_}"


def check_packages(format_: Format) -> None:
    """Refuses a format whose packages are not installed.

    Raises:
        CommandError: with what installs them.
    """
    absent = [name for name in _PACKAGES.get(format_, ()) if find_spec(name) is None]
    if absent:
        names = " and ".join(absent)
        raise CommandError(f"{format_} needs {names}: pip install 'nnrun[{format_}]'")


def name(subject: TrainedRun) -> str:
    """Of the run; that of a cross-validation on all training rows is named after both."""
    path = subject.run.path.resolve()
    return f"{path.parent.name}-{path.name}" if path.name == layout.FINAL else path.name


def description_path(path: Path, format_: Format) -> Path:
    """Where it is said what rows an export wants: inside of a folder, beside a file."""
    return path / _INSIDE if format_ is Format.saved_model else path.with_name(f"{path.name}.json")


def check_free(path: Path, format_: Format) -> None:
    """Refuses a place that is taken, or is none.

    Raises:
        CommandError: with what is in the way.
    """
    for each in (path, description_path(path, format_)):
        if os.path.lexists(each):
            raise CommandError(
                f"{each} is there already, and is left as it is; "
                "take another name with --output, or move it away"
            )
    if not path.parent.is_dir():
        raise CommandError(f"there is no folder {path.parent} to write {path.name} in")
