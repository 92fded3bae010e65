"""Layers that Keras has no class for: stacks that branch, repeat, or add to what came in.

They stand in the catalogue beside Keras's own and are described in its words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nnrun.spec.component import Component, as_arguments

_STACK = "A list of layers, from the input on."

LAYERS: dict[str, dict[str, Any]] = {
    "Residual": {
        "doc": "Adds what a stack of layers makes of its input to the input, a skip connection.",
        "arguments": {
            "main": {"doc": _STACK, "kind": "layers"},
            "shortcut": {
                "doc": "What the input goes through before it is added; by default it stays.",
                "kind": "layers",
                "default": [],
            },
        },
    },
    "Branches": {
        "doc": "Gives its input to several stacks of layers and puts together what they make of it.",
        "arguments": {
            "paths": {
                "doc": "A list of stacks; an empty one passes on its input.",
                "kind": "stacks",
            },
            "merge": {
                "doc": "How they are put together, along the last axis or number by number.",
                "types": ["string"],
                "choices": ["concatenate", "add", "average", "maximum", "minimum", "multiply"],
                "default": "concatenate",
            },
        },
    },
    "Repeat": {
        "doc": "A stack of layers several times, each time with weights of its own.",
        "arguments": {
            "times": {"doc": "How often.", "types": ["integer"]},
            "layers": {"doc": _STACK, "kind": "layers"},
        },
    },
    "Block": {
        "doc": "A stack of layers, as one of `blocks` is written out.",
        "arguments": {
            "layers": {"doc": _STACK, "kind": "layers"},
            "block": {"doc": "The block's name.", "types": ["string", "null"], "default": None},
        },
    },
}
"""By name, in the form of the catalogue's file."""

STACKS = "stacks"
"""The kind of an argument that is a list of stacks."""


def stack(value: Any) -> list[Any]:
    """The layers of a stack; a lone layer is a stack of one."""
    return value if isinstance(value, list) else [value]


def names(component: Component) -> frozenset[str]:
    """What a layer may be called: Keras's name for it, its own, or that of the block it is."""
    given = (component.arguments.get(key) for key in ("name", "block"))
    return frozenset((component.name, *(name for name in given if isinstance(name, str))))


def within(layers: Any) -> Iterator[Component]:
    """Every layer of a stack and of the stacks in it."""
    for value in stack(layers):
        component = value if isinstance(value, Component) else _component(value)
        yield component
        for name, argument in component.arguments.items():
            about = LAYERS.get(component.name, {}).get("arguments", {}).get(name, {})
            if about.get("kind") == "layers":
                yield from within(argument)
            elif about.get("kind") == STACKS:
                yield from (each for layers in argument for each in within(layers))


def _component(value: Any) -> Component:
    [(name, told)] = ({value: None} if isinstance(value, str) else value).items()
    return Component(name=str(name), arguments=as_arguments(told))
