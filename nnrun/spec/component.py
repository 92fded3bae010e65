"""A Keras component by name: a layer, optimizer, loss, metric or callback."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_core import PydanticCustomError

LARGEST = 10**9
"""The largest whole number of epochs, rows, words or units: it fits in 32 bits everywhere."""
MOST_LAYERS = 1000
"""The most layers of a model, with all repeats; each takes Keras 50 ms."""
Count = Annotated[int, Field(gt=0, le=LARGEST)]


class Spec(BaseModel):
    """A frozen part of a spec that rejects unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        defer_build=True,  # few parts are used alone, and each takes a millisecond
    )


def clash(key: str, reason: str) -> PydanticCustomError:
    """Two keys that exclude each other; `key` is the place of the fault."""
    return PydanticCustomError("clash", "{reason}", {"key": key, "reason": reason})


class Component(Spec):
    """A Keras name with its arguments."""

    name: str
    """Keras's name, such as `Dense` or `rmsprop`."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """By name. A single value has an empty name until the catalogue gives it one."""


def parse_component(value: object) -> Component:
    """A component from a name, or from one name with its arguments; errors are pydantic's."""
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


def as_arguments(value: object) -> dict[str, object]:
    """The arguments in `Dense:`, `Dense: 16` (one without a name) or `Dense: {units: 16}`."""
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"": value}


def _serialize(component: Component) -> object:
    return {component.name: component.arguments} if component.arguments else component.name


Named = Annotated[Component, BeforeValidator(parse_component), PlainSerializer(_serialize)]


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
    required: bool = False
    default: object = None
    kind: str | None = None
    doc: str = ""
    types: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One Keras class, or an activation, with its own and inherited arguments.

    Args:
        is_open: whether it may take more arguments than these.
    """

    name: str
    doc: str
    arguments: dict[str, Argument]
    inherited: dict[str, Argument]
    is_open: bool = False

    @property
    def first(self) -> str | None:
        """The argument that a single value sets."""
        return next(iter(self.arguments), None)

    @property
    def accepted(self) -> dict[str, Argument]:
        """All arguments."""
        return {**self.arguments, **self.inherited}


def _entry(name: str, doc: str, *arguments: Argument) -> Entry:
    return Entry(name, doc, {argument.name: argument for argument in arguments}, {})


STACKS = "stacks"  # the kind of an argument with a list of stacks
NAMED_STACKS = "named stacks"  # with a stack for each input by its name
MERGES = ("concatenate", "add", "average", "maximum", "minimum", "multiply", "subtract", "dot")
"""Ways to merge outputs; Keras has a layer for each, such as `Concatenate`."""
INPUT = "input"
"""The name of the model's input, in Keras and as a source."""
INPUTS = "Inputs"
"""The first layer of a model with several inputs."""
SOURCE = "from"
_STACK = "A list of layers, from the input on."
_SHORTCUT = "Layers for the input before it is added; by default none."
_PATHS = "A list of stacks; an empty one returns its input."
_INPUT_PATHS = "The layers of each input by its name; an empty stack passes it on."
_MERGE = "How outputs are merged, as by the Keras layer: a word, or `concatenate: {axis: 1}`."
_NAME = "A name for the output, for `from`."

COMPOSITES = {
    entry.name: entry
    for entry in (
        _entry(
            "Residual",
            "Adds the output of a stack of layers to its input: a skip connection.",
            Argument("main", required=True, kind="layers", doc=_STACK),
            Argument("shortcut", default=[], kind="layers", doc=_SHORTCUT),
            Argument("name", doc=_NAME, types=("string", "null")),
        ),
        _entry(
            "Branches",
            "Passes its input to several stacks of layers and merges their outputs.",
            Argument("paths", required=True, kind=STACKS, doc=_PATHS),
            Argument("merge", default=MERGES[0], kind="merges", doc=_MERGE),
            Argument("name", doc=_NAME, types=("string", "null")),
        ),
        _entry(
            INPUTS,
            "Passes each input of the data to layers of its own, and merges their outputs.",
            Argument("paths", required=True, kind=NAMED_STACKS, doc=_INPUT_PATHS),
            Argument("merge", default=MERGES[0], kind="merges", doc=_MERGE),
            Argument("name", doc=_NAME, types=("string", "null")),
        ),
        _entry(
            "Repeat",
            "Repeats a stack of layers, each time with new weights.",
            Argument("times", required=True, doc="Number of repeats.", types=("integer",)),
            Argument("layers", required=True, kind="layers", doc=_STACK),
        ),
        _entry(
            "Block",
            "The layers of one of `blocks`.",
            Argument("layers", required=True, kind="layers", doc=_STACK),
            Argument("block", doc="The block's name.", types=("string", "null")),
        ),
    )
}
"""Layers that are not classes of Keras."""

SOURCES = {
    SOURCE: _entry(
        SOURCE,
        "Continues from the output of an earlier layer with this name, or from the `input`.",
        Argument("layer", required=True, doc="A layer's name.", types=("string",)),
    )
}
"""What stands in a stack, or in an argument, for the output of a named layer."""

