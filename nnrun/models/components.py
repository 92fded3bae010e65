"""Where a name in a spec becomes a Keras object."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from nnrun.spec import catalogue
from nnrun.spec.component import Component

_NAMESPACES = {
    "layers": keras.layers,
    "optimizers": keras.optimizers,
    "losses": keras.losses,
    "metrics": keras.metrics,
    "callbacks": keras.callbacks,
    "initializers": keras.initializers,
    "regularizers": keras.regularizers,
    "constraints": keras.constraints,
    "activations": keras.activations,
    "schedules": keras.optimizers.schedules,
}

# Where Keras takes an object inside another one, but no word for it.
_INSTANCES = frozenset({"layers", "optimizers"})

_FROM_GRAPH = ("in user code:", "Graph execution error:", "Detected at node", "File ", "[[", "<")
_NOT_SAID = (*_FROM_GRAPH, "Exception encountered when calling")
_COLOUR = re.compile(r"\x1b\[\d*m")
_ERROR_NAME = re.compile(r"^[A-Za-z]+Error: ")


@dataclass(frozen=True)
class Named:
    """A layer of Keras's.

    Args:
        layer: as it stands in the model, once.
        names: what the spec calls it, and all that it stands in.
        trainable: whether the spec lets it be trained.
        still: layers in it that stand still whatever it does.
    """

    layer: keras.Layer
    names: frozenset[str]
    trainable: bool
    still: Sequence[keras.Layer] = ()

    def stand_still(self, *, wanted: bool) -> None:
        """Lets training change the layer no more, or again as far as the spec lets it."""
        self.layer.trainable = self.trainable and not wanted
        for each in self.still:
            each.trainable = False

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Of one row that it puts out, without the batch."""
        return tuple(self.layer.output.shape[1:])


def instantiate(kind: str, component: Component) -> Any:
    """The Keras object that a component names.

    Args:
        kind: the catalogue's, such as `layers`.
        component: checked against the catalogue.

    Returns:
        An instance; or the name itself where Keras knows it as a word, such as `mse`, because
        Keras then reports the metric under that very word.
    """
    target = getattr(_NAMESPACES[kind], component.name, None)
    if not isinstance(target, type):
        return component.name
    arguments = {
        name: _argument(catalogue.argument_kind(kind, component.name, name), value)
        for name, value in component.arguments.items()
    }
    return target(**arguments)


def _argument(kind: str | None, value: Any) -> Any:
    """An argument that is itself a Keras object: `kernel_regularizer: {L2: 0.01}`."""
    if kind is not None and isinstance(value, list):
        return [_argument(kind, item) for item in value]
    if kind in _INSTANCES and isinstance(value, str):
        value = {value: None}
    if kind is None or not isinstance(value, dict):
        return value
    return instantiate(kind, catalogue.parse_component(kind, value))


def reason(error: Exception) -> str:
    """What a Keras or TensorFlow error says, on one line and without its traceback.

    A plain error opens with it; one from inside a graph ends with it.
    """
    lines = [line.strip() for line in _COLOUR.sub("", str(error)).splitlines()]
    said = [line for line in lines if line and not line.startswith(_NOT_SAID)]
    if not said:
        return type(error).__name__
    from_graph = lines[0].startswith(_FROM_GRAPH)
    return _ERROR_NAME.sub("", said[-1] if from_graph else said[0])
