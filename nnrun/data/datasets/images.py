"""User images: one folder per class."""

from __future__ import annotations

import hashlib
import io
import math
import os
import struct
import sys
import time
import warnings
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from nnrun.data.splits import draw
from nnrun.errors import DataError
from nnrun.spec import profile
from nnrun.spec.dataset import Images
from nnrun.spec.files import check_memory, content
from nnrun.spec.profile import IMAGE_ENDINGS, IMAGE_FORMATS
from nnrun.spec.text import format_size
from nnrun.spec.validation import Validation
from nnrun.types import Array, Dataset, Split, Streamed, Target

IN_MEMORY = 512 * 2**20
"""Bytes of pixels up to which all rows are kept in memory; more are streamed."""
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
# Larger files or images would fill the memory; no camera makes them.
_MAX_PIXELS = 200_000_000
_MAX_BYTES = 250 * 10**6
# One image of more pixels is decoded at a time, by whatever thread; of each pixel there are up to
# three copies of four bytes.
_LARGE_PIXELS = 20_000_000
_PIXEL_BYTES = 12
_large = Lock()
# All that Pillow raises for damaged images, beside ValueError with its own message.
_DAMAGE = (
    *(OSError, SyntaxError, ArithmeticError, MemoryError, EOFError, LookupError, TypeError),
    *(AttributeError, RuntimeError, AssertionError, struct.error, zlib.error),
)
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
# File managers leave these files in any folder.
_SYSTEM_FILES = frozenset(("thumbs.db", "desktop.ini"))
_PROGRESS_SECONDS = 1.0  # between two updates of the line on a terminal


def images(spec: Images, _validation: Validation | None = None) -> Dataset:
    """Images of shape `(rows, height, width, channels)`, uint8 from 0 to 255.

    Each file is read once before training, so that a damaged one is found at once. Rows are numbered
    in the order of their sorted paths, and shuffled, because that order is by class.

    Raises:
        DataError: a folder cannot be read, or a file in it is not an image.
    """
    folder = Path(spec.path)
    classes = () if spec.reconstructs else _classes(folder)
    files, y = list_images(folder, classes, all_classes=True)
    held_out = tests = None
    if spec.test is None:
        orders = draw(y, spec, classes=classes)
        parts = [([files[row] for row in rows], y[rows]) for rows in orders]
    else:
        # Otherwise the rows would be sorted by class.
        order = np.random.default_rng(spec.seed).permutation(len(files))
        found = [list_images(Path(path), classes) for path in spec.test_files.values()]
        test_files = [file for files, _ in found for file in files]
        test_y = np.concatenate([labels for _, labels in found])
        orders = (order, np.concatenate([np.arange(len(labels)) for _, labels in found]))
        parts = [([files[row] for row in order], y[order]), (test_files, test_y)]
        if len(spec.test_files) > 1 or "" not in spec.test_files:
            tests = np.repeat([*spec.test_files], [len(labels) for _, labels in found])
    if spec.validation is not None:
        held_files, held_y = list_images(Path(spec.validation), classes)
        held_out = np.repeat([False, True], [len(orders[0]), len(held_y)])
        numbers = np.concatenate([orders[0], len(files) + np.arange(len(held_y))])
        orders, (train_files, train_y) = (numbers, orders[1]), parts[0]
        parts[0] = ([*train_files, *held_files], np.concatenate([train_y, held_y]))
    shape = (*spec.image_size, 3 if spec.color_mode == "rgb" else 1)
    readers = [Reader(tuple(paths), shape) for paths, _ in parts]
    # Both splits or none, because one traced function serves them.
    streamed = Reader(tuple(path for reader in readers for path in reader.paths), shape).is_large
    digest = hashlib.sha256(f"{shape}".encode())
    train, test_split = (
        Split(_read_all(reader, digest, streamed=streamed), labels, order)
        for reader, (_, labels), order in zip(readers, parts, orders, strict=True)
    )
    train, test_split = replace(train, held_out=held_out), replace(test_split, tests=tests)
    source = digest.hexdigest()
    target = Target.one_of("class", classes)
    return Dataset(spec.name, train, test_split, target, highest=255.0, source=source)


@dataclass(frozen=True)
class Reader:
    """Reads images by their numbers, resized to one shape."""

    paths: tuple[Path, ...]
    shape: tuple[int, ...]

    def __call__(self, rows: Array) -> Array:
        """Images of shape `(rows, *shape)`, uint8; errors as for `read`."""
        pixels = [pixels for pixels, _ in _threads().map(self.read, rows.tolist())]
        return np.stack(pixels) if pixels else np.empty((0, *self.shape), np.uint8)

    @property
    def is_large(self) -> bool:
        """Whether the images are too large to be kept in memory."""
        return len(self.paths) * math.prod(self.shape) > IN_MEMORY

    @property
    def streamed(self) -> Streamed:
        """The images, read when needed."""
        return Streamed((len(self.paths), *self.shape), self)

    def read(self, row: int) -> tuple[Array, bytes]:
        """An image, and the SHA-256 of its file.

        Raises:
            DataError: it cannot be read, or is not an image.
        """
        path = self.paths[row]
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise ValueError(f"is larger than {format_size(_MAX_BYTES)}")
            data = content(path)
            return _decode(data, self.shape), hashlib.sha256(data).digest()
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
        except ValueError as error:
            raise DataError(f"{path}: {error}") from error


