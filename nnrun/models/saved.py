"""Reads a model back."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import keras

from nnrun import keras_objects
from nnrun.errors import RunError
from nnrun.models.build import REFUSALS

# What Keras raises over a file that is damaged, or not one of its own.
_DAMAGE = (*REFUSALS, BadZipFile, OSError, KeyError, EOFError, RuntimeError)


def read(path: Path) -> keras.Model:
    """A saved model with its optimizer, loss and metrics; code in the file is never run.

    Raises:
        RunError: the file is no model.
    """
    try:
        return keras.models.load_model(path, safe_mode=True)
    except _DAMAGE as error:
        raise RunError(f"{path}: cannot be read: {keras_objects.reason(error)}") from error
