"""Reads a model back. The file may be anybody's: what it says is looked at before Keras reads it."""

from __future__ import annotations

import json
import lzma
import math
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import keras

from nnrun.errors import RunError
from nnrun.models import components
from nnrun.models.build import REFUSALS, TOO_LARGE
from nnrun.spec.text import quote

# What Keras raises over a file that is damaged, or not one of its own.
_DAMAGE = (
    *(*REFUSALS, *TOO_LARGE, BadZipFile, OSError, KeyError, EOFError, RuntimeError),
    *(zlib.error, lzma.LZMAError),
)

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_MEMBERS = frozenset(("metadata.json", _CONFIG, _WEIGHTS))
_LARGEST_CONFIG = 8_000_000  # bytes; that of ResNet-152 has 700,000
_LONGEST_REASON = 200  # characters; Keras likes to repeat all that it has read
# More bytes than these are believed only of a file that is not packed much smaller.
_MUCH, _MOST_PACKED = 100_000_000, 100
_LOCKED = 1  # a flag of zip
# They hold Python of whoever made the file, or load more files that do.
_CODE = frozenset(
    ("Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
)


def read(path: Path) -> keras.Model:
    """A saved model with its optimizer, loss and metrics; code in the file is never run.

    Raises:
        RunError: the file is no model, or one that needs code of its own.
    """
    try:
        _check(path)
        return keras.models.load_model(path, safe_mode=True)
    except RecursionError as error:
        raise RunError(f"{path}: is nested too deep for a model") from error
    except BadZipFile as error:
        raise RunError(
            f"{path}: is no model that Keras has saved, or a part of it is lost"
        ) from error
    except _DAMAGE as error:
        raise RunError(f"{path}: cannot be read: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """The first sentence of what Keras says; those after it tell how to take less care."""
    said = components.reason(error).removeprefix("Exception encountered: ")
    first = said.partition(". ")[0].removesuffix(".")
    return first if len(first) <= _LONGEST_REASON else f"{first[: _LONGEST_REASON - 1]}…"


def _check(path: Path) -> None:
    """Refuses what no model of nnrun's looks like.

    Raises:
        RunError: with what is wrong.
        BadZipFile: it is no archive.
        OSError, ValueError: it cannot be read.
    """
    if not path.is_file():
        raise RunError(f"{path}: there is no such file")
    with ZipFile(path) as archive:
        members = archive.infolist()
        others = [member.filename for member in members if member.filename not in _MEMBERS]
        if others := [name for name in others if not _is_asset(name)]:
            raise RunError(f"{path}: holds {quote(others[0])}, which is no part of a model")
        total = sum(member.file_size for member in members)
        if total > max(_MUCH, _MOST_PACKED * path.stat().st_size):
            raise RunError(f"{path}: would unpack to {total:,} bytes, more than it can hold")
        if archive.getinfo(_CONFIG).file_size > _LARGEST_CONFIG:
            raise RunError(f"{path}: describes itself in more words than a model can need")
        if any(member.flag_bits & _LOCKED for member in members):
            raise RunError(f"{path}: is locked with a password")
        room = archive.getinfo(_WEIGHTS).file_size
        config = json.loads(archive.read(_CONFIG))
    if not isinstance(config, dict):
        raise RunError(f"{path}: describes no model")
    if code := next(_code(config), None):
        raise RunError(f"{path}: holds {code}, and code in a file is never run")
    # In a thread of its own, because Keras notes there what it has not made, and makes it later.
    with ThreadPoolExecutor(1) as thread:
        weights = thread.submit(_weights, config).result()
    # The shortest weight takes a byte.
    if weights > room:
        raise RunError(f"{path}: describes more weights than the {room:,} bytes that it holds")


def _weights(config: dict[str, Any]) -> int:
    """How many weights a model has, of which none is made: there may be no room for them."""
    # An optimizer makes some at once; it can have no more than some times as many.
    config["compile_config"] = None
    with keras.StatelessScope(initialize_variables=False):
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
    return sum(math.prod(variable.shape) for variable in model.variables)


def _is_asset(name: str) -> bool:
    """Whether it is a word list of a layer, which stays where it belongs when it is unpacked."""
    return name.startswith("assets/") and ".." not in name.split("/") and "\\" not in name


def _code(config: Any) -> Iterator[str]:
    """What of a configuration is not Keras's own, in words."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            name, module = value.get("class_name"), value.get("module")
            if isinstance(name, str) and name in _CODE:
                yield f"a {name.strip('_').capitalize() if name[0] == '_' else name}"
            elif "class_name" in value and not _is_of_keras(module, name):
                yield f"{quote(name)} of {quote(module)}"
            elif value.get("registered_name") and ">" in str(value["registered_name"]):
                yield f"{quote(value['registered_name'])}, which is not Keras's own"


def _is_of_keras(module: Any, name: Any) -> bool:
    # Tensors and shapes have no module; of functions Keras knows only its own by name.
    if module is None or (module, name) == ("builtins", "function"):
        return True
    return isinstance(module, str) and module.partition(".")[0] == "keras"
