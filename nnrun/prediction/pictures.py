"""PNG and JPEG files, brought into the form of the pictures that a run was trained on."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from nnrun.appearance import edge
from nnrun.errors import CommandError
from nnrun.prediction.raw import Raw, content
from nnrun.prediction.subject import Subject
from nnrun.records import Array

# More pixels than any camera has would fill the memory.
_MOST_PIXELS = 200_000_000
# Shares of the brightest pixel, from which the edge of a picture is called dark or light.
_DARK, _LIGHT = 0.25, 0.75
_CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}


def read(paths: Sequence[Path], subject: Subject, *, invert: bool | None) -> Raw:
    """Pictures to be predicted, of any size.

    Args:
        paths: of the files.
        subject: says height, width and channels.
        invert: whether light and dark are exchanged; None where that is to be seen: where the
            training pictures have dark edges and a picture has light ones, or the other way round.

    Raises:
        CommandError: the run does not take pictures, or a file is none.
    """
    looks = subject.looks
    if looks.kind != "images" or looks.highest is None or looks.edge is None:
        raise CommandError(
            f"{subject.run.path} was trained on {subject.name}, which has no pictures"
        )
    shares = np.stack([_share(path, looks.shape) for path in paths])
    if invert is None:
        turned = np.array([_is_other(looks.edge, edge(each[None])) for each in shares])
    else:
        turned = np.full(len(shares), invert)
    shares[turned] = 1 - shares[turned]
    names = [str(paths[row]) for row in np.flatnonzero(turned).tolist()] if invert is None else []
    notices = _inverted(names, dark=looks.edge < _DARK)
    return Raw(tuple(map(str, paths)), shares * np.float32(looks.highest), notices=notices)


def _share(path: Path, shape: tuple[int, ...]) -> Array:
    """A picture of the wanted shape, float32 from 0 to 1.

    Raises:
        CommandError: it is none that can be read.
    """
    height, width, *channels = shape
    mode = _CHANNELS.get(math.prod(channels))
    if mode is None:
        raise CommandError(f"no picture has the {channels[0]} channels that the run takes")
    try:
        # Of a picture that is large Pillow warns, and of one that is too large this tells.
        with warnings.catch_warnings(action="ignore"):
            picture = _opened(path)
            picture = _flat(ImageOps.exif_transpose(picture), mode)
            picture = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3)
    except (OSError, ValueError, SyntaxError, ArithmeticError, MemoryError) as error:
        raise CommandError(f"{path}: is a damaged picture: {error}") from error
    return (np.asarray(picture, np.float32) / 255).reshape(shape)


def _opened(path: Path) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(content(path)), formats=("PNG", "JPEG"))
    except UnidentifiedImageError:
        raise CommandError(f"{path}: is neither PNG nor JPEG, whatever its name says") from None
    except Image.DecompressionBombError:
        raise CommandError(f"{path}: has more pixels than any camera's picture") from None
    if math.prod(picture.size) > _MOST_PIXELS:
        raise CommandError(f"{path}: has more pixels than any camera's picture")
    return picture


def _flat(picture: Image.Image, mode: str) -> Image.Image:
    """In the wanted channels; what is transparent lies on white, as on a page."""
    if picture.mode.startswith("I"):
        # Pillow would cut 16 bits at 255.
        sixteen = np.asarray(picture, np.float64) / 257
        picture = Image.fromarray(sixteen.clip(0, 255).astype(np.uint8))
    if mode != "RGBA" and picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return picture.convert(mode)


def _is_other(edge: float, found: float) -> bool:
    """Whether one has dark edges and the other light ones."""
    return (edge < _DARK and found > _LIGHT) or (edge > _LIGHT and found < _DARK)


def _inverted(names: Sequence[str], *, dark: bool) -> tuple[str, ...]:
    if not names:
        return ()
    these, those = ("dark", "light") if dark else ("light", "dark")
    which = names[0] if len(names) == 1 else f"{len(names)} pictures"
    reason = f"the training pictures have {these} edges, not {those} ones"
    return (f"inverted {which}: {reason}; --no-invert leaves pictures as they are",)
