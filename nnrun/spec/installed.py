"""The catalogue of the Keras that is installed: the shipped one, or one of the user's cache.

Another Keras than the shipped catalogue describes has other layers and other arguments. Its
catalogue is made once, by a process that loads it, and kept where the user's caches are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import platformdirs

Catalogue = dict[str, Any]


def catalogue() -> Catalogue:
    """The names and arguments of the installed Keras; of the shipped version where there is none."""
    shipped = _read(resources.files("nnrun.spec").joinpath("catalogue.json").read_text("utf-8"))
    assert shipped is not None
    version = installed_version()
    if version in (None, shipped["keras"]):
        return shipped
    return _cached(cache_file(str(version)), str(version)) or shipped


def installed_version() -> str | None:
    """The version of Keras, found without loading it."""
    try:
        return metadata.version("keras")
    except metadata.PackageNotFoundError:
        return None


def cache_file(version: str) -> Path:
    """Where the catalogue of another Keras is kept, one file per version."""
    return platformdirs.user_cache_path("nnrun") / f"catalogue-{version}.json"


def _cached(path: Path, version: str) -> Catalogue | None:
    """The catalogue in a file, which is made where there is none that can be read."""
    with suppress(OSError, UnicodeError):
        found = _read(path.read_text("utf-8"))
        if found and found["keras"] == version:
            return found
    text = _made(version)
    made = _read(text)
    if made:
        _keep(path, text)
    return made


def _read(text: str) -> Catalogue | None:
    """A catalogue; none where a text is something else."""
    with suppress(ValueError):
        found = json.loads(text)
        if isinstance(found, dict) and {"keras", "layers", "aliases"} <= found.keys():
            return found
    return None


def _made(version: str) -> str:
    """The catalogue as a process of its own writes it, because Keras must not be loaded in this."""
    # Said here and not in `cli`, because it may be anywhere that the first name is looked up.
    print(f"listing the layers of Keras {version}, once; this takes some seconds", file=sys.stderr)
    command = [sys.executable, "-m", "nnrun.models.catalogue"]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=quiet)
    if answer.returncode:
        reason = (answer.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"Keras {version} cannot be listed: {reason}", file=sys.stderr)
        print("names and arguments are those of another version", file=sys.stderr)
    return answer.stdout


def _keep(path: Path, text: str) -> None:
    """Writes the file whole or not at all; where the cache cannot be written, it is made anew."""
    part = path.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
