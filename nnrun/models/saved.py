"""Reads saved models. A file may come from anyone, so it is checked before Keras reads it."""

from __future__ import annotations

import json
import lzma
import math
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import keras

from nnrun.errors import RunError
from nnrun.models import components
from nnrun.models.build import LAYER_ERRORS, MEMORY_ERRORS
from nnrun.spec.text import cut, quote

# What Keras raises for a file that is damaged or not from Keras.
_READ_ERRORS = (
    *(*LAYER_ERRORS, *MEMORY_ERRORS, OSError, KeyError, EOFError, RuntimeError),
    *(zlib.error, lzma.LZMAError),
)

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_MEMBERS = frozenset(("metadata.json", _CONFIG, _WEIGHTS))
_LARGEST_CONFIG = 8_000_000  # bytes; that of ResNet-152 has 700,000
_LONGEST_REASON = 200  # characters; Keras can repeat the whole file
# Above this many unpacked bytes the compression ratio is limited.
_LARGE, _LARGEST_RATIO = 100_000_000, 100
_ENCRYPTED = 1  # a flag of zip
# Layers that contain Python code, or load files with code.
_CODE = frozenset(
    ("Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
)


def read(path: Path) -> keras.Model:
    """A saved model with its optimizer, loss and metrics; code in the file is never run.

    Classes and functions of the user come from the files in use, see `components.use_code`.

    Raises:
        RunError: the file is not a model, or needs its own code.
    """
    with _errors(path):
        _check(path)
        return keras.models.load_model(path, safe_mode=True)


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """Turns the errors of Keras for a damaged or foreign file into a RunError."""
    try:
        yield
    except RecursionError as error:
        raise RunError(f"{path}: is nested too deep for a model") from error
    except BadZipFile as error:
        raise RunError(f"{path}: is not a model saved by Keras, or is incomplete") from error
    except _READ_ERRORS as error:
        # After its first sentence, Keras explains how to disable safe mode.
        message = components.reason(error).removeprefix("Exception encountered: ")
        reason = cut(message.partition(". ")[0].removesuffix("."), _LONGEST_REASON)
        raise RunError(f"{path}: cannot be read: {reason}") from error


def read_alike(path: Path, model: keras.Model, of: Path) -> keras.Model:
    """A saved model; `model`, which was read `of` another file, with new weights if it is alike.

    So traced functions of the model can be used again. Errors as of `read`.
    """
    if _config(path) != _config(of):
        return read(path)
    with _errors(path):
        _check(path)
        model.load_weights(path)
        return model


def _config(path: Path) -> bytes:
    with _errors(path), ZipFile(path) as archive:
        return archive.read(_CONFIG)


def _check(path: Path) -> None:
    """Raises an error for a file that cannot be a model of nnrun."""
    if not path.is_file():
        raise RunError(f"{path}: no such file")
    with ZipFile(path) as archive:
        members = archive.infolist()
        for name in (member.filename for member in members):
            if name not in _MEMBERS and not _is_asset(name):
                raise RunError(f"{path}: contains {quote(name)}, which is not part of a model")
        total = sum(member.file_size for member in members)
        if total > max(_LARGE, _LARGEST_RATIO * path.stat().st_size):
            raise RunError(
                f"{path}: would unpack to {total:,} bytes, which is too much for its size"
            )
        if archive.getinfo(_CONFIG).file_size > _LARGEST_CONFIG:
            raise RunError(f"{path}: its configuration is too large for a model")
        if any(member.flag_bits & _ENCRYPTED for member in members):
            raise RunError(f"{path}: is encrypted")
        size = archive.getinfo(_WEIGHTS).file_size
        config = json.loads(archive.read(_CONFIG))
    if not isinstance(config, dict):
        raise RunError(f"{path}: its configuration is not that of a model")
    if code := next(_foreign_code(config), None):
        raise RunError(f"{path}: contains {code}, and code in a file is never run")
    # In another thread: Keras records uninitialized variables per thread and creates them later.
    with ThreadPoolExecutor(1) as thread:
        weights = thread.submit(_count_weights, config).result()
    # A weight takes at least one byte.
    if weights > size:
        raise RunError(f"{path}: describes more weights than fit into its {size:,} bytes")


def _count_weights(config: dict[str, object]) -> int:
    """The number of weights of a model, without allocating any: they may not fit into memory."""
    # An optimizer would allocate its variables at once.
    config = {**config, "compile_config": None}
    with keras.StatelessScope(initialize_variables=False):
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
    return sum(math.prod(variable.shape) for variable in model.variables)


def _is_asset(name: str) -> bool:
    """Whether it is a word list of a layer, with a path inside the archive."""
    return name.startswith("assets/") and ".." not in name.split("/") and "\\" not in name


def _foreign_code(config: object) -> Iterator[str]:
    """Descriptions of the parts of a configuration that are neither Keras's nor of files in use."""
    waiting, own = [config], components.registered_names()
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        if not isinstance(value, dict):
            continue
        waiting += value.values()
        name, module, registered = map(value.get, ("class_name", "module", "registered_name"))
        if isinstance(name, str) and name in _CODE:
            yield f"a {name.strip('_').capitalize() if name[0] == '_' else name}"
        elif isinstance(registered, str) and registered in own:
            continue
        elif "class_name" in value and not _is_of_keras(module, name):
            yield f"{quote(name)} of {quote(module)}"
        elif registered and ">" in str(registered):
            yield f"{quote(registered)}, which is not Keras's own"


def _is_of_keras(module: object, name: object) -> bool:
    # Tensors and shapes have no module; of functions Keras knows only its own by name.
    if module is None or (module, name) == ("builtins", "function"):
        return True
    return isinstance(module, str) and module.partition(".")[0] == "keras"
