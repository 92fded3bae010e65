"""What the installed Keras offers, read from a file: names, arguments, other words.

Kinds are Keras's modules: `layers`, `optimizers`, `losses`, `metrics`, `callbacks`,
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

# The catalogue of the Keras that is installed: the shipped one, or one of the user's cache.
#
# Another Keras than the shipped catalogue describes has other layers and other arguments. Its
# catalogue is made once, by a process that loads it, and kept where the user's caches are.

Catalogue = dict[str, Any]


def load_catalogue() -> Catalogue:
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


@dataclass(frozen=True)
class Argument:
    """One argument of a Keras class.

    Args:
        kind: which Keras names its value may be, or `file` for a path to write to.
        doc: the first sentence of what Keras says of it.
        types: JSON's words for what the value may be; none where that is not known.
        choices: the words among which a value is one; none where there is no such list.
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
        name: Keras's own.
        doc: the first sentence of its documentation.
        arguments: its own, in order; a lone value is the first of them.
        inherited: those of its base classes, by name only.
    """

    name: str
    doc: str
    arguments: dict[str, Argument]
    inherited: dict[str, Argument]

    @property
    def first(self) -> str | None:
        """The argument that a lone value stands for."""
        return next(iter(self.arguments), None)

    @property
    def accepted(self) -> dict[str, Argument]:
        """All arguments."""
        return {**self.arguments, **self.inherited}


@cache
def _data() -> dict[str, Any]:
    """What Keras has, and the layers that are made of what it has."""
    found = load_catalogue()
    return {**found, "layers": {**found["layers"], **COMPOSITES, **APPLICATIONS}}


def names(kind: str) -> list[str]:
    """Every word that names something of a kind: classes first, then other words for them."""
    return [*_data()[kind], *_data()["aliases"][kind]]


def is_known(kind: str, name: str) -> bool:
    """Whether a word names something of a kind."""
    return name in _data()[kind] or name in _data()["aliases"][kind]


def canonical_name(kind: str, name: str) -> str:
    """Keras's own name for a word: `mse` means `MeanSquaredError`.

    `accuracy` means what the labels make of it, and an unknown word itself.
    """
    return name if name in _data()[kind] else (_data()["aliases"][kind].get(name) or name)


@cache
def entry(kind: str, name: str) -> Entry | None:
    """What a word names; none where it is unknown, or means what the labels make of it."""
    own_name = canonical_name(kind, name)
    found = _data()[kind].get(own_name)
    if found is None:
        return None
    inherited = found.get("inherited", {})
    return Entry(own_name, found["doc"], _arguments(found["arguments"]), _arguments(inherited))


def _arguments(found: dict[str, dict[str, Any]]) -> dict[str, Argument]:
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
        for name, each in found.items()
    }


def arguments(kind: str, name: str) -> dict[str, Argument]:
    """All arguments that a name takes; none for a name that is not there."""
    found = entry(kind, name)
    return found.accepted if found else {}


def argument_kind(kind: str, name: str, argument: str) -> str | None:
    """Which kind of Keras name an argument's value is, if it is one."""
    accepted = arguments(kind, name).get(argument)
    return accepted.kind if accepted else None


def monitored_metric(callback: Component) -> str | None:
    """The metric that a callback watches, said or by default; None where it watches nothing."""
    accepted = arguments("callbacks", callback.name)
    if "monitor" not in accepted:
        return None
    if "save_best_only" in accepted and not callback.arguments.get("save_best_only"):
        return None
    return str(callback.arguments.get("monitor", accepted["monitor"].default))


def name_lone_argument(kind: str, component: Component) -> Component:
    """The component with its lone value under the name of the first argument."""
    found = entry(kind, component.name)
    if "" not in component.arguments or found is None or found.first is None:
        return component
    arguments = {found.first: component.arguments[""]}
    return Component(name=component.name, arguments=arguments)


def parse_component(kind: str, value: str | dict[str, Any]) -> Component:
    """A name with its arguments, as it stands inside another component."""
    [(word, arguments)] = ({value: None} if isinstance(value, str) else value).items()
    # `adam` stands for its class here, where nothing is reported under the word.
    return name_lone_argument(
        kind, Component(name=canonical_name(kind, word), arguments=as_arguments(arguments))
    )
