"""What one layer makes of a row, by rules that are written down once for each kind of layer.

A rule takes the layer's arguments and the shape of a row without the batch. It gives an outcome,
or raises one of two errors: `Unsure` where the rules do not say what Keras would do, and `Unfit`
where Keras is sure to refuse the row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nnrun.spec import catalogue
from nnrun.spec.component import Component

# The arguments of a layer as YAML gives them, with Keras's defaults from the catalogue.
#
# Keras takes many forms of an argument. Only the plain ones are read here; any other is `Unsure`.

# Each adds or replaces weights in a way of its own.
_UNUSUAL = ("lora_rank", "quantization_config", "weights")
# Any other may be the name of a quantization, which replaces weights.
_NUMBERS = frozenset(
    (None, "float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16")
)
# Halves what it gets, and Keras does not say so beforehand.
_HALVING = "glu"


class Unsure(Exception):
    """The rules do not say what Keras would do."""


@dataclass(frozen=True)
class Arguments:
    """All arguments of one layer by name, said or by default."""

    values: Mapping[str, Any]

    @property
    def trainable(self) -> bool:
        """Whether training may change the layer."""
        return "trainable" not in self.values or self.flag("trainable")

    def flag(self, name: str) -> bool:
        """An argument that is true or false."""
        value = self.values[name]
        if not isinstance(value, bool):
            raise Unsure
        return value

    def word(self, name: str, *allowed: str) -> str:
        """An argument that is one of some words."""
        value = self.values[name]
        if not isinstance(value, str) or value not in allowed:
            raise Unsure
        return value

    def count(self, name: str) -> int:
        """An argument that is a whole number above 0."""
        return whole(self.values[name])

    def counts(self, name: str, many: int) -> tuple[int, ...]:
        """An argument with one whole number above 0 for each direction, or one for all."""
        return wholes(self.values[name], many)

    def axes(self, name: str) -> tuple[int, ...]:
        """An argument that names one axis or several, each once; the batch, axis 0, is none."""
        value = self.values[name]
        found = tuple(value) if isinstance(value, list) else (value,)
        if not found or not all(is_whole(axis) and axis != 0 for axis in found):
            raise Unsure
        if len({*found}) != len(found):
            raise Unsure
        return found


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number; true and false are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def whole(value: Any, *, least: int = 1) -> int:
    """A whole number that is not below the least."""
    if not is_whole(value) or value < least:
        raise Unsure
    return int(value)


def wholes(value: Any, many: int, *, least: int = 1) -> tuple[int, ...]:
    """As many whole numbers; a single one stands for each of them."""
    values = value if isinstance(value, list) else [value] * many
    if len(values) != many:
        raise Unsure
    return tuple(whole(each, least=least) for each in values)


def read(component: Component) -> Arguments:
    """The arguments of a layer.

    Raises:
        Unsure: one is missing, unknown, or changes a layer in a way of its own.
    """
    named = catalogue.name_lone_argument("layers", component)
    accepted = catalogue.arguments("layers", named.name)
    missing = {name for name, each in accepted.items() if each.required} - {*named.arguments}
    if missing or not {*named.arguments} <= {*accepted}:
        raise Unsure
    values = {name: named.arguments.get(name, each.default) for name, each in accepted.items()}
    activations = [values[n] for n, each in accepted.items() if each.kind == "activations"]
    if not (_plain(values) and all(map(_keeps_the_shape, activations))):
        raise Unsure
    return Arguments(values)


def _plain(values: Mapping[str, Any]) -> bool:
    dtype = values.get("dtype")
    unusual = any(values.get(name) is not None for name in _UNUSUAL)
    return not unusual and (dtype is None or isinstance(dtype, str)) and dtype in _NUMBERS


def _keeps_the_shape(activation: Any) -> bool:
    if activation is None:
        return True
    known = isinstance(activation, str) and catalogue.is_known("activations", activation)
    return known and activation != _HALVING


Shape = tuple[int | None, ...]


class Unfit(Exception):
    """Keras is sure to refuse the row; the text says what the layer takes or what is amiss.

    Args:
        text: as above.
        path: from the layer that was asked to the one inside it that refuses; empty for itself.
        layer: the name of the one inside.
        shape: of the row that this one gets.
    """

    def __init__(
        self, text: str, *, path: tuple[str | int, ...] = (), layer: str = "", shape: Shape = ()
    ) -> None:
        super().__init__(text)
        self.path = path
        self.layer = layer
        self.shape = shape


@dataclass(frozen=True)
class Outcome:
    """What comes out of a layer, and what the layer holds.

    Args:
        shape: of one row, without the batch.
        weights: how many numbers training changes, unless the layer is frozen.
        statistics: how many numbers are kept but never trained, such as a moving mean.
    """

    shape: Shape
    weights: int = 0
    statistics: int = 0

    @property
    def frozen(self) -> Outcome:
        """The same with nothing left to train."""
        return Outcome(self.shape, 0, self.weights + self.statistics)


Rule = Callable[[Arguments, Shape], Outcome]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enters a function as the rule for layers of these names."""

    def entered(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return entered


def outcome(component: Component, shape: Shape) -> Outcome:
    """What a layer makes of a row.

    Raises:
        Unsure: no rule says it.
        Unfit: Keras is sure to refuse the row.
    """
    if component.name not in RULES:
        raise Unsure
    arguments = read(component)
    found = RULES[component.name](arguments, shape)
    return found if arguments.trainable else found.frozen


def known(length: int | None) -> int:
    """A length that the weights of a layer depend on."""
    if length is None:
        raise Unsure
    return length


def elements(shape: Shape) -> int | None:
    """How many numbers a row holds, None where one of its lengths is unknown."""
    return math.prod(map(known, shape)) if None not in shape else None
