"""Names and arguments of the installed Keras, read from a file.

Kinds are modules of Keras: `layers`, `optimizers`, `losses`, `metrics`, `callbacks`,
`initializers`, `regularizers`, `constraints`, `activations`, `schedules`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import platformdirs

from nnrun.spec.component import APPLICATIONS, COMPOSITES, Component, as_arguments

Catalogue = dict[str, Any]


def load_catalogue() -> Catalogue:
    """The catalogue of the installed Keras; of the shipped version if it is not installed.

    For another version a process lists it once; the result is kept in the user's cache.
    """
    shipped = _read(resources.files("nnrun.spec").joinpath("catalogue.json").read_text("utf-8"))
    assert shipped is not None
    version = installed_version()
    if version in (None, shipped["keras"]):
        return shipped
    return _cached(cache_file(str(version)), str(version)) or shipped


def installed_version() -> str | None:
    """The version of Keras, without importing it."""
    try:
        return metadata.version("keras")
    except metadata.PackageNotFoundError:
        return None


def cache_file(version: str) -> Path:
    """The cached catalogue of another version of Keras."""
    return platformdirs.user_cache_path("nnrun") / f"catalogue-{version}.json"


def _cached(path: Path, version: str) -> Catalogue | None:
    """The catalogue in a file, which is created if necessary."""
    with suppress(OSError, UnicodeError):
        data = _read(path.read_text("utf-8"))
        if data and data["keras"] == version:
            return data
    text = _made(version)
    made = _read(text)
    if made:
        _keep(path, text)
    return made


def _read(text: str) -> Catalogue | None:
    """A catalogue, if the text is one."""
    with suppress(ValueError):
        data = json.loads(text)
        if isinstance(data, dict) and {"keras", "layers", "aliases"} <= data.keys():
            return data
    return None


def _made(version: str) -> str:
    """The catalogue from another process, because this one must not import Keras."""
    print(f"listing the layers of Keras {version} once; this takes some seconds", file=sys.stderr)
    command = [sys.executable, "-m", "nnrun.models.catalogue"]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=quiet)
    if answer.returncode:
        reason = (answer.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"Keras {version} cannot be listed: {reason}", file=sys.stderr)
        print("using names and arguments of another version", file=sys.stderr)
    return answer.stdout


def _keep(path: Path, text: str) -> None:
    """Replaces the file atomically; a cache that cannot be written is no error."""
    part = path.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


@dataclass(frozen=True)
class Argument:
    """One argument of a Keras class.

    Args:
        kind: of the Keras components that its value can be, or `file` for a path to write.
        doc: the first sentence of Keras's documentation.
        types: JSON types of its value; empty if unknown.
        choices: allowed words; empty if there is no such list.
    """

    name: str
    required: bool
    default: Any = None
    kind: str | None = None
    doc: str = ""
    types: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One Keras class, or an activation.

    Args:
        name: canonical.
        doc: the first sentence of its documentation.
        arguments: its own, in order; a single value is the first.
        inherited: those of its base classes, by name only.
    """

    name: str
    doc: str
    arguments: dict[str, Argument]
    inherited: dict[str, Argument]

    @property
    def first(self) -> str | None:
        """The argument that a single value sets."""
        return next(iter(self.arguments), None)

    @property
    def accepted(self) -> dict[str, Argument]:
        """All arguments."""
        return {**self.arguments, **self.inherited}


@cache
def _data() -> dict[str, Any]:
    """Keras's components and the composite layers."""
    data = load_catalogue()
    return {**data, "layers": {**data["layers"], **COMPOSITES, **APPLICATIONS}}


def names(kind: str) -> list[str]:
    """All names of a kind: classes first, then aliases."""
    return [*_data()[kind], *_data()["aliases"][kind]]


def is_known(kind: str, name: str) -> bool:
    """Whether a kind has a name."""
    return name in _data()[kind] or name in _data()["aliases"][kind]


def canonical_name(kind: str, name: str) -> str:
    """Keras's class for a name: `MeanSquaredError` for `mse`.

    `accuracy`, which depends on the labels, and unknown names are returned unchanged.
    """
    return name if name in _data()[kind] else (_data()["aliases"][kind].get(name) or name)


@cache
def entry(kind: str, name: str) -> Entry | None:
    """The class for a name; None if it is unknown, or depends on the labels."""
    own_name = canonical_name(kind, name)
    data = _data()[kind].get(own_name)
    if data is None:
        return None
    inherited = data.get("inherited", {})
    return Entry(own_name, data["doc"], _arguments(data["arguments"]), _arguments(inherited))


def _arguments(data: dict[str, dict[str, Any]]) -> dict[str, Argument]:
    return {
        name: Argument(
            name,
            "default" not in each,
            each.get("default"),
            each.get("kind"),
            each.get("doc", ""),
            tuple(each.get("types", ())),
            tuple(each.get("choices", ())),
        )
        for name, each in data.items()
    }


def arguments(kind: str, name: str) -> dict[str, Argument]:
    """All arguments of a class; empty for an unknown name."""
    known = entry(kind, name)
    return known.accepted if known else {}


def argument_kind(kind: str, name: str, argument: str) -> str | None:
    """The kind of component that an argument takes, if any."""
    accepted = arguments(kind, name).get(argument)
    return accepted.kind if accepted else None


def monitored_metric(callback: Component) -> str | None:
    """The metric that a callback monitors, if any."""
    accepted = arguments("callbacks", callback.name)
    if "monitor" not in accepted:
        return None
    if "save_best_only" in accepted and not callback.arguments.get("save_best_only"):
        return None
    return str(callback.arguments.get("monitor", accepted["monitor"].default))


def name_lone_argument(kind: str, component: Component) -> Component:
    """The component with its single value under the name of the first argument."""
    known = entry(kind, component.name)
    if "" not in component.arguments or known is None or known.first is None:
        return component
    arguments = {known.first: component.arguments[""]}
    return Component(name=component.name, arguments=arguments)


def parse_component(kind: str, value: str | dict[str, Any]) -> Component:
    """A component inside another one, such as an initializer, parsed."""
    [(word, arguments)] = ({value: None} if isinstance(value, str) else value).items()
    return name_lone_argument(
        kind, Component(name=canonical_name(kind, word), arguments=as_arguments(arguments))
    )