@cache
def _threads() -> ThreadPoolExecutor:
    # Pillow releases Python's lock while it decodes.
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="images")


def _read_all(reader: Reader, digest: hashlib._Hash, *, streamed: bool) -> Array | Streamed:
    """Reads all images once, adds their files to the digest, and keeps them unless streamed."""
    rows = len(reader.paths)
    kept = np.empty((0 if streamed else rows, *reader.shape), np.uint8)

    def read(row: int) -> bytes:
        pixels, checksum = reader.read(row)
        if not streamed:
            kept[row] = pixels
        return checksum

    shown = began = time.monotonic()
    try:
        for number, checksum in enumerate(_threads().map(read, range(rows)), start=1):
            digest.update(checksum)
            if time.monotonic() - shown > _PROGRESS_SECONDS and sys.stderr.isatty():
                shown = time.monotonic()
                print(f"\r{number:,} of {rows:,} images", end="", file=sys.stderr, flush=True)
    finally:
        if shown > began:
            print(file=sys.stderr)
    return reader.streamed if streamed else kept


def mode(shape: tuple[int, ...]) -> str | None:
    """Pillow's mode for images of a shape; None if it has none."""
    return _MODES.get(math.prod(shape[2:]))


def _decode(data: bytes, shape: tuple[int, ...]) -> Array:
    """The content of a file as uint8 of shape `(height, width[, channels])`, rotated as by its EXIF.

    Raises:
        ValueError: it is not an image; with the reason.
    """
    height, width = shape[:2]
    try:
        # Pillow warns about large images; too large ones are an error here.
        with warnings.catch_warnings(action="ignore"):
            image = _open(data)
            # A large JPEG is decoded at reduced size, three times the size needed.
            image.draft(None, (3 * max(height, width),) * 2)
            with _large if math.prod(image.size) > _LARGE_PIXELS else nullcontext():
                image = _convert(ImageOps.exif_transpose(image), mode(shape) or "RGB")
                image = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3)
    except _DAMAGE as error:
        raise ValueError(f"is a damaged image: {error or type(error).__name__}") from error
    return np.asarray(image, np.uint8).reshape(shape)


def _open(data: bytes) -> Image.Image:
    if not data:
        raise ValueError("is empty")
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError:
        raise ValueError(f"is not a {IMAGE_FORMATS} image, despite its name") from None
    except Image.DecompressionBombError:
        raise ValueError("has more pixels than any camera's image") from None
    if math.prod(image.size) > _MAX_PIXELS:
        raise ValueError("has more pixels than any camera's image")
    check_memory(_PIXEL_BYTES * math.prod(image.size))
    return image


def _convert(image: Image.Image, target: str) -> Image.Image:
    """Converts the mode of an image; transparent pixels become white."""
    if image.mode.startswith("I"):
        # Pillow would clip 16 bits at 255.
        values = np.asarray(image)
        values = values if values.dtype == np.uint16 else values.clip(0, 65535)
        pixels = np.empty(values.shape, np.uint8)
        image = Image.fromarray(np.floor_divide(values, 257, out=pixels, casting="unsafe"))
    if target != "RGBA" and image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return image.convert(target)


def _classes(folder: Path) -> tuple[str, ...]:
    if not profile.path_exists(folder):
        raise DataError(f"{folder} does not exist")
    try:
        problem, names = profile.class_folders_problem(folder), profile.class_folders(folder)
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror or error}") from error
    if problem:
        raise DataError(f"{folder}: {problem}")
    return names


def list_images(
    folder: Path, classes: Sequence[str], *, all_classes: bool = False
) -> tuple[list[Path], Array]:
    """The images in the folders of classes, in the order of their names, and their class numbers.

    Without classes, all images in the folder.

    Raises:
        DataError: a file is not an image by its name; there are no images, or with `all_classes`, a
            class has none.
    """
    files = [find_images(folder / name) for name in classes] or [find_images(folder)]
    for name, members in zip(classes, files, strict=False):
        if all_classes and not members:
            raise DataError(f"{folder / name}: holds no image ({IMAGE_FORMATS})")
    if not any(files):
        raise DataError(f"{folder}: holds no image in a folder of a class")
    y = np.repeat(np.arange(len(files), dtype=np.int64), [len(members) for members in files])
    return [path for members in files for path in members], y


def find_images(folder: Path) -> list[Path]:
    """The images in a folder and its subfolders, linked ones too; none if it does not exist.

    Raises:
        DataError: a file is not an image by its name.
    """
    try:
        files = profile.files_within(folder)
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror or error}") from error
    kept = []
    for path in files:
        parts = path.relative_to(folder).parts
        if path.name.lower() in _SYSTEM_FILES or any(part.startswith(".") for part in parts):
            continue
        if path.suffix.lower() not in IMAGE_ENDINGS:
            raise DataError(f"{path}: is no {IMAGE_FORMATS}; leave only images in the folder")
        kept.append(path)
    return kept
