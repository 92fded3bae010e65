"""Rows from files of any kind, and test rows."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nnrun.analysis.predict import inputs, tables
from nnrun.analysis.predict.inputs import Raw
from nnrun.analysis.predict.trained import TrainedRun
from nnrun.data import datasets
from nnrun.data.datasets import images
from nnrun.data.input_schema import edge
from nnrun.errors import CommandError, DataError
from nnrun.runs import arrays
from nnrun.spec import profile
from nnrun.spec.arrays import encode as encode_labels
from nnrun.spec.csv_format import has_csv_name
from nnrun.spec.labels import are_numbers
from nnrun.spec.profile import IMAGE_ENDINGS, LARGEST_PIXEL
from nnrun.spec.text import number_name
from nnrun.types import Array, Dataset, Sequences, Split

# Brightness of an edge as a share of the largest pixel, below or above which it is dark or light.
_DARK, _LIGHT = 0.25, 0.75
_RANGE = re.compile(r"(\d{0,9})(:?)(\d{0,9})", re.ASCII)


def read(paths: Sequence[Path], subject: TrainedRun, *, invert: bool | None = None) -> Raw:
    """Rows to be predicted.

    Args:
        paths: of the files, or of one folder.
        subject: the run.
        invert: whether light and dark are swapped in images. By default they are swapped in grey
            images with light edges if the training images have dark edges, or the reverse.

    Raises:
        CommandError: a file is of no known kind, or cannot be read.
        DataError: a file does not have the content that its name promises.
    """
    endings = {path.suffix.lower() for path in paths}
    first = paths[0]
    if len(paths) == 1 and first.is_dir():
        return _read_images(*_in_folder(first, subject), subject, invert=invert)
    if endings <= IMAGE_ENDINGS:
        return _read_images(paths, None, subject, invert=invert)
    if len(paths) > 1:
        raise CommandError("only images can be given as several files; give one file or folder")
    if has_csv_name(first) or endings == {".parquet"}:
        return tables.read_table(first, subject)
    if endings <= {".npz", ".npy"}:
        return _read_archive(first, subject)
    known = f"{', '.join(sorted(IMAGE_ENDINGS))}, .csv, .tsv, .parquet, .npz or .npy"
    raise CommandError(f"{first}: the name must end in {known}")


def _in_folder(folder: Path, subject: TrainedRun) -> tuple[list[Path], Array | None]:
    """The images in a folder, with labels if all its subfolders are named after classes."""
    try:
        names = profile.class_folders(folder)
    except OSError as error:
        raise CommandError(f"{folder}: cannot be read: {error.strerror or error}") from error
    if names and {*names} <= {*subject.classes}:
        return images.list_images(folder, subject.classes)
    if paths := images.find_images(folder):
        return paths, None
    raise CommandError(f"{folder}: holds no image ({profile.IMAGE_FORMATS})")


def _read_images(
    paths: Sequence[Path], y: Array | None, subject: TrainedRun, *, invert: bool | None
) -> Raw:
    schema, names = subject.schema, tuple(map(str, paths))
    if schema.kind != "images" or schema.highest is None or schema.edge is None:
        raise CommandError(f"{subject.run.path} was trained on {subject.name}, which has no images")
    if images.mode(schema.shape) is None:
        raise CommandError(f"the run takes {schema.shape[2]} channels, and images have 1, 3 or 4")
    reader = images.Reader(tuple(paths), schema.shape)
    may_invert = invert is None and (len(schema.shape) == 2 or schema.shape[-1] == 1)
    if reader.is_large and schema.highest == LARGEST_PIXEL and not invert and not may_invert:
        return Raw(names, reader.streamed, y)
    x = reader(np.arange(len(paths)))
    notices = []
    swapped = np.full(len(x), bool(invert))
    if may_invert:
        swapped = np.array([_is_opposite(schema.edge, edge(image[None])) for image in x])
        if swapped.any():
            which = [names[row] for row in np.flatnonzero(swapped)]
            sides = ("dark", "light") if schema.edge < _DARK else ("light", "dark")
            notices.append(
                f"inverted {which[0] if len(which) == 1 else f'{len(which)} images'}: the "
                f"training images have {sides[0]} edges, not {sides[1]} ones; --no-invert "
                "leaves images as they are"
            )
    x[swapped] = LARGEST_PIXEL - x[swapped]
    if schema.highest != LARGEST_PIXEL:
        x = x * np.float32(schema.highest / LARGEST_PIXEL)
    return Raw(names, x, y, notices=tuple(notices))


def _is_opposite(training_edge: float, pixel: float) -> bool:
    """Whether one has dark edges and the other light ones."""
    image_edge = pixel / LARGEST_PIXEL
    return (training_edge < _DARK and image_edge > _LIGHT) or (
        training_edge > _LIGHT and image_edge < _DARK
    )


def _read_archive(path: Path, subject: TrainedRun) -> Raw:
    """Rows of an array, or of an archive with `x` and perhaps labels `y`; pickles are refused."""
    if subject.schema.kind == "texts":
        raise CommandError(f"{path}: the run takes texts; give a CSV file with a column `text`")
    try:
        values = arrays.load(_as_archive(inputs.content(path)))
    except ValueError as error:
        raise CommandError(f"{path}: cannot be read: {error}") from error
    if "x" not in values:
        names = ", ".join(sorted(values)) or "nothing"
        raise CommandError(f"{path}: holds no array `x`, but {names}")
    x, shape = values["x"], subject.schema.shape
    if x.shape[1:] != shape or not len(x):
        expected = f"(rows, {', '.join(map(str, shape))})"
        raise CommandError(f"{path}: x has the shape {x.shape}, and must have {expected}")
    _check_numbers(path, "x", x)
    # TensorFlow does not know every width and byte order of other numbers.
    x = x if x.dtype == np.uint8 else x.astype(np.float64)
    y = (
        _labels(path, values["y"], len(x), subject)
        if "y" in values and subject.target.kind != "inputs"
        else None
    )
    return Raw(tuple(f"{path}[{row}]" for row in range(len(x))), x, y)


def _as_archive(content: bytes) -> bytes:
    """The content of a file of arrays; a single one, as `numpy.save` writes it, becomes `x`."""
    if not content.startswith(np.lib.format.MAGIC_PREFIX):
        return content
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as members:
        members.writestr("x.npy", content)
    return buffer.getvalue()


def _labels(path: Path, y: Array, rows: int, subject: TrainedRun) -> Array:
    shape = (rows, *subject.target.shape)
    if y.shape not in (shape, (*shape, 1)):
        raise CommandError(f"{path}: y has the shape {y.shape}, and must have {shape}")
    y = y.reshape(shape)
    if subject.classes and y.dtype.kind in "US":
        names = [str(name) for name in y.tolist()]
        return inputs.parse_labels(names, subject.classes, lambda row: f"{path}: y[{row}]")
    _check_numbers(path, "y", y)
    if subject.target.shape:
        try:
            return encode_labels(y, subject.target)
        except ValueError as error:
            raise CommandError(f"{path}: {error}") from error
    if not subject.classes:
        return y.astype(np.float64)
    place = f"{path}: y"
    if are_numbers(subject.classes):
        # Also booleans become numbers.
        cells = [number_name(str(label)) for label in (y * 1).tolist()]
        return inputs.parse_labels(cells, subject.classes, lambda row: f"{place}[{row}]")
    if subject.spec.dataset.positive_class is not None:
        raise CommandError(f"{place} holds numbers; write the names of the classes instead")
    last = len(subject.classes) - 1
    if (y != np.floor(y)).any() or y.min() < 0 or y.max() > last:
        raise CommandError(f"{path}: y holds other numbers than those of the classes, 0 to {last}")
    return y.astype(np.int64)


def _check_numbers(path: Path, name: str, values: Array) -> None:
    if values.dtype.kind not in "biuf" or not np.isfinite(values).all():
        raise CommandError(f"{path}: {name} has values that are not finite numbers")


def parse_range(text: str) -> slice:
    """A range of rows such as `0:20`, `20:`, or `7` for one row.

    Raises:
        CommandError: it is not a range, or an empty one.
    """
    match = _RANGE.fullmatch(text)
    if not match or text == "":
        raise CommandError(f"--rows '{text}': must look like 0:20, or 7 for one row")
    start = int(match[1] or 0)
    stop = int(match[3]) if match[3] else None if match[2] else start + 1
    if stop is not None and stop <= start:
        raise CommandError(f"--rows '{text}': holds no row, as the first comes after the last")
    return slice(start, stop)


def read_test_rows(subject: TrainedRun, rows: slice) -> Raw:
    """Rows of the test set with their labels.

    Raises:
        DataError: the data are missing, or are not those of the run.
        CommandError: there are no such rows.
    """
    dataset = _dataset(subject)
    x, y = dataset.test.x, dataset.test.y
    numbers = np.arange(len(y))[rows]
    if not len(numbers):
        raise CommandError(f"the test set ends with row {len(y) - 1:,}")
    names = tuple(map(str, numbers))
    texts = datasets.decoded(dataset, x, numbers) if isinstance(x, Sequences) else ()
    return Raw(names, x[numbers], y[numbers], tuple(texts))


def all_test_rows(subject: TrainedRun) -> Raw:
    """The whole test set; errors as for `read_test_rows`."""
    return of_split(_dataset(subject).test)


def of_split(split: Split) -> Raw:
    """All rows of a split, with their labels."""
    names = tuple(map(str, range(len(split))))
    return Raw(names, split.x, split.y, test_sets=split.test_sets)


def _dataset(subject: TrainedRun) -> Dataset:
    """The data set, if it is the one that the run was trained on."""
    dataset = datasets.load(subject.spec.dataset, subject.spec.validation)
    if datasets.digest(dataset) != subject.run.record().data_digest:
        raise DataError(
            f"{subject.name}: its rows are not those that {subject.run.path} was trained and "
            "tested on"
        )
    return dataset
