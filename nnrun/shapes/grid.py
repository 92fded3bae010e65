"""Rows that lie in space: one length in each of one to three directions, and channels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from nnrun.shapes.arguments import Arguments
from nnrun.shapes.layer import RULES, Outcome, Rule, Shape, Unfit

DIRECTIONS = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


@dataclass(frozen=True)
class Grid:
    """A row taken apart.

    Args:
        lengths: one for each direction.
        channels: how many numbers there are at each point.
        first: whether the channels stand before the lengths.
    """

    lengths: Shape
    channels: int | None
    first: bool = False

    @property
    def shape(self) -> Shape:
        """The row put together again."""
        return (self.channels, *self.lengths) if self.first else (*self.lengths, self.channels)

    def of(self, channels: int) -> Grid:
        """The same with other channels."""
        return replace(self, channels=channels)

    def each(self, change: Callable[..., int], *told: tuple[Any, ...]) -> Grid:
        """The same with every known length changed.

        Args:
            change: makes the new length of the old one and what is told of its direction.
            told: each for all directions.

        Raises:
            Unfit: nothing is left of a length.
        """
        directions = DIRECTIONS[len(self.lengths)]
        lengths: list[int | None] = []
        for direction, length, *by in zip(directions, self.lengths, *told, strict=True):
            changed = None if length is None else change(length, *by)
            if changed is not None and changed <= 0:
                raise Unfit(f"it would leave nothing of the {direction} of {length}")
            lengths.append(changed)
        return replace(self, lengths=tuple(lengths))


SpatialRule = Callable[[Arguments, Shape, int], Outcome]


def spatial(
    *names: str, ranks: tuple[int, ...] = (1, 2, 3)
) -> Callable[[SpatialRule], SpatialRule]:
    """Enters a function as the rule for layers whose names tell how many directions they have.

    Args:
        names: with braces for the number, such as `Conv{}D`.
        ranks: the numbers.
    """

    def entered(function: SpatialRule) -> SpatialRule:
        for name in names:
            RULES.update({name.format(rank): _in_directions(function, rank) for rank in ranks})
        return function

    return entered


def _in_directions(function: SpatialRule, rank: int) -> Rule:
    return lambda arguments, shape: function(arguments, shape, rank)


def grid(arguments: Arguments, shape: Shape, rank: int) -> Grid:
    """A row as a layer for so many directions reads it.

    Raises:
        Unfit: the row has more directions, or fewer.
    """
    first = _channels_first(arguments)
    if len(shape) != rank + 1:
        directions = DIRECTIONS[rank]
        raise Unfit(takes("channels", *directions) if first else takes(*directions, "channels"))
    return Grid(shape[1:], shape[0], first) if first else Grid(shape[:-1], shape[-1])


def _channels_first(arguments: Arguments) -> bool:
    # Unsaid, Keras's own setting decides, which is "last" wherever nobody has changed it.
    if arguments.values.get("data_format") is None:
        return False
    return arguments.word("data_format", "channels_last", "channels_first") == "channels_first"


def takes(*lengths: str) -> str:
    """What rows a layer takes, in words."""
    return f"it takes rows of shape ({', '.join(lengths)}{',' * (len(lengths) == 1)})"


def windows(length: int, span: int, stride: int, padding: str) -> int:
    """How many windows fit a length; where it is padded, one for every stride.

    Example:
        >>> windows(28, 3, 1, "valid"), windows(28, 3, 2, "same")
        (26, 14)
    """
    return (length - span) // stride + 1 if padding == "valid" else -(-length // stride)
