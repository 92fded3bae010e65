"""Conv, ConvTranspose, SeparableConv and DepthwiseConv in all their directions."""

from __future__ import annotations

import math

from nnrun.shapes.arguments import Arguments, Unsure, whole, wholes
from nnrun.shapes.grid import Grid, grid, spatial, windows
from nnrun.shapes.layer import Outcome, Shape, Unfit, known


@spatial("Conv{}D", "Convolution{}D")
def conv(arguments: Arguments, shape: Shape, rank: int) -> Outcome:
    """A kernel over all channels of a group."""
    row = _convolved(arguments, shape, rank, *(["causal"] if rank == 1 else []))
    filters, groups = arguments.count("filters"), arguments.count("groups")
    channels = known(row.channels)
    if filters % groups:
        raise Unsure
    if channels % groups:
        raise Unfit(f"{channels} channels do not divide into {groups} groups")
    weights = _kernel(arguments, rank) * (channels // groups) * filters
    return Outcome(row.of(filters).shape, weights + _bias(arguments, filters))


@spatial("DepthwiseConv{}D", ranks=(1, 2))
def depthwise(arguments: Arguments, shape: Shape, rank: int) -> Outcome:
    """Kernels of its own for each channel."""
    row = _convolved(arguments, shape, rank)
    channels = known(row.channels) * arguments.count("depth_multiplier")
    weights = _kernel(arguments, rank) * channels
    return Outcome(row.of(channels).shape, weights + _bias(arguments, channels))


@spatial("SeparableConv{}D", "SeparableConvolution{}D", ranks=(1, 2))
def separable(arguments: Arguments, shape: Shape, rank: int) -> Outcome:
    """Each channel by itself, then all channels at each point."""
    row, filters = _convolved(arguments, shape, rank), arguments.count("filters")
    channels = known(row.channels) * arguments.count("depth_multiplier")
    weights = _kernel(arguments, rank) * channels + channels * filters
    return Outcome(row.of(filters).shape, weights + _bias(arguments, filters))


@spatial("Conv{}DTranspose", "Convolution{}DTranspose")
def transposed(arguments: Arguments, shape: Shape, rank: int) -> Outcome:
    """A convolution backwards: from what comes out to what went in."""
    strides, spans = _steps(arguments, rank)
    padding = arguments.word("padding", "valid", "same")
    extra = _output_padding(arguments, strides)
    row = grid(arguments, shape, rank)
    channels, filters = known(row.channels), arguments.count("filters")

    def spread(length: int, stride: int, span: int, more: int | None) -> int:
        # Keras lets a row stand of which nothing is left.
        return whole(_spread(length, stride, span, more, padding))

    weights = _kernel(arguments, rank) * channels * filters + _bias(arguments, filters)
    return Outcome(row.each(spread, strides, spans, extra).of(filters).shape, weights)


def _convolved(arguments: Arguments, shape: Shape, rank: int, *paddings: str) -> Grid:
    """A row after a kernel has passed over it, with the channels that it had."""
    strides, spans = _steps(arguments, rank)
    padding = arguments.word("padding", "valid", "same", *paddings)
    row = grid(arguments, shape, rank)
    return row.each(lambda length, span, by: windows(length, span, by, padding), spans, strides)


def _steps(arguments: Arguments, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How far a kernel moves, and how far it reaches."""
    strides = arguments.counts("strides", rank)
    dilations = arguments.counts("dilation_rate", rank)
    if max(strides) > 1 and max(dilations) > 1:
        raise Unsure  # some layers refuse both at once, others only when they run
    kernel = arguments.counts("kernel_size", rank)
    spans = ((size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True))
    return strides, tuple(spans)


def _kernel(arguments: Arguments, rank: int) -> int:
    return math.prod(arguments.counts("kernel_size", rank))


def _bias(arguments: Arguments, channels: int) -> int:
    return channels if arguments.flag("use_bias") else 0


def _output_padding(arguments: Arguments, strides: tuple[int, ...]) -> tuple[int | None, ...]:
    """What is added to each length; None where Keras decides."""
    if arguments.values["output_padding"] is None:
        return (None,) * len(strides)
    extra = wholes(arguments.values["output_padding"], len(strides), least=0)
    if any(more >= stride for more, stride in zip(extra, strides, strict=True)):
        raise Unsure
    return extra


def _spread(length: int, stride: int, span: int, more: int | None, padding: str) -> int:
    if padding == "valid":
        return (length - 1) * stride + span + (max(stride - span, 0) if more is None else more)
    return length * stride if more is None else (length - 1) * stride + span % 2 + more
