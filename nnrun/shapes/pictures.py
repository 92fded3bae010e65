"""The layers that change pictures before a network sees them.

Keras refuses a row that is no picture only while it trains, so no row is refused here.
"""

from __future__ import annotations

from dataclasses import replace

from nnrun.shapes.arguments import Arguments, Unsure
from nnrun.shapes.grid import grid
from nnrun.shapes.layer import Outcome, Shape, rule


@rule("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomShear")
@rule("RandomContrast", "RandomBrightness", "RandomHue", "RandomSaturation", "RandomSharpness")
@rule("RandomGrayscale", "RandomInvert", "RandomPosterization", "RandomColorJitter")
@rule("RandomColorDegeneration", "RandomGaussianBlur", "RandomErasing", "RandomPerspective")
@rule("RandomElasticTransform", "AutoContrast", "Solarization")
def changed(_arguments: Arguments, shape: Shape) -> Outcome:
    """A picture of the same size."""
    _picture(shape)
    return Outcome(shape)


@rule("Resizing", "CenterCrop")
def resized(arguments: Arguments, shape: Shape) -> Outcome:
    """A picture of the size that is told."""
    size = arguments.count("height"), arguments.count("width")
    _picture(shape)
    return Outcome(replace(grid(arguments, shape, 2), lengths=size).shape)


def _picture(shape: Shape) -> None:
    if len(shape) != 3:
        raise Unsure
