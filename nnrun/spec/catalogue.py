"""Names and arguments of the installed Keras, read from a file, and of the user's code.

Kinds are modules of Keras: `layers`, `optimizers`, `losses`, `metrics`, `callbacks`,
`initializers`, `regularizers`, `constraints`, `activations`, `schedules`. Two are nnrun's own:
`merges`, the ways to merge outputs, and `sources`, the outputs of named layers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import platformdirs

from nnrun.spec.component import (
    APPLICATIONS,
    COMPOSITES,
    MERGES,
    SOURCES,
    Argument,
    Component,
    Entry,
    as_arguments,
    wiring,
)

Catalogue = dict[str, Any]
"""The JSON of a catalogue: by kind and name, the documentation and arguments of each class."""


KINDS = {
    "model": "layers",
    "optimizer": "optimizers",
    "loss": "losses",
    "metrics": "metrics",
    "callbacks": "callbacks",
}
"""The kind of the components under a key of a spec."""


def load_catalogue() -> Catalogue:
    """The catalogue of the installed Keras; of the shipped version if it is not installed.

    For another version a process lists it once; the result is kept in the user's cache.
    """
    shipped = _parse(resources.files("nnrun.spec").joinpath("catalogue.json").read_text("utf-8"))
    assert shipped is not None
    version = installed_version()
    if version is None or version == shipped["keras"]:
        return shipped
    path = cache_file(version)
    with suppress(OSError, UnicodeError):
        cached = _parse(path.read_text("utf-8"))
        if cached and cached["keras"] == version:
            return cached
    text = _list_keras(version)
    listed = _parse(text)
    if listed:
        _replace(path, text)
    return listed or shipped


def installed_version() -> str | None:
    """The version of Keras, without importing it."""
    try:
        return metadata.version("keras")
    except metadata.PackageNotFoundError:
        return None


def cache_file(version: str) -> Path:
    """The cached catalogue of another version of Keras."""
    return platformdirs.user_cache_path("nnrun") / f"catalogue-{version}.json"


def _parse(text: str) -> Catalogue | None:
    with suppress(ValueError):
        data = json.loads(text)
        if isinstance(data, dict) and {"keras", "layers", "aliases"} <= data.keys():
            return data
    return None


def _list_keras(version: str) -> str:
    """The catalogue from another process, because this one must not import Keras."""
    print(f"listing the layers of Keras {version} once; this takes some seconds", file=sys.stderr)
    command = [sys.executable, "-m", "nnrun.models.catalogue"]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    listing = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if listing.returncode:
        reason = (listing.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"Keras {version} cannot be listed: {reason}", file=sys.stderr)
        print("using names and arguments of another version", file=sys.stderr)
    return listing.stdout


def _replace(path: Path, text: str) -> None:
    """Replaces the file atomically; a cache that cannot be written is no error."""
    part = path.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


@cache
def _data() -> Catalogue:
    data = load_catalogue()
    layers = data["layers"]
    classes = {name: name.capitalize() for name in MERGES}
    merges = {name: {**layers[cls], "inherited": {}} for name, cls in classes.items()}
    aliases = {"merges": {cls: name for name, cls in classes.items()}, "sources": {}}
    return {
        **data,
        "layers": {**layers, **COMPOSITES, **SOURCES, **APPLICATIONS},
        "merges": merges,
        "sources": SOURCES,
        "aliases": {**data["aliases"], **aliases},
    }


@dataclass(frozen=True)
class OwnName:
    """A function or class of the user's code.

    Args:
        kinds: that it can be; None for any, because it is not known.
        entry: its arguments.
        methods: of a class.
    """

    kinds: frozenset[str] | None
    entry: Entry
    methods: frozenset[str] = frozenset()
    is_function: bool = False

    def may_be(self, kind: str) -> bool:
        """Whether it can be of a kind."""
        return self.kinds is None or kind in self.kinds

    def entry_as(self, kind: str) -> Entry:
        """Its arguments as a kind; Keras calls a function, so a spec gives it none."""
        if self.is_function and is_kind(kind):
            return replace(self.entry, arguments={}, is_open=False)
        return self.entry


_OWN: dict[str, OwnName] = {}


def use_own(own: Mapping[str, OwnName]) -> None:
    """Adds the names of the user's code to the kinds, in place of earlier ones."""
    _OWN.clear()
    _OWN.update(own)


