"""Something of Keras's by its name: a layer, an optimizer, a loss, a metric, a callback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_core import PydanticCustomError

# What every part of a spec has in common.


class Spec(BaseModel):
    """A frozen part of an experiment that refuses keys it does not know."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        defer_build=True,  # a part on its own is seldom needed, and each costs a millisecond
    )


class Component(Spec):
    """A Keras name with its arguments, as yet unbuilt."""

    name: str
    """Keras's own name, such as `Dense` or `rmsprop`."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """By name. A lone value is kept under the empty name until the catalogue names it."""


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
    """`Dense:` has none, `Dense: 16` one without a name, `Dense: {units: 16}` one with a name."""
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"": value}


def _written(component: Component) -> Any:
    return {component.name: component.arguments} if component.arguments else component.name


Named = Annotated[Component, BeforeValidator(_parsed), PlainSerializer(_written)]


# Layers that Keras has no class for: stacks that branch, repeat, or add to what came in.
#
# They stand in the catalogue beside Keras's own and are described in its words.

_STACK = "A list of layers, from the input on."

COMPOSITES: dict[str, dict[str, Any]] = {
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


def as_stack(value: Any) -> list[Any]:
    """The layers of a stack; a lone layer is a stack of one."""
    return value if isinstance(value, list) else [value]


def layer_names(component: Component) -> frozenset[str]:
    """What a layer may be called: Keras's name for it, its own, or that of the block it is."""
    given = (component.arguments.get(key) for key in ("name", "block"))
    return frozenset((component.name, *(name for name in given if isinstance(name, str))))


def walk_layers(layers: Any) -> Iterator[Component]:
    """Every layer of a stack and of the stacks in it."""
    for value in as_stack(layers):
        component = value if isinstance(value, Component) else _component(value)
        yield component
        for name, argument in component.arguments.items():
            about = COMPOSITES.get(component.name, {}).get("arguments", {}).get(name, {})
            if about.get("kind") == "layers":
                yield from walk_layers(argument)
            elif about.get("kind") == STACKS:
                yield from (each for layers in argument for each in walk_layers(layers))


def _component(value: Any) -> Component:
    [(name, told)] = ({value: None} if isinstance(value, str) else value).items()
    return Component(name=str(name), arguments=as_arguments(told))


# A network of `keras.applications` as one layer.
#
# It stands in the catalogue beside Keras's layers and is described in its words.

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
"""By their names in Keras; a test compares them with those that are installed."""

APPLICATIONS: dict[str, dict[str, Any]] = {
    APPLICATION: {
        "doc": "A network of `keras.applications` without its last layers, for transfer learning.",
        "arguments": {
            "name": {
                "doc": "The network's name.",
                "types": ["string"],
                "choices": [*NETWORKS],
            },
            "weights": {
                "doc": "What it has learnt before: `imagenet`, downloaded once, or nothing.",
                "types": ["string", "null"],
                "choices": ["imagenet"],
                "default": "imagenet",
            },
            "pooling": {
                "doc": "Whether each of the last maps becomes one number, its mean or maximum.",
                "types": ["string", "null"],
                "choices": ["avg", "max"],
                "default": None,
            },
            "preprocess": {
                "doc": "Whether it scales pixels from 0 to 255 as its authors did.",
                "types": ["boolean"],
                "default": True,
            },
            "trainable": {
                "doc": "Whether training changes it.",
                "types": ["boolean"],
                "default": True,
            },
        },
    },
}
"""By name, in the form of the catalogue's file."""
