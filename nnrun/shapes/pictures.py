"""The layers that change pictures before a network sees them.

Keras refuses most rows that are no pictures only when it trains, so no row is refused here.
"""

from __future__ import annotations

from dataclasses import replace

from nnrun.shapes.arguments import Arguments, Unsure
from nnrun.shapes.grid import Grid, grid
from nnrun.shapes.layer import Outcome, Shape, rule


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