def own_names() -> Mapping[str, OwnName]:
    """The names of the user's code, such as `layers.Gate`."""
    return _OWN


def of_own_module(name: object) -> bool:
    """Whether a name is that of a module of the user's code, a dot, and a word."""
    module, dot, _ = str(name).partition(".")
    return bool(dot) and any(own.startswith(f"{module}.") for own in _OWN)


def is_kind(kind: str) -> bool:
    """Whether it is a kind of Keras component."""
    return kind in _data()["aliases"]


def names(kind: str) -> list[str]:
    """All names of a kind: the user's, classes, then aliases."""
    own = (name for name, owned in _OWN.items() if owned.may_be(kind))
    return [*own, *_data()[kind], *_data()["aliases"][kind]]


def is_known(kind: str, name: str) -> bool:
    """Whether a kind has a name."""
    if name in _OWN:
        return _OWN[name].may_be(kind)
    return name in _data()[kind] or name in _data()["aliases"][kind]


def canonical_name(kind: str, name: str) -> str:
    """Keras's class for a name: `MeanSquaredError` for `mse`.

    `accuracy`, which depends on the labels, and unknown names are returned unchanged.
    """
    return name if name in _data()[kind] else (_data()["aliases"][kind].get(name) or name)


def entry(kind: str, name: str) -> Entry | None:
    """The class for a name; None if it is unknown, or depends on the labels."""
    if name in _OWN:
        return _OWN[name].entry_as(kind) if _OWN[name].may_be(kind) else None
    return _keras_entry(kind, name)


@cache
def _keras_entry(kind: str, name: str) -> Entry | None:
    name = canonical_name(kind, name)
    data = _data()[kind].get(name)
    if data is None or isinstance(data, Entry):
        return data
    own, inherited = (
        {argument: _argument(argument, values) for argument, values in data.get(key, {}).items()}
        for key in ("arguments", "inherited")
    )
    own |= _in_epochs(own) if kind == "schedules" else {}
    return Entry(name, data["doc"], own, inherited | (wiring(name) if kind == "layers" else {}))


EPOCHS = {
    **{f"{name}_steps": f"{name}_epochs" for name in ("decay", "first_decay", "warmup")},
    "boundaries": "boundary_epochs",
}
"""Arguments of schedules that count steps, and the same ones in epochs."""


def _in_epochs(arguments: Mapping[str, Argument]) -> dict[str, Argument]:
    """Further arguments of a schedule, in place of those that count steps."""
    types = {"boundaries": ("array",)}
    return {
        EPOCHS[name]: Argument(
            EPOCHS[name],
            doc=f"`{name}` in epochs, such as 0.5 or 10.",
            types=types.get(name, ("number",)),
        )
        for name in arguments
        if name in EPOCHS
    }


def described(kind: str, name: str) -> Entry:
    """The class for a known name, or the name alone if its class depends on the labels."""
    return entry(kind, name) or Entry(name, "Chosen according to the labels.", {}, {})


def _argument(name: str, values: dict[str, Any]) -> Argument:
    lists = {key: tuple(values.get(key, ())) for key in ("types", "choices")}
    return Argument(name, required="default" not in values, **(values | lists))


def arguments(kind: str, name: str) -> dict[str, Argument]:
    """All arguments of a class; empty for an unknown name."""
    cls = entry(kind, name)
    return cls.accepted if cls else {}


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
    monitor = callback.arguments.get("monitor", accepted["monitor"].default)
    # A callback of the user's code may monitor nothing.
    return None if monitor is None else str(monitor)


def name_lone_argument(kind: str, component: Component) -> Component:
    """The component with its single value under the name of the first argument."""
    cls = entry(kind, component.name)
    if "" not in component.arguments or cls is None or cls.first is None:
        return component
    return Component(name=component.name, arguments={cls.first: component.arguments[""]})


def parse_component(kind: str, value: object) -> Component:
    """A component from its name, or from its name with arguments in a mapping."""
    if isinstance(value, Component):
        return value
    name, given = next(iter(value.items())) if isinstance(value, dict) else (str(value), None)
    name = canonical_name(kind, name)
    return name_lone_argument(kind, Component(name=name, arguments=as_arguments(given)))


def merge_of(arguments: Mapping[str, object]) -> Component:
    """How the paths of `Branches` are merged."""
    return parse_component("merges", arguments.get("merge") or MERGES[0])
