"""What one layer makes of a row, by rules that are written down once for each kind of layer.

A rule takes the layer's arguments and the shape of a row without the batch. It gives an outcome,
or raises one of two errors: `Unsure` where the rules do not say what Keras would do, and `Unfit`
where Keras is sure to refuse the row.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from nnrun.shapes.arguments import Arguments, Unsure, read
from nnrun.spec.component import Component

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
