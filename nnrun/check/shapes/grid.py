"""Rows that lie in space: one length in each of one to three directions, and channels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from nnrun.check.shapes.layer import (
    RULES,
    Arguments,
    Outcome,
    Rule,
    Shape,
    Unfit,
    Unsure,
    known,
    rule,
    whole,
    wholes,
)

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


# Conv, ConvTranspose, SeparableConv and DepthwiseConv in all their directions.


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


# MaxPooling and AveragePooling, over windows and over everything.


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


# ZeroPadding, Cropping and UpSampling: what lies around a row, and how large its points are.


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


# The layers that change pictures before a network sees them.
#
# Keras refuses most rows that are no pictures only when it trains, so no row is refused here.


@rule("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomShear")
@rule("RandomContrast", "RandomBrightness", "RandomSharpness", "RandomInvert")
@rule("RandomPosterization", "RandomGaussianBlur", "RandomErasing", "RandomPerspective")
@rule("RandomElasticTransform", "AutoContrast", "Solarization")
def changed(arguments: Arguments, shape: Shape) -> Outcome:
    """A picture of the same size."""
    return Outcome(_picture(arguments, shape).shape)


@rule("RandomHue", "RandomSaturation", "RandomColorDegeneration", "RandomColorJitter")
@rule("RandomGrayscale")
def coloured(arguments: Arguments, shape: Shape) -> Outcome:
    """A picture of the same size, in red, green and blue."""
    picture = _picture(arguments, shape)
    if picture.channels != 3:
        raise Unsure
    return Outcome(picture.shape)


@rule("Resizing", "CenterCrop")
def resized(arguments: Arguments, shape: Shape) -> Outcome:
    """A picture of the size that is told."""
    size = arguments.count("height"), arguments.count("width")
    return Outcome(replace(_picture(arguments, shape), lengths=size).shape)


def _picture(arguments: Arguments, shape: Shape) -> Grid:
    if len(shape) != 3:
        raise Unsure
    return grid(arguments, shape, 2)
