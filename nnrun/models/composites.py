"""Wires the stacks inside a stack into Keras's own layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

from nnrun.spec import composites

Path = tuple[str | int, ...]
Through = Callable[[Any, Any, Path], Any]
"""Leads a tensor through the layers of a stack, which stand at a path of the spec."""

MERGES: Mapping[str, type[keras.Layer]] = {
    "concatenate": keras.layers.Concatenate,
    "add": keras.layers.Add,
    "average": keras.layers.Average,
    "maximum": keras.layers.Maximum,
    "minimum": keras.layers.Minimum,
    "multiply": keras.layers.Multiply,
}


def outputs(name: str, arguments: Mapping[str, Any], inputs: Any, path: Path, go: Through) -> Any:
    """What a composite makes of a tensor.

    Args:
        name: of `nnrun.spec.composites.LAYERS`.
        arguments: by name, checked; defaults may be left out.
        inputs: a Keras tensor.
        path: of the arguments in the spec.
        go: leads a tensor through a stack.

    Raises:
        ValueError: the ways do not end in shapes that go together.
    """
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
            return keras.layers.Add()([main, shortcut])
    ways = [
        go(each, inputs, (*path, "paths", index)) for index, each in enumerate(arguments["paths"])
    ]
    merge = arguments.get("merge", composites.LAYERS[name]["arguments"]["merge"]["default"])
    return MERGES[merge]()(ways)
