"""MaxPooling and AveragePooling, over windows and over everything."""

from __future__ import annotations

from dataclasses import replace

from nnrun.shapes.arguments import Arguments, Unsure
from nnrun.shapes.grid import grid, spatial, windows
from nnrun.shapes.layer import Outcome, Shape


@spatial("MaxPooling{}D", "MaxPool{}D", "AveragePooling{}D", "AvgPool{}D")
def pooled(arguments: Arguments, shape: Shape, rank: int) -> Outcome:
    """One number for each window."""
    sizes = arguments.counts("pool_size", rank)
    strides = arguments.counts("strides", rank) if arguments.values["strides"] else sizes
    padding = arguments.word("padding", "valid", "same")
    row = grid(arguments, shape, rank)
    left = row.each(lambda length, size, by: windows(length, size, by, padding), sizes, strides)
    return Outcome(left.shape)


@spatial("GlobalMaxPooling{}D", "GlobalMaxPool{}D")
@spatial("GlobalAveragePooling{}D", "GlobalAvgPool{}D")
def pooled_over_all(arguments: Arguments, shape: Shape, rank: int) -> Outcome:
    """One number for each channel."""
    keep = arguments.flag("keepdims")
    row = grid(arguments, shape, rank)
    return Outcome(replace(row, lengths=(1,) * rank if keep else ()).shape)


@spatial("AdaptiveMaxPooling{}D", "AdaptiveAveragePooling{}D")
def pooled_to_a_size(arguments: Arguments, shape: Shape, rank: int) -> Outcome:
    """As many windows as are asked for."""
    sizes = arguments.counts("output_size", rank)
    if len(shape) != rank + 1:
        raise Unsure  # Keras lets it stand, and fails when it trains
    row = grid(arguments, shape, rank)
    return Outcome(replace(row, lengths=sizes).shape)
