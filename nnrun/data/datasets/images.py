"""User pictures: a folder per class."""

from __future__ import annotations

import hashlib
import io
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from nnrun.data.splits import draw
from nnrun.errors import DataError
from nnrun.spec import profile
from nnrun.spec.dataset import Images
from nnrun.spec.profile import IMAGE_FORMATS
from nnrun.spec.text import format_size
from nnrun.types import Array, Dataset, Split, Streamed

# What a terminal shows while many files are read.

PATIENCE = 1.0
"""Seconds after which a person wants to know how far it is, and how often after that."""


@contextmanager
def counted(things: str, total: int) -> Iterator[Callable[[int], None]]:
    """Within it, one line on a terminal says how many are done; gives what is to be told of that.

    Args:
        things: what they are, such as `pictures`.
        total: how many.
    """
    told = time.monotonic()
    shown = False

    def count(done: int) -> None:
        nonlocal told, shown
        if sys.stderr.isatty() and time.monotonic() - told > PATIENCE:
            told, shown = time.monotonic(), True
            print(f"\r{done:,} of {total:,} {things}", end="", file=sys.stderr, flush=True)

    try:
        yield count
    finally:
        if shown:
            # What is said next begins on a line of its own.
            print(file=sys.stderr)


# Files of pictures as pixels: one way to read them, for training and for prediction.

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
        raise ValueError(f"is no {IMAGE_FORMATS} picture, whatever its name says") from None
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


IN_MEMORY = 512 * 2**20
"""Bytes of pixels up to which all rows are kept in memory; more are streamed."""
# File managers leave them in any folder.
_LITTER = frozenset(("thumbs.db", "desktop.ini"))
# Of a file; what is larger would fill the memory.
_LARGEST = 250 * 10**6
# So many files are handed to the threads together.
_HANDFUL = 512

Labelled = tuple[Sequence[Path], Array]
"""Files, and the class of each by its number."""


def images(spec: Images) -> Dataset:
    """Pictures of shape `(rows, height, width, channels)`, uint8 from 0 to 255.

    Each is read once before any is trained on, so that one that is damaged is found at once.

    Raises:
        DataError: a folder cannot be read, or what is in it is no picture.
    """
    names, parts = _divided(spec)
    shape = (*spec.image_size, 3 if spec.color_mode == "rgb" else 1)
    readers = [Reader(tuple(paths), shape) for paths, _ in parts]
    # Both or neither, because one traced function serves them.
    streamed = Reader(tuple(path for each in readers for path in each.paths), shape).is_large
    total = hashlib.sha256(f"{shape}".encode())
    found = [_read(reader, total, streamed=streamed) for reader in readers]
    train, test = (Split(x, y) for x, (_, y) in zip(found, parts, strict=True))
    source = total.hexdigest()
    return Dataset(spec.name, train, test, classes=names, highest=255.0, source=source)


@dataclass(frozen=True)
class Reader:
    """Reads pictures by their numbers.

    Args:
        paths: of all of them.
        shape: to which each is brought.
    """

    paths: tuple[Path, ...]
    shape: tuple[int, ...]

    def __call__(self, rows: Array) -> Array:
        """Pictures of shape `(rows, *shape)`, uint8.

        Raises:
            DataError: a file cannot be read, or is no picture.
        """
        found = [pixels for pixels, _ in _threads().map(self.read, rows.tolist())]
        return np.stack(found) if found else np.empty((0, *self.shape), np.uint8)

    @property
    def is_large(self) -> bool:
        """Whether its pictures are more than are kept in memory."""
        return len(self.paths) * math.prod(self.shape) > IN_MEMORY

    @property
    def streamed(self) -> Streamed:
        """Its pictures, read as they are needed."""
        return Streamed((len(self.paths), *self.shape), self)

    def read(self, row: int) -> tuple[Array, bytes]:
        """A picture, and the SHA-256 of its file; errors as above."""
        path = self.paths[row]
        try:
            content = _content(path)
            return pixels(content, self.shape), hashlib.sha256(content).digest()
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
        except ValueError as error:
            raise DataError(f"{path}: {error}") from error


