"""What the installed Keras offers, read from a file: names, arguments, other words.

Kinds are Keras's modules: `layers`, `optimizers`, `losses`, `metrics`, `callbacks`,
`initializers`, `regularizers`, `constraints`, `activations`, `schedules`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from nnrun.spec import applications, composites, installed
from nnrun.spec.component import Component, as_arguments


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
    found = installed.catalogue()
    return {**found, "layers": {**found["layers"], **composites.LAYERS, **applications.LAYERS}}


def names(kind: str) -> list[str]:
    """Every word that names something of a kind: classes first, then other words for them."""
    return [*_data()[kind], *_data()["aliases"][kind]]


def knows(kind: str, name: str) -> bool:
    """Whether a word names something of a kind."""
    return name in _data()[kind] or name in _data()["aliases"][kind]


def meaning(kind: str, name: str) -> str:
    """Keras's own name for a word: `mse` means `MeanSquaredError`.

    `accuracy` means what the labels make of it, and an unknown word itself.
    """
    return name if name in _data()[kind] else (_data()["aliases"][kind].get(name) or name)


@cache
def entry(kind: str, name: str) -> Entry | None:
    """What a word names; none where it is unknown, or means what the labels make of it."""
    own_name = meaning(kind, name)
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


def monitor(callback: Component) -> str | None:
    """The metric that a callback watches, said or by default; None where it watches nothing."""
    accepted = arguments("callbacks", callback.name)
    if "monitor" not in accepted:
        return None
    if "save_best_only" in accepted and not callback.arguments.get("save_best_only"):
        return None
    return str(callback.arguments.get("monitor", accepted["monitor"].default))


def named(kind: str, component: Component) -> Component:
    """The component with its lone value under the name of the first argument."""
    found = entry(kind, component.name)
    if "" not in component.arguments or found is None or found.first is None:
        return component
    arguments = {found.first: component.arguments[""]}
    return Component(name=component.name, arguments=arguments)


def component(kind: str, value: str | dict[str, Any]) -> Component:
    """A name with its arguments, as it stands inside another component."""
    [(word, arguments)] = ({value: None} if isinstance(value, str) else value).items()
    # `adam` stands for its class here, where nothing is reported under the word.
    return named(kind, Component(name=meaning(kind, word), arguments=as_arguments(arguments)))
