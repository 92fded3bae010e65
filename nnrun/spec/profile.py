"""Facts about rows before they are read, from a quick look at CSV files and folders.

Used by `check`, which loads neither NumPy nor pandas.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nnrun.spec.prepare import Step, check_steps

IMAGE_ENDINGS = frozenset(".png .jpg .jpeg .bmp .gif .webp".split())
"""Endings of image files."""
IMAGE_FORMATS = "PNG, JPEG, BMP, GIF or WebP"


def path_exists(path: Path) -> bool:
    """Whether a file or folder exists; false for a name that the system rejects."""
    try:
        return path.exists()
    except OSError:
        return False


def class_folders(folder: Path) -> tuple[str, ...]:
    """The sorted names of the folders in a folder; empty if it does not exist."""
    try:
        names = [path.name for path in folder.iterdir() if path.is_dir()]
    except FileNotFoundError:
        return ()
    # Hidden folders belong to file managers and version control.
    return tuple(sorted(name for name in names if not name.startswith(".")))


Kind = Literal["images", "table", "texts"]


@dataclass(frozen=True)
class Profile:
    """Facts about the rows of a dataset, available before they are read.

    Args:
        name: of the dataset.
        train, test: numbers of rows; None where they depend on the rows.
        shape: of one row; None for texts, which differ in length.
        classes: their numbers; empty for a regression.
        target: meaning of a label.
        highest: the largest pixel, or the largest word index of a dataset of words.
        uneven: whether some column varies ten times as much as another.
        open: whether shape and classes are known only after reading the rows.
    """

    name: str
    kind: Kind
    train: int | None
    test: int | None
    shape: tuple[int, ...] | None
    classes: Sequence[int] = range(0)
    target: str = "class"
    highest: int = 255
    uneven: bool = False
    open: bool = False

    @property
    def is_regression(self) -> bool:
        """Whether the labels are certainly values."""
        return not self.open and not self.classes

    def shape_after(self, steps: Sequence[Step]) -> tuple[int, ...] | None:
        """The shape of one row after some steps, if known; IncompatibleSpec if a step does not fit."""
        check_steps(steps, texts=self.kind == "texts")
        shape = self.shape
        for step in steps:
            shape = step.shape_after(shape or ())
        return shape


def split_index(rows: int, test_split: float) -> int:
    """The first row kept for testing, rounded as in Keras."""
    return int(rows * (1 - test_split))


def split_in_order(rows: int, test_split: float) -> tuple[int, int]:
    """Numbers of training and test rows, as Keras splits them."""
    train = split_index(rows, test_split)
    return train, rows - train


def split_at_random(rows: int, test_split: float) -> tuple[int, int]:
    """Numbers of training and test rows, as scikit-learn splits them."""
    test = math.ceil(rows * test_split)
    return rows - test, test
