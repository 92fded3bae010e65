"""Files of pictures as pixels: one way to read them, for training and for prediction."""

from __future__ import annotations

import io
import math
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from nnrun.records import Array
from nnrun.spec.folders import PICTURES

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
# More pixels than any camera has would fill the memory.
_MOST_PIXELS = 200_000_000
_CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}


def mode(shape: tuple[int, ...]) -> str | None:
    """Pillow's word for the channels of pictures of a shape; None where there is none."""
    return _CHANNELS.get(math.prod(shape[2:]))


def pixels(content: bytes, shape: tuple[int, ...]) -> Array:
    """A picture of the wanted shape, uint8, upright as its camera was held.

    Args:
        content: of a file.
        shape: `(height, width)` or `(height, width, channels)` of 1, 3 or 4 channels.

    Raises:
        ValueError: it is none that can be read; says why.
    """
    height, width = shape[:2]
    try:
        # Of a picture that is large Pillow warns, and of one that is too large this tells.
        with warnings.catch_warnings(action="ignore"):
            picture = _opened(content)
            # Of a JPEG far too large not all is unpacked, but three times what is wanted.
            picture.draft(None, (3 * max(height, width),) * 2)
            picture = ImageOps.exif_transpose(picture)
            picture = _flat(picture, mode(shape) or "RGB")
            picture = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3)
    except (OSError, SyntaxError, ArithmeticError, MemoryError) as error:
        raise ValueError(f"is a damaged picture: {error}") from error
    return np.asarray(picture, np.uint8).reshape(shape)


def _opened(content: bytes) -> Image.Image:
    if not content:
        raise ValueError("is empty")
    try:
        picture = Image.open(io.BytesIO(content), formats=_FORMATS)
    except UnidentifiedImageError:
        raise ValueError(f"is no {PICTURES} picture, whatever its name says") from None
    except Image.DecompressionBombError:
        raise ValueError("has more pixels than any camera's picture") from None
    if math.prod(picture.size) > _MOST_PIXELS:
        raise ValueError("has more pixels than any camera's picture")
    return picture


def _flat(picture: Image.Image, wanted: str) -> Image.Image:
    """In the wanted channels; what is transparent lies on white, as on a page."""
    if picture.mode.startswith("I"):
        # Pillow would cut 16 bits at 255.
        sixteen = np.asarray(picture, np.float64) / 257
        picture = Image.fromarray(sixteen.clip(0, 255).astype(np.uint8))
    if wanted != "RGBA" and picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return picture.convert(wanted)
