"""The export formats, and their files. Loads nothing heavy."""

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
    """An export format."""

    saved_model = "saved_model"
    """A folder that TensorFlow and TensorFlow Serving load."""
    tflite = "tflite"
    """A file for LiteRT, which runs on phones and small devices."""
    onnx = "onnx"
    """A file that ONNX Runtime and many others run."""


INPUT = "input"  # the name of the input of an export
_PACKAGES = {Format.onnx: ("onnx", "onnxruntime", "tf2onnx")}


def ending(format_: Format) -> str:
    """The suffix of the default name of an export."""
    return "-saved_model" if format_ is Format.saved_model else f".{format_}"


def check_packages(format_: Format) -> None:
    """Refuses a format whose packages are not installed.

    Raises:
        CommandError: with the command that installs them.
    """
    absent = [name for name in _PACKAGES.get(format_, ()) if find_spec(name) is None]
    if absent:
        names = " and ".join(absent)
        raise CommandError(f"{format_} needs {names}: pip install 'nnrun[{format_}]'")


def name(subject: TrainedRun) -> str:
    """The run's name; a final model is named after its cross-validation, too."""
    path = subject.run.path.resolve()
    return f"{path.parent.name}-{path.name}" if path.name == layout.FINAL else path.name


def description_path(path: Path, format_: Format) -> Path:
    """The description of an export: inside its folder, or next to its file."""
    return (
        path / "rows.json" if format_ is Format.saved_model else path.with_name(f"{path.name}.json")
    )


def check_free(path: Path, format_: Format) -> None:
    """Refuses a path that exists, or whose folder does not exist.

    Raises:
        CommandError: with the reason.
    """
    for target in (path, description_path(path, format_)):
        if os.path.lexists(target):
            raise CommandError(
                f"{target} exists already; choose another name with --output, or move it away"
            )
    if not path.parent.is_dir():
        raise CommandError(f"there is no folder {path.parent} to write {path.name} in")
