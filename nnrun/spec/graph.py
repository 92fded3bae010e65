"""The graph of a model: outputs by name, and stacks inside layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from nnrun.spec import catalogue
from nnrun.spec.component import (
    APPLICATION,
    COMPOSITES,
    INPUT,
    SOURCE,
    Component,
    as_stack,
    walk_layers,
)
from nnrun.spec.tree import KeyPath

T = TypeVar("T")


class NamedOutputs(Generic[T]):
    """The outputs that `from` can name at some place of a model, in the order of the layers.

    The input of the model is called `input`; several inputs have their own names. In a repeated
    layer, its last output counts.
    """

    def __init__(self, model_input: T | Mapping[str, T]) -> None:
        inputs = model_input if isinstance(model_input, Mapping) else {INPUT: model_input}
        self._by_name: dict[str, T] = dict(inputs)

    def add(self, layer: Component, output: T) -> None:
        """Adds the output of a layer, if it has a name."""
        if name := output_name(layer):
            self._by_name[name] = output

    def of(self, source: Component) -> T | None:
        """The output that `from` names, or None if no layer before has that name."""
        return self._by_name.get(source_name(source))

    def input(self, name: str) -> T | None:
        """One of several inputs, or None if there is no such input."""
        return self._by_name.get(name)

    def names(self) -> list[str]:
        """All names so far."""
        return [*self._by_name]


def output_name(layer: Component) -> str | None:
    """The name of a layer's output; not that of an `Application`, which names a network."""
    name = layer.arguments.get("name")
    return name if isinstance(name, str) and layer.name != APPLICATION else None


def source_name(source: Component) -> str:
    """The name in `from`."""
    return str(catalogue.name_lone_argument("sources", source).arguments["layer"])


def sources(layer: Component) -> dict[str, Component]:
    """The named outputs that a layer takes beside its input, such as the `value` of an attention."""
    return {
        name: catalogue.parse_component("sources", value)
        for name, value in layer.arguments.items()
        if catalogue.argument_kind("layers", layer.name, name) == "sources" and value is not None
    }


def shared_name(layer: Component) -> str | None:
    """The name of the weights of a layer that occurs several times."""
    name = layer.arguments.get("shared")
    return name if isinstance(name, str) and layer.name not in COMPOSITES else None


def positions(stack: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Component]]:
    """The layers of a stack with their paths; a single layer has the path of the stack."""
    for index, value in enumerate(as_stack(stack)):
        at = (*path, index) if isinstance(stack, list) else path
        yield at, catalogue.parse_component("layers", value)


def wrapped(layer: Component) -> Iterator[tuple[str, Component]]:
    """The layers inside a layer of Keras such as `Bidirectional`, with the argument that holds each."""
    if layer.name in COMPOSITES:
        return
    for name, value in layer.arguments.items():
        if catalogue.argument_kind("layers", layer.name, name) == "layers" and value is not None:
            yield from ((name, inner) for _, inner in positions(value))


def used_names(model: Iterable[Component]) -> set[str]:
    """The names that sources use, anywhere in a model."""
    found = (s for layer in walk_layers([*model]) for s in (layer, *sources(layer).values()))
    return {source_name(source) for source in found if source.name == SOURCE}
