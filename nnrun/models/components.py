"""Creates Keras objects from their names in a spec."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from nnrun.spec import catalogue
from nnrun.spec.component import Component, matches, wiring
from nnrun.spec.training import FrozenPart

# Lines of a traceback, which Keras and TensorFlow put into their messages.
_FROM_GRAPH = ("in user code:", "Graph execution error:", "Detected at node", "File ", "[[", "<")
_SKIPPED = (*_FROM_GRAPH, "Exception encountered when calling")
_COLOUR = re.compile(r"\x1b\[\d*m")
_ERROR_NAME = re.compile(r"^[A-Za-z]+Error: ")


@dataclass(frozen=True)
class Named:
    """A Keras layer with its names in the spec.

    Args:
        layer: as it is in the model.
        names: its name in the spec, and those of the composites around it.
        trainable: whether it is trained unless a stage freezes it.
        frozen: layers inside it that never train.
    """

    layer: keras.Layer
    names: frozenset[str]
    trainable: bool
    frozen: Sequence[keras.Layer] = ()

    def matches(self, pattern: str) -> bool:
        """Whether a name or pattern is one of its names in the spec or in Keras."""
        return matches(pattern, self.names | {self.layer.name})

    def freeze(self, rules: Mapping[str, FrozenPart]) -> None:
        """Freezes the layer, or a part of it, and lets the rest train if the spec does.

        Args:
            rules: parts to freeze, by name or pattern of a layer.
        """
        parts = [part for pattern, part in rules.items() if self.matches(pattern)]
        self.layer.trainable = self.trainable and FrozenPart() not in parts
        # Keras hands a value that a network has already to none of its layers.
        for layer in getattr(self.layer, "layers", ()):
            layer.trainable = self.layer.trainable
        for part in parts if self.layer.trainable else ():
            for layer in self.inner(part):
                layer.trainable = False
        for layer in self.frozen:
            layer.trainable = False

    def inner(self, part: FrozenPart) -> list[keras.Layer]:
        """The layers inside it that a stage freezes; none if it has no layers inside."""
        layers = list(getattr(self.layer, "layers", ()))
        layers = layers[: max(0, len(layers) - part.except_last)]
        return [
            layer
            for layer in layers
            if any(matches(pattern, {layer.name}) for pattern in part.layers)
        ]


def instantiate(kind: str, component: Component) -> Any:
    """The Keras object of a component.

    Args:
        kind: the catalogue's, such as `layers`.
        component: checked against the catalogue.

    Returns:
        An instance; or the name itself if Keras accepts it, such as `mse`, because Keras then
        reports the metric under that name.
    """
    module = getattr(keras.optimizers if kind == "schedules" else keras, kind)
    target = getattr(module, component.name, None)
    if not isinstance(target, type):
        return component.name
    left_out = wiring(component.name) if kind == "layers" else {}
    arguments = {
        name: _argument(catalogue.argument_kind(kind, component.name, name), value)
        for name, value in component.arguments.items()
        if name not in left_out
    }
    return target(**arguments)


def _argument(kind: str | None, value: object) -> object:
    """An argument that may itself be a Keras object, as in `kernel_regularizer: {L2: 0.01}`."""
    if kind is None:
        return value
    if isinstance(value, list):
        return [_argument(kind, item) for item in value]
    # Keras accepts other components by name, but not these.
    by_name = isinstance(value, str) and kind not in ("layers", "optimizers")
    if by_name or not isinstance(value, (str, dict)):
        return value
    return instantiate(kind, catalogue.parse_component(kind, value))


def reason(error: Exception) -> str:
    """The message of a Keras or TensorFlow error, on one line and without its traceback.

    It is the first line of a plain error, and the last one of an error from inside a graph.
    """
    lines = [line.strip() for line in _COLOUR.sub("", str(error)).splitlines()]
    messages = [line for line in lines if line and not line.startswith(_SKIPPED)]
    if not messages:
        return type(error).__name__
    from_graph = lines[0].startswith(_FROM_GRAPH)
    return _ERROR_NAME.sub("", messages[-1] if from_graph else messages[0])
