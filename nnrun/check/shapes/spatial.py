"""Shape rules of layers for spatial rows: convolutions, pooling, padding and image augmentation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from nnrun.check.shapes.layer import (
    Arguments,
    IncompatibleShape,
    LayerOutput,
    Shape,
    UnknownShape,
    integer,
    integers,
    known,
    rule,
)

DIMENSIONS = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
"""Names of the spatial dimensions by rank."""


@dataclass(frozen=True)
class FeatureMap:
    """The shape of a spatial row.

    Args:
        lengths: one per spatial dimension.
        channels: their number.
        channels_first: whether the channels come before the spatial dimensions.
    """

    lengths: Shape
    channels: int | None
    channels_first: bool = False

    @property
    def shape(self) -> Shape:
        """As a tuple."""
        if self.channels_first:
            return (self.channels, *self.lengths)
        return (*self.lengths, self.channels)

    def resize(self, change: Callable[..., int], *arguments: tuple[int | None, ...]) -> FeatureMap:
        """The map with every known length changed.

        Args:
            change: computes a new length from the old one and one value of each argument.
            arguments: one value per spatial dimension each.

        Raises:
            IncompatibleShape: a new length is not positive.
        """
        lengths: list[int | None] = []
        names = DIMENSIONS[len(self.lengths)]
        for name, length, *values in zip(names, self.lengths, *arguments, strict=True):
            changed = None if length is None else change(length, *values)
            if changed is not None and changed <= 0:
                raise IncompatibleShape(f"it would leave nothing of the {name} of {length}")
            lengths.append(changed)
        return replace(self, lengths=tuple(lengths))


def feature_map(arguments: Arguments, shape: Shape, rank: int) -> FeatureMap:
    """The input of a layer with `rank` spatial dimensions.

    Raises:
        IncompatibleShape: the row has more or fewer dimensions.
    """
    channels_first = (
        # Without it Keras uses its global setting, which nnrun leaves at `channels_last`.
        arguments.values.get("data_format") is not None
        and arguments.choice("data_format", "channels_last", "channels_first") == "channels_first"
    )
    if len(shape) != rank + 1:
        names = DIMENSIONS[rank]
        expected = ("channels", *names) if channels_first else (*names, "channels")
        raise IncompatibleShape(f"it takes rows of shape ({', '.join(expected)})")
    if channels_first:
        return FeatureMap(shape[1:], shape[0], channels_first=True)
    return FeatureMap(shape[:-1], shape[-1])


SpatialRule = Callable[[int, Arguments, Shape], LayerOutput]


def spatial(
    *names: str, ranks: tuple[int, ...] = (1, 2, 3)
) -> Callable[[SpatialRule], SpatialRule]:
    """Registers a function as the rule of layers for several ranks.

    Args:
        names: with braces for the rank, such as `Conv{}D`.
        ranks: numbers of spatial dimensions.
    """

    def register(function: SpatialRule) -> SpatialRule:
        for rank in ranks:
            rule(*(name.format(rank) for name in names))(partial(function, rank))
        return function

    return register


def window_count(length: int, window: int, stride: int, *, padding: str) -> int:
    """Number of positions of a sliding window.

    Example:
        >>> window_count(28, 3, 1, padding="valid"), window_count(28, 3, 2, padding="same")
        (26, 14)
    """
    return (length - window) // stride + 1 if padding == "valid" else -(-length // stride)


@spatial("Conv{}D", "Convolution{}D")
def _convolution(rank: int, arguments: Arguments, shape: Shape) -> LayerOutput:
    output = _convolve(arguments, shape, rank, causal=rank == 1)
    filters, groups = arguments.size("filters"), arguments.size("groups")
    channels = known(output.channels)
    if filters % groups:
        raise UnknownShape
    if channels % groups:
        raise IncompatibleShape(f"{channels} channels do not divide into {groups} groups")
    weights = _kernel_size(arguments, rank) * (channels // groups) * filters
    return _with_channels(arguments, output, filters, weights)


@spatial("DepthwiseConv{}D", ranks=(1, 2))
def _depthwise_convolution(rank: int, arguments: Arguments, shape: Shape) -> LayerOutput:
    output = _convolve(arguments, shape, rank)
    channels = known(output.channels) * arguments.size("depth_multiplier")
    weights = _kernel_size(arguments, rank) * channels
    return _with_channels(arguments, output, channels, weights)


@spatial("SeparableConv{}D", "SeparableConvolution{}D", ranks=(1, 2))
def _separable_convolution(rank: int, arguments: Arguments, shape: Shape) -> LayerOutput:
    output, filters = _convolve(arguments, shape, rank), arguments.size("filters")
    channels = known(output.channels) * arguments.size("depth_multiplier")
    weights = (_kernel_size(arguments, rank) + filters) * channels
    return _with_channels(arguments, output, filters, weights)


@spatial("Conv{}DTranspose", "Convolution{}DTranspose")
def _transposed_convolution(rank: int, arguments: Arguments, shape: Shape) -> LayerOutput:
    strides, windows = _strides_and_windows(arguments, rank)
    padding = arguments.choice("padding", "valid", "same")
    extra: tuple[int | None, ...] = (None,) * rank
    if arguments.values["output_padding"] is not None:
        extra = integers(arguments.values["output_padding"], rank, minimum=0)
        if any((more or 0) >= stride for more, stride in zip(extra, strides, strict=True)):
            raise UnknownShape

    def new_length(length: int, stride: int, window: int, more: int | None) -> int:
        if padding == "valid":
            more = max(stride - window, 0) if more is None else more
            return integer((length - 1) * stride + window + more)
        if more is None:
            return length * stride
        # Keras accepts an output of length 0, so it is not refused.
        return integer((length - 1) * stride + window % 2 + more)

    row, filters = feature_map(arguments, shape, rank), arguments.size("filters")
    weights = _kernel_size(arguments, rank) * known(row.channels) * filters
    output = row.resize(new_length, strides, windows, extra)
    return _with_channels(arguments, output, filters, weights)


def _convolve(arguments: Arguments, shape: Shape, rank: int, *, causal: bool = False) -> FeatureMap:
    """The input with the lengths of the output."""
    strides, windows = _strides_and_windows(arguments, rank)
    padding = arguments.choice("padding", "valid", "same", *(["causal"] if causal else []))
    row = feature_map(arguments, shape, rank)
    return row.resize(partial(window_count, padding=padding), windows, strides)


def _strides_and_windows(
    arguments: Arguments, rank: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    strides = arguments.sizes("strides", rank)
    dilations = arguments.sizes("dilation_rate", rank)
    if max(strides) > 1 and max(dilations) > 1:
        raise UnknownShape  # some layers refuse both at once, others only when they run
    kernel = arguments.sizes("kernel_size", rank)
    windows = ((size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True))
    return strides, tuple(windows)


def _kernel_size(arguments: Arguments, rank: int) -> int:
    return math.prod(arguments.sizes("kernel_size", rank))


def _with_channels(
    arguments: Arguments, output: FeatureMap, channels: int, weights: int
) -> LayerOutput:
    bias = channels if arguments.flag("use_bias") else 0
    return LayerOutput(replace(output, channels=channels).shape, weights + bias)


@spatial("MaxPooling{}D", "MaxPool{}D", "AveragePooling{}D", "AvgPool{}D")
def _pooling(rank: int, arguments: Arguments, shape: Shape) -> LayerOutput:
    sizes = arguments.sizes("pool_size", rank)
    strides = arguments.sizes("strides", rank) if arguments.values["strides"] else sizes
    padding = arguments.choice("padding", "valid", "same")
    row = feature_map(arguments, shape, rank)
    return LayerOutput(row.resize(partial(window_count, padding=padding), sizes, strides).shape)


@spatial("GlobalMaxPooling{}D", "GlobalMaxPool{}D")
@spatial("GlobalAveragePooling{}D", "GlobalAvgPool{}D")
def _global_pooling(rank: int, arguments: Arguments, shape: Shape) -> LayerOutput:
    lengths = (1,) * rank if arguments.flag("keepdims") else ()
    return LayerOutput(replace(feature_map(arguments, shape, rank), lengths=lengths).shape)


@spatial("AdaptiveMaxPooling{}D", "AdaptiveAveragePooling{}D")
def _adaptive_pooling(rank: int, arguments: Arguments, shape: Shape) -> LayerOutput:
    sizes = arguments.sizes("output_size", rank)
    if len(shape) != rank + 1:
        raise UnknownShape  # Keras builds the layer, but cannot train it
    return LayerOutput(replace(feature_map(arguments, shape, rank), lengths=sizes).shape)


@spatial("ZeroPadding{}D")
def _zero_padding(rank: int, arguments: Arguments, shape: Shape) -> LayerOutput:
    padding = _both_sides(arguments.values["padding"], rank)
    row = feature_map(arguments, shape, rank)
    return LayerOutput(row.resize(lambda length, zeros: length + zeros, padding).shape)


@spatial("Cropping{}D")
def _cropping(rank: int, arguments: Arguments, shape: Shape) -> LayerOutput:
    sides = _both_sides(arguments.values["cropping"], rank)
    row = feature_map(arguments, shape, rank)
    return LayerOutput(row.resize(lambda length, cut: length - cut, sides).shape)


def _both_sides(value: object, rank: int) -> tuple[int, ...]:
    """The sum of both sides of each spatial dimension."""
    if rank == 1:
        return (sum(integers(value, 2, minimum=0)),)
    if not isinstance(value, list):
        return (2 * integer(value, minimum=0),) * rank
    if len(value) != rank:
        raise UnknownShape
    return tuple(sum(integers(side, 2, minimum=0)) for side in value)


@spatial("UpSampling{}D")
def _up_sampling(rank: int, arguments: Arguments, shape: Shape) -> LayerOutput:
    """Repeats every position."""
    # UpSampling1D takes a number, and no list of one number.
    factors = (arguments.size("size"),) if rank == 1 else arguments.sizes("size", rank)
    return LayerOutput(feature_map(arguments, shape, rank).resize(int.__mul__, factors).shape)


@spatial("SpatialDropout{}D")
def _spatial_dropout(rank: int, arguments: Arguments, shape: Shape) -> LayerOutput:
    return LayerOutput(feature_map(arguments, shape, rank).shape)


# Keras builds most image layers for rows that are no images, and fails in training: such rows are
# unknown, not incompatible.


@rule("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomShear")
@rule("RandomContrast", "RandomBrightness", "RandomSharpness", "RandomInvert")
@rule("RandomPosterization", "RandomGaussianBlur", "RandomErasing", "RandomPerspective")
@rule("RandomElasticTransform", "AutoContrast", "Solarization", "MixUp", "CutMix")
def _image_augmentation(arguments: Arguments, shape: Shape) -> LayerOutput:
    return LayerOutput(_image(arguments, shape).shape)


@rule("RandomHue", "RandomSaturation", "RandomColorDegeneration", "RandomColorJitter")
@rule("RandomGrayscale", "RandAugment", "AugMix", "ContrastLimitedAdaptiveHistogramEqualization")
def _color_augmentation(arguments: Arguments, shape: Shape) -> LayerOutput:
    image = _image(arguments, shape)
    if image.channels != 3:
        raise UnknownShape
    return LayerOutput(image.shape)


@rule("Resizing", "CenterCrop")
def _resizing(arguments: Arguments, shape: Shape) -> LayerOutput:
    size = arguments.size("height"), arguments.size("width")
    return LayerOutput(replace(_image(arguments, shape), lengths=size).shape)


def _image(arguments: Arguments, shape: Shape) -> FeatureMap:
    if len(shape) != 3:
        raise UnknownShape
    return feature_map(arguments, shape, 2)