def _content(path: Path) -> bytes:
    # A pipe that nobody writes to would be waited for.
    if path.exists() and not path.is_file():
        raise ValueError("is no file")
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"is larger than {format_size(_LARGEST)}")
    return path.read_bytes()


@cache
def _threads() -> ThreadPoolExecutor:
    # Pillow lets go of Python's lock while it unpacks.
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="pictures")


def _read(reader: Reader, total: hashlib._Hash, *, streamed: bool) -> Array | Streamed:
    """Reads all pictures once, adds their files to the fingerprint, and keeps them or not."""
    shape = (len(reader.paths), *reader.shape)
    kept = np.empty((0 if streamed else shape[0], *reader.shape), np.uint8)

    def take(row: int) -> bytes:
        pixels, fingerprint = reader.read(row)
        if not streamed:
            kept[row] = pixels
        return fingerprint

    with counted("pictures", shape[0]) as count:
        for start in range(0, shape[0], _HANDFUL):
            rows = range(start, min(start + _HANDFUL, shape[0]))
            for fingerprint in _threads().map(take, rows):
                total.update(fingerprint)
            count(rows.stop)
    return reader.streamed if streamed else kept


def _divided(spec: Images) -> tuple[tuple[str, ...], list[Labelled]]:
    """The names of the classes, and the pictures to train and to test on."""
    names = _classes(Path(spec.path))
    files, y = listed(Path(spec.path), names, all_classes=True)
    if spec.test is None:
        drawn = draw(np.arange(len(files)), y, spec, classes=names)
        return names, [([files[row] for row in np.asarray(part.x)], part.y) for part in drawn]
    # As they lie in folders, a class would come after the other.
    order = np.random.default_rng(spec.seed).permutation(len(files))
    return names, [([files[row] for row in order], y[order]), listed(Path(spec.test), names)]


def _classes(folder: Path) -> tuple[str, ...]:
    try:
        names = profile.class_folders(folder)
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror or error}") from error
    if not profile.path_exists(folder):
        raise DataError(f"{folder} is not there")
    if len(names) < 2:
        raise DataError(
            f"{folder}: each class needs a folder, and there are {len(names)}; two are the least"
        )
    return names


def listed(folder: Path, names: Sequence[str], *, all_classes: bool = False) -> Labelled:
    """The pictures of a folder per class, in the order of their names, and their classes.

    Args:
        folder: holds a folder for each class.
        names: of the classes.
        all_classes: whether each must have pictures; else there must be some of any.

    Raises:
        DataError: a file is no picture by its name, or pictures are missing.
    """
    found = [within(folder / name) for name in names]
    for name, files in zip(names, found, strict=True):
        if all_classes and not files:
            raise DataError(f"{folder / name}: holds no picture ({profile.IMAGE_FORMATS})")
    if not any(found):
        raise DataError(f"{folder}: holds no picture in a folder of a class")
    y = np.repeat(np.arange(len(names), dtype=np.int64), [len(files) for files in found])
    return [path for files in found for path in files], y


def within(folder: Path) -> list[Path]:
    """The pictures in a folder and in those below; none where there is no such folder.

    Raises:
        DataError: a file is no picture by its name.
    """
    try:
        inside = sorted(each for each in folder.rglob("*") if not each.is_dir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror or error}") from error
    kept = [path for path in inside if not _is_litter(path.relative_to(folder))]
    for path in kept:
        if path.suffix.lower() not in profile.IMAGE_ENDINGS:
            raise DataError(
                f"{path}: is no {profile.IMAGE_FORMATS}; leave only pictures in the folder"
            )
    return kept


def _is_litter(path: Path) -> bool:
    """Whether a file is a system's own: hidden, in a hidden folder, or left by a file manager."""
    return path.name.lower() in _LITTER or any(part.startswith(".") for part in path.parts)
