"""The layers that leave the shape of a row as it is and have nothing to learn."""

from __future__ import annotations

from nnrun.shapes.arguments import Arguments, Unsure
from nnrun.shapes.grid import grid, spatial
from nnrun.shapes.layer import Outcome, Shape, rule


@rule("Identity", "Masking", "ActivityRegularization")
@rule("Activation", "ReLU", "LeakyReLU", "ELU", "Softmax")
@rule("Dropout", "GaussianDropout", "AlphaDropout", "GaussianNoise")
def unchanged(_arguments: Arguments, shape: Shape) -> Outcome:
    """Any row."""
    return Outcome(shape)


@spatial("SpatialDropout{}D")
def unchanged_in_space(arguments: Arguments, shape: Shape, rank: int) -> Outcome:
    """Whole channels are dropped, so it has to be known where they are."""
    return Outcome(grid(arguments, shape, rank).shape)


@rule("Rescaling")
def rescaled(arguments: Arguments, shape: Shape) -> Outcome:
    """By numbers; a list of them could widen a row."""
    for name in ("scale", "offset"):
        if not isinstance(arguments.values[name], (int, float)):
            raise Unsure
    return Outcome(shape)
