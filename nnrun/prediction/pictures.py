"""Pictures in files, brought into the form of those that a run was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnrun import pictures
from nnrun.appearance import edge
from nnrun.datasets.images import Reader, listed, within
from nnrun.errors import CommandError
from nnrun.prediction.raw import Raw
from nnrun.prediction.subject import Subject
from nnrun.records import Array, Inputs
from nnrun.spec import folders

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


def in_folder(folder: Path, subject: Subject) -> Asked:
    """The pictures in a folder, labelled where all folders in it have names of classes.

    Raises:
        CommandError: there are none.
        DataError: a file in it is no picture by its name.
    """
    try:
        inside = folders.classes(folder)
    except OSError as error:
        raise CommandError(f"{folder}: cannot be read: {error.strerror or error}") from error
    if inside and {*inside} <= {*subject.classes}:
        return Asked(*listed(folder, subject.classes))
    if paths := within(folder):
        return Asked(paths)
    raise CommandError(f"{folder}: holds no picture ({folders.PICTURES})")


def read(asked: Asked, subject: Subject, *, invert: bool | None) -> Raw:
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
    if pictures.mode(looks.shape) is None:
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
