"""Reads a plot back."""

from __future__ import annotations

from pathlib import Path

from matplotlib import image

from nnrun.errors import RunError

PNG = b"\x89PNG\r\n\x1a\n"


def size(path: Path) -> tuple[int, int]:
    """Width and height of a picture in pixels; all of it is decoded.

    Raises:
        RunError: the file is no PNG, or a part of it is missing.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(PNG)) != PNG:
                raise ValueError("it is no PNG")
        pixels = image.imread(path, format="png")
    except (OSError, ValueError, SyntaxError) as error:
        # The library behind Matplotlib calls broken pictures a SyntaxError.
        raise RunError(f"{path}: cannot be read: {error}") from error
    return pixels.shape[1], pixels.shape[0]
