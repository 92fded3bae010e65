"""Files that a person names: pictures or a folder of them, or one table, or one archive."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnrun.analysis.predict import inputs, tables
from nnrun.analysis.predict.inputs import Raw
from nnrun.analysis.predict.trained import TrainedRun
from nnrun.data import datasets
from nnrun.data.datasets import images
from nnrun.data.datasets.images import Reader, listed, within
from nnrun.data.input_schema import edge
from nnrun.errors import CommandError, DataError
from nnrun.runs import arrays
from nnrun.spec import profile
from nnrun.spec.profile import IMAGE_ENDINGS
from nnrun.types import Array, Dataset, Inputs, Sequences

# Pictures in files, brought into the form of those that a run was trained on.

# Shares of the brightest pixel, from which the edge of a picture is called dark or light.
_DARK, _LIGHT = 0.25, 0.75
_BRIGHTEST = 255


@dataclass(frozen=True)
class Asked:
    """Files of pictures.

    Args:
        paths: of all of them.
        y: class numbers, shape `(paths,)`, where they lie in a folder per class.
    """

    paths: Sequence[Path]
    y: Array | None = None


def named(paths: Sequence[Path]) -> Asked:
    """Pictures that are named one by one."""
    return Asked(paths)


def in_folder(folder: Path, subject: TrainedRun) -> Asked:
    """The pictures in a folder, labelled where all folders in it have names of classes.

    Raises:
        CommandError: there are none.
        DataError: a file in it is no picture by its name.
    """
    try:
        inside = profile.class_folders(folder)
    except OSError as error:
        raise CommandError(f"{folder}: cannot be read: {error.strerror or error}") from error
    if inside and {*inside} <= {*subject.classes}:
        return Asked(*listed(folder, subject.classes))
    if paths := within(folder):
        return Asked(paths)
    raise CommandError(f"{folder}: holds no picture ({profile.IMAGE_FORMATS})")


def read_images(asked: Asked, subject: TrainedRun, *, invert: bool | None) -> Raw:
    """Pictures to be predicted, of any size.

    Args:
        asked: the files.
        subject: says height, width and channels.
        invert: whether light and dark are exchanged; None where that is to be seen: where grey
            training pictures have dark edges and a picture has light ones, or the other way round.

    Raises:
        CommandError: the run does not take pictures.
        DataError: a file is none.
    """
    looks = subject.looks
    if looks.kind != "images" or looks.highest is None or looks.edge is None:
        raise CommandError(
            f"{subject.run.path} was trained on {subject.name}, which has no pictures"
        )
    if images.mode(looks.shape) is None:
        raise CommandError(f"no picture has the {looks.shape[2]} channels that the run takes")
    reader = Reader(tuple(asked.paths), looks.shape)
    if reader.is_large and looks.highest == _BRIGHTEST and not invert:
        return Raw(tuple(map(str, asked.paths)), reader.streamed, asked.y)
    x = reader(np.arange(len(asked.paths)))
    turned = _turned(x, looks.edge, invert)
    x[turned] = _BRIGHTEST - x[turned]
    which = [str(asked.paths[row]) for row in np.flatnonzero(turned).tolist()]
    notices = _inverted(which if invert is None else [], dark=looks.edge < _DARK)
    return Raw(tuple(map(str, asked.paths)), _scaled(x, looks.highest), asked.y, notices=notices)


def _turned(x: Array, usual: float, invert: bool | None) -> Array:
    """Which pictures have light and dark exchanged."""
    in_colour = x.ndim == 4 and x.shape[-1] > 1
    if invert is None and not in_colour:
        return np.array([_is_other(usual, edge(each[None]) / _BRIGHTEST) for each in x])
    return np.full(len(x), bool(invert))


def _scaled(x: Array, highest: float) -> Inputs:
    """Bytes, or where the training pictures are less bright than bytes can be, floats."""
    return x if highest == _BRIGHTEST else x * np.float32(highest / _BRIGHTEST)


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


# NumPy archives with an array `x`, and maybe an array `y` of labels.


def read_archive(path: Path, subject: TrainedRun) -> Raw:
    """Rows to be predicted; nothing in the file is ever run.

    Raises:
        CommandError: it is no such archive, or its rows are others than the run takes.
    """
    if subject.looks.kind == "texts":
        raise CommandError(f"{path}: the run takes texts; a CSV brings them in a column `text`")
    try:
        found = arrays.load(inputs.content(path))
    except ValueError as error:
        raise CommandError(f"{path}: cannot be read: {error}") from error
    if "x" not in found:
        names = ", ".join(sorted(found)) or "nothing"
        raise CommandError(f"{path}: holds no array `x`, but {names}")
    x = _rows(path, found["x"], subject.looks.shape)
    y = _labels(path, found["y"], len(x), subject) if "y" in found else None
    return Raw(tuple(f"{path}[{row}]" for row in range(len(x))), x, y)


def _rows(path: Path, x: Array, shape: tuple[int, ...]) -> Array:
    if x.shape[1:] != shape or not len(x):
        wanted = f"(rows, {', '.join(map(str, shape))})"
        raise CommandError(f"{path}: x has the shape {x.shape}, and must have {wanted}")
    _check_numbers(path, "x", x)
    # Bytes stay bytes; of other numbers TensorFlow knows neither every width nor every byte order.
    return x if x.dtype == np.uint8 else x.astype(np.float64)


def _labels(path: Path, y: Array, rows: int, subject: TrainedRun) -> Array:
    if y.shape not in ((rows,), (rows, 1)):
        raise CommandError(f"{path}: y has the shape {y.shape}, and must have ({rows},)")
    y = y.reshape(rows)
    if subject.classes and y.dtype.kind in "US":
        names = [str(name) for name in y.tolist()]
        return inputs.labels(names, subject.classes, [f"{path}: y[{row}]" for row in range(rows)])
    _check_numbers(path, "y", y)
    if not subject.classes:
        return y.astype(np.float64)
    last = len(subject.classes) - 1
    if (y != np.floor(y)).any() or y.min() < 0 or y.max() > last:
        raise CommandError(f"{path}: y holds other numbers than those of the classes, 0 to {last}")
    return y.astype(np.int64)


def _check_numbers(path: Path, name: str, values: Array) -> None:
    if values.dtype.kind not in "biuf" or not np.isfinite(values).all():
        raise CommandError(f"{path}: {name} holds what is no number")


_ALL = f"{', '.join(sorted(IMAGE_ENDINGS))}, .csv or .npz"


def read(paths: Sequence[Path], subject: TrainedRun, *, invert: bool | None = None) -> Raw:
    """Rows to be predicted.

    Args:
        paths: of the files, or of one folder.
        subject: the run that is asked.
        invert: as of `pictures.read`.

    Raises:
        CommandError: a file is of no such kind, or not what its name says.
    """
    endings = {path.suffix.lower() for path in paths}
    is_folder = len(paths) == 1 and paths[0].is_dir()
    if endings <= IMAGE_ENDINGS or is_folder:
        # Pillow is needed for nothing else.

        asked = in_folder(paths[0], subject) if is_folder else named(paths)
        return read_images(asked, subject, invert=invert)
    if len(paths) > 1:
        raise CommandError(
            "several files can be named where all are pictures; name one file or folder"
        )
    if endings == {".csv"}:
        return tables.read_table(paths[0], subject)
    if endings == {".npz"}:
        return read_archive(paths[0], subject)
    raise CommandError(f"{paths[0]}: the name must end in {_ALL}")


# Rows of the test set that a run was tested on.

_RANGE = re.compile(r"(\d{0,9})(:?)(\d{0,9})", re.ASCII)


@dataclass(frozen=True)
class Range:
    """Some rows, as a slice of Python takes them: from `start` up to but without `stop`."""

    start: int
    stop: int | None

    @classmethod
    def of(cls, text: str) -> Range:
        """A range as it is written, `0:20`, `20:`, or `7` for one row.

        Raises:
            CommandError: it is none, or an empty one.
        """
        found = _RANGE.fullmatch(text)
        if not found or text == "":
            raise CommandError(f"--rows '{text}': must look like 0:20, or 7 for one row")
        start = int(found[1] or 0)
        stop = int(found[3]) if found[3] else None if found[2] else start + 1
        if stop is not None and stop <= start:
            raise CommandError(f"--rows '{text}': holds no row, as the first comes after the last")
        return cls(start, stop)


def read_test_rows(subject: TrainedRun, wanted: Range) -> Raw:
    """Rows of the test set with their labels.

    Raises:
        DataError: the data cannot be had, or are not those of the run.
        CommandError: there are no such rows.
    """
    dataset = _same(subject)
    test = dataset.test
    if wanted.start >= len(test):
        raise CommandError(f"the test set ends with row {len(test) - 1:,}")
    rows = np.arange(len(test))[wanted.start : wanted.stop]
    texts = tuple(datasets.decoded(dataset, test.x, rows)) if isinstance(test.x, Sequences) else ()
    return Raw(tuple(map(str, rows)), _taken(test.x, rows), test.y[rows], texts)


def all_test_rows(subject: TrainedRun) -> Raw:
    """The whole test set; errors as of `read`."""
    test = _same(subject).test
    return Raw(tuple(map(str, range(len(test)))), test.x, test.y)


def _same(subject: TrainedRun) -> Dataset:
    """The data set, being the one that the run was trained on."""
    dataset = datasets.load(subject.spec.dataset)
    if datasets.digest(dataset) != subject.run.record().data_digest:
        raise DataError(
            f"{subject.name}: its rows are not those that {subject.run.path} was trained and "
            "tested on"
        )
    return dataset


def _taken(x: Inputs, rows: Array) -> Inputs:
    """A stretch of rows."""
    if not isinstance(x, Sequences):
        return x[rows]
    offsets = x.offsets[rows[0] : rows[-1] + 2]
    return Sequences(x.values[offsets[0] : offsets[-1]], offsets - offsets[0])
