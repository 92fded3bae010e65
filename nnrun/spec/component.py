"""A Keras component by name: a layer, optimizer, loss, metric or callback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_core import PydanticCustomError


class Spec(BaseModel):
    """A frozen part of a spec that rejects unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        defer_build=True,  # few parts are used alone, and each takes a millisecond
    )


class Component(Spec):
    """A Keras name with its arguments."""

    name: str
    """Keras's name, such as `Dense` or `rmsprop`."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """By name. A single value has an empty name until the catalogue gives it one."""


def _parsed(value: Any) -> Any:
    match value:
        case Component():
            return value
        case str():
            return Component(name=value)
        case dict() if len(value) == 1:
            [(name, arguments)] = value.items()
            return Component(name=str(name), arguments=as_arguments(arguments))
    raise PydanticCustomError(
        "component",
        "expected a name, or one name with its arguments such as 'Dense: {{units: 16}}'",
    )


def as_arguments(value: Any) -> dict[str, Any]:
    """The arguments in `Dense:`, `Dense: 16` (one without a name) or `Dense: {units: 16}`."""
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"": value}


def _written(component: Component) -> Any:
    return {component.name: component.arguments} if component.arguments else component.name


Named = Annotated[Component, BeforeValidator(_parsed), PlainSerializer(_written)]


_STACK = "A list of layers, from the input on."

COMPOSITES: dict[str, dict[str, Any]] = {
    "Residual": {
        "doc": "Adds the output of a stack of layers to its input: a skip connection.",
        "arguments": {
            "main": {"doc": _STACK, "kind": "layers"},
            "shortcut": {
                "doc": "Layers for the input before it is added; by default none.",
                "kind": "layers",
                "default": [],
            },
        },
    },
    "Branches": {
        "doc": "Passes its input to several stacks of layers and merges their outputs.",
        "arguments": {
            "paths": {
                "doc": "A list of stacks; an empty one returns its input.",
                "kind": "stacks",
            },
            "merge": {
                "doc": "How outputs are merged: along the last axis, or elementwise.",
                "types": ["string"],
                "choices": ["concatenate", "add", "average", "maximum", "minimum", "multiply"],
                "default": "concatenate",
            },
        },
    },
    "Repeat": {
        "doc": "Repeats a stack of layers, each time with new weights.",
        "arguments": {
            "times": {"doc": "Number of repeats.", "types": ["integer"]},
            "layers": {"doc": _STACK, "kind": "layers"},
        },
    },
    "Block": {
        "doc": "The layers of one of `blocks`.",
        "arguments": {
            "layers": {"doc": _STACK, "kind": "layers"},
            "block": {"doc": "The block's name.", "types": ["string", "null"], "default": None},
        },
    },
}
"""Layers that are not classes of Keras, as in the catalogue's file."""

STACKS = "stacks"
"""The kind of an argument with a list of stacks."""


def as_stack(value: Any) -> list[Any]:
    """The layers of a stack; a single layer is a stack of one."""
    return value if isinstance(value, list) else [value]


def layer_names(component: Component) -> frozenset[str]:
    """The names by which a layer can be frozen: its class, its `name`, its block."""
    given = (component.arguments.get(key) for key in ("name", "block"))
    return frozenset((component.name, *(name for name in given if isinstance(name, str))))


def walk_layers(layers: Any) -> Iterator[Component]:
    """Every layer of a stack and of the stacks inside it."""
    for value in as_stack(layers):
        component = value if isinstance(value, Component) else _parsed(value)
        yield component
        for name, argument in component.arguments.items():
            accepted = COMPOSITES.get(component.name, {}).get("arguments", {})
            kind = accepted.get(name, {}).get("kind")
            for stack in {"layers": [argument], STACKS: argument}.get(kind, []):
                yield from walk_layers(stack)


APPLICATION = "Application"

NETWORKS = (
    *("ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "ConvNeXtXLarge"),
    *("DenseNet121", "DenseNet169", "DenseNet201"),
    *(f"EfficientNetB{size}" for size in range(8)),
    *(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "L", "M", "S")),
    *("InceptionResNetV2", "InceptionV3"),
    *("MobileNet", "MobileNetV2", "MobileNetV3Large", "MobileNetV3Small"),
    *("NASNetLarge", "NASNetMobile"),
    *("ResNet50", "ResNet101", "ResNet152", "ResNet50V2", "ResNet101V2", "ResNet152V2"),
    *("VGG16", "VGG19", "Xception"),
)
"""Names in Keras; a test compares them with the installed ones."""

APPLICATIONS: dict[str, dict[str, Any]] = {
    APPLICATION: {
        "doc": "A network of `keras.applications` without its top, for transfer learning.",
        "arguments": {
            "name": {
                "doc": "The network's name.",
                "types": ["string"],
                "choices": [*NETWORKS],
            },
            "weights": {
                "doc": "Pretrained weights: `imagenet`, downloaded once, or none.",
                "types": ["string", "null"],
                "choices": ["imagenet"],
                "default": "imagenet",
            },
            "pooling": {
                "doc": "Global pooling of the last feature maps: mean or maximum.",
                "types": ["string", "null"],
                "choices": ["avg", "max"],
                "default": None,
            },
            "preprocess": {
                "doc": "Whether to scale pixels from 0 to 255 as the network expects.",
                "types": ["boolean"],
                "default": True,
            },
            "trainable": {
                "doc": "Whether its weights are trained.",
                "types": ["boolean"],
                "default": True,
            },
        },
    },
}
"""As in the catalogue's file."""
