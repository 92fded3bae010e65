"""PNG and JPEG files, brought into the form of the pictures that a run was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nnrun import pictures
from nnrun.appearance import edge
from nnrun.errors import CommandError
from nnrun.prediction.raw import Raw, content
from nnrun.prediction.subject import Subject
from nnrun.records import Array

# Shares of the brightest pixel, from which the edge of a picture is called dark or light.
_DARK, _LIGHT = 0.25, 0.75


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
    if pictures.mode(shape) is None:
        raise CommandError(f"no picture has the {shape[2]} channels that the run takes")
    try:
        return pictures.pixels(content(path), shape).astype(np.float32) / 255
    except ValueError as error:
        raise CommandError(f"{path}: {error}") from error


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
