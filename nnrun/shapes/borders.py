"""ZeroPadding, Cropping and UpSampling: what lies around a row, and how large its points are."""

from __future__ import annotations

from nnrun.shapes.arguments import Arguments, Unsure, whole, wholes
from nnrun.shapes.grid import grid, spatial
from nnrun.shapes.layer import Outcome, Shape


@spatial("ZeroPadding{}D")
def padded(arguments: Arguments, shape: Shape, rank: int) -> Outcome:
    """More points on every side."""
    sides = _sides(arguments, "padding", rank)
    row = grid(arguments, shape, rank)
    return Outcome(row.each(lambda length, more: length + more, sides).shape)


@spatial("Cropping{}D")
def cropped(arguments: Arguments, shape: Shape, rank: int) -> Outcome:
    """Fewer points on every side."""
    sides = _sides(arguments, "cropping", rank)
    row = grid(arguments, shape, rank)
    return Outcome(row.each(lambda length, less: length - less, sides).shape)


@spatial("UpSampling{}D")
def repeated(arguments: Arguments, shape: Shape, rank: int) -> Outcome:
    """Every point several times."""
    # In one direction Keras takes a number, and no list of one.
    one = rank == 1
    times = (arguments.count("size"),) if one else arguments.counts("size", rank)
    return Outcome(grid(arguments, shape, rank).each(int.__mul__, times).shape)


def _sides(arguments: Arguments, name: str, rank: int) -> tuple[int, ...]:
    """The points on both sides of each direction together."""
    value = arguments.values[name]
    if rank == 1:
        return (sum(wholes(value, 2, least=0)),)
    if not isinstance(value, list):
        return (2 * whole(value, least=0),) * rank
    if len(value) != rank:
        raise Unsure
    return tuple(sum(wholes(each, 2, least=0)) for each in value)
