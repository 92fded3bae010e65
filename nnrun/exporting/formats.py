"""The formats that a trained model is exported to. Loads nothing heavy."""

from __future__ import annotations

from enum import StrEnum
from importlib.util import find_spec

from nnrun.errors import CommandError


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
