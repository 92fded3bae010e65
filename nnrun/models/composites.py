"""Wires the stacks inside a stack into Keras's own layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import keras

from nnrun.spec import composites

Path = tuple[str | int, ...]


class Within(Protocol):
    """The inside of a composite."""

    def go(self, layers: Any, inputs: Any, path: Path) -> Any:
        """What the layers of a stack, which stand at a path of the spec, make of a tensor."""

    def keep(self, layer: keras.Layer, outputs: Any) -> Any:
        """Notes a layer that has put something out, and gives that back."""


MERGES: Mapping[str, type[keras.Layer]] = {
    "concatenate": keras.layers.Concatenate,
    "add": keras.layers.Add,
    "average": keras.layers.Average,
    "maximum": keras.layers.Maximum,
    "minimum": keras.layers.Minimum,
    "multiply": keras.layers.Multiply,
}


def outputs(
    name: str, arguments: Mapping[str, Any], inputs: Any, path: Path, within: Within
) -> Any:
    """What a composite makes of a tensor.

    Args:
        name: of `nnrun.spec.composites.LAYERS`.
        arguments: by name, checked; defaults may be left out.
        inputs: a Keras tensor.
        path: of the arguments in the spec.
        within: makes the layers inside.

    Raises:
        ValueError: the ways do not end in shapes that go together.
    """
    go = within.go
    match name:
        case "Block":
            return go(arguments["layers"], inputs, (*path, "layers"))
        case "Repeat":
            for _ in range(arguments["times"]):
                inputs = go(arguments["layers"], inputs, (*path, "layers"))
            return inputs
        case "Residual":
            main = go(arguments["main"], inputs, (*path, "main"))
            shortcut = go(arguments.get("shortcut", []), inputs, (*path, "shortcut"))
            return _merged("add", [main, shortcut], within)
    ways = [
        go(each, inputs, (*path, "paths", index)) for index, each in enumerate(arguments["paths"])
    ]
    merge = arguments.get("merge", composites.LAYERS[name]["arguments"]["merge"]["default"])
    return _merged(merge, ways, within)


def _merged(merge: str, ways: list[Any], within: Within) -> Any:
    layer = MERGES[merge]()
    return within.keep(layer, layer(ways))