_SHARED = Argument(
    "shared",
    doc="A name for its weights: layers with the same name are one layer with one set of weights.",
    types=("string", "null"),
)
_OF_ATTENTION = (
    Argument("value", kind="sources", doc="What it attends to; by default its own input."),
    Argument("key", kind="sources", doc="The key; by default the value."),
    Argument(
        "use_causal_mask",
        default=False,
        doc="Whether each position attends only to itself and those before it.",
        types=("boolean",),
    ),
)
ATTENTION = frozenset(
    ("Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention")
)


def wiring(name: str) -> dict[str, Argument]:
    """Arguments of a Keras layer that say how it is connected; Keras does not get them."""
    arguments = (_SHARED, *(_OF_ATTENTION if name in ATTENTION else ()))
    return {argument.name: argument for argument in arguments}


def as_stack(value: object) -> list[object]:
    """The layers of a stack; a single layer is a stack of one."""
    return value if isinstance(value, list) else [value]


def layer_names(component: Component) -> frozenset[str]:
    """The names by which a layer can be frozen: its class, its `name`, its `shared` name, its block."""
    names = (component.arguments.get(key) for key in ("name", "shared", "block"))
    return frozenset((component.name, *(name for name in names if isinstance(name, str))))


def matches(pattern: str, names: Collection[str]) -> bool:
    """Whether a name, or a pattern with `*`, `?` or `[…]`, is one of some names.

    Example:
        >>> matches("conv*", {"Conv2D", "conv2d_1"}), matches("conv", {"Conv2D", "conv2d_1"})
        (True, False)
    """
    return any(fnmatchcase(name, pattern) for name in names)


def walk_layers(layers: object) -> Iterator[Component]:
    """Every layer of a stack and of the stacks inside it."""
    for component in map(parse_component, as_stack(layers)):
        yield component
        for _, stack in inner_stacks(component.name, component.arguments):
            yield from walk_layers(stack)


def inner_stacks(
    name: str, arguments: Mapping[str, object]
) -> Iterator[tuple[tuple[str | int, ...], object]]:
    """The stacks inside a layer, each with its path in the arguments."""
    accepted = COMPOSITES[name].arguments if name in COMPOSITES else {}
    for key, value in arguments.items():
        kind = accepted[key].kind if key in accepted else None
        if kind == "layers":
            yield (key,), value
        elif kind == STACKS and isinstance(value, list):
            yield from (((key, index), stack) for index, stack in enumerate(value))
        elif kind == NAMED_STACKS and isinstance(value, dict):
            yield from (((key, path), stack) for path, stack in value.items())


def count_layers(value: object) -> int:
    """Layers of a stack with all repeats; any value is allowed, because it may be faulty.

    Example:
        >>> count_layers([{"Repeat": {"times": 1000, "layers": [{"Repeat": {"times": 9, "layers": "ReLU"}}]}}])
        9000
    """
    if isinstance(value, list):
        return sum(map(count_layers, value))
    if not isinstance(value, dict) or len(value) != 1:
        return 1
    [(name, given)] = value.items()
    arguments = given if isinstance(given, dict) else {}
    times = arguments.get("times", 1)
    count = sum(count_layers(stack) for _, stack in inner_stacks(name, arguments))
    # Building an empty stack many times takes as long as building one layer.
    return max(1, max(1, count) * (times if isinstance(times, int) else 1))


AUTO = "auto"  # the `input_dim` of an Embedding that fits the data


def with_input_dim(layers: object, rows: int) -> Any:
    """A layer, or layers inside others, with the `input_dim: auto` of each Embedding replaced."""
    match layers:
        case Component():
            arguments = with_input_dim(layers.arguments, rows)
            return layers.model_copy(update={"arguments": arguments})
        case dict():
            return {
                key: rows if (key, value) == ("input_dim", AUTO) else with_input_dim(value, rows)
                for key, value in layers.items()
            }
        case list():
            return [with_input_dim(layer, rows) for layer in layers]
    return layers


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
_WEIGHTS = "Pretrained weights: `imagenet`, downloaded once, or none."
_POOLING = "Global pooling of the last feature maps: mean or maximum."
_PREPROCESS = "Whether to scale pixels from 0 to 255 as the network expects."
_TRAINABLE = "Whether its weights are trained."
_WORD, _BOOLEAN = ("string", "null"), ("boolean",)

APPLICATIONS = {
    APPLICATION: _entry(
        APPLICATION,
        "A network of `keras.applications` without its top, for transfer learning.",
        Argument(
            "name", required=True, doc="The network's name.", types=("string",), choices=NETWORKS
        ),
        Argument("weights", default="imagenet", doc=_WEIGHTS, types=_WORD, choices=("imagenet",)),
        Argument("pooling", doc=_POOLING, types=_WORD, choices=("avg", "max")),
        Argument("preprocess", default=True, doc=_PREPROCESS, types=_BOOLEAN),
        Argument("trainable", default=True, doc=_TRAINABLE, types=_BOOLEAN),
    )
}
