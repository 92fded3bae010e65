"""Layers that Keras has no class for: stacks that branch, repeat, or add to what came in.

They stand in the catalogue beside Keras's own and are described in its words.
"""

from __future__ import annotations

from typing import Any

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
