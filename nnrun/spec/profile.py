"""Facts about rows before they are read, and the class folders of images and texts."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nnrun.spec.prepare import Step, check_steps
from nnrun.spec.text import join_words
from nnrun.types import Target

IMAGE_ENDINGS = frozenset(".png .jpg .jpeg .jfif .bmp .gif .webp".split())
"""Endings of image files."""
IMAGE_FORMATS = "PNG, JPEG, BMP, GIF or WebP"
LARGEST_PIXEL = 255


def path_exists(path: Path) -> bool:
    """Whether a file or folder exists; false for a name that the system rejects."""
    try:
        return path.exists()
    except OSError:
        return False


def class_folders(folder: Path) -> tuple[str, ...]:
    """The sorted names of the folders in a folder; empty if it does not exist."""
    try:
        # A folder may hold many images; `Path.is_dir` would look at each of them.
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir()]
    except FileNotFoundError:
        return ()
    # Hidden folders belong to file managers and version control.
    return tuple(sorted(name for name in names if not name.startswith((".", *_SYSTEM_FOLDERS))))


def unused_images(folder: Path) -> list[Path]:
    """Images beside the class folders, and links to folders that do not exist."""
    try:
        files = sorted(path for path in folder.iterdir() if not path.is_dir())
    except OSError:
        return []
    return [
        path
        for path in files
        if not path.name.startswith(".")
        and (path.suffix.lower() in IMAGE_ENDINGS or not path_exists(path))
    ]


def files_within(folder: Path) -> list[Path]:
    """The sorted files in a folder and its subfolders, linked ones too; OSError if unreadable."""

    def check(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    found: list[Path] = []
    visited = set(map(str, Path(os.path.realpath(folder)).parents))
    for parent, folders, names in os.walk(folder, onerror=check, followlinks=True):
        if (real := os.path.realpath(parent)) in visited:
            # A link to a folder around it, or a second link to the same folder.
            folders.clear()
            continue
        visited.add(real)
        found += [Path(parent, name) for name in names]
    return sorted(found)


def row_folders(folder: Path) -> tuple[Path, Path | None]:
    """The folder with the class folders, perhaps deeper down, and that of the test rows, if any.

    People keep them in `train` and `test`, and in the only folder of an unpacked archive.
    """
    names = {name.lower(): name for name in class_folders(folder)}
    inner = [folder / name for name in names.values()]
    if len(inner) == 1 and len(class_folders(inner[0])) > 1:
        return row_folders(inner[0])
    train, test = ([folder / names[n] for n in known if n in names] for known in _PARTS)
    return (train[0], test[0]) if train and test else (folder, None)


def class_folders_problem(folder: Path) -> str | None:
    """Why the folders in a folder are not the classes to train on, and what to write instead."""
    names, (train, test) = class_folders(folder), row_folders(folder)
    if train != folder:
        listed = join_words(names[:_MAX_NAMES], "and")
        paths = f"path: '{train}'" + (f" and test: '{test}'" if test else "")
        return f"holds {listed}, and the class folders are in it; write {paths}"
    if len(names) < 2:
        count = "1 folder" if len(names) == 1 else f"{len(names)} folders"
        return f"holds {count}, and needs at least two, one per class"
    if all(row_folders(folder / name)[1] for name in names):
        first = names[0]
        return (
            f"holds training and test rows within each class; move them, such as {first}/train to "
            f"train/{first} and {first}/test to test/{first}, and write path: and test:"
        )
    return None


_SYSTEM_FOLDERS = ("__MACOSX", "@eaDir")
# Names of folders for training and test rows, most likely ones first.
_PARTS = (("train", "training"), ("test", "testing", "val", "valid", "validation"))
_MAX_NAMES = 5  # folders that a message lists

Kind = Literal["images", "table", "texts"]


@dataclass(frozen=True)
class Profile:
    """Facts about the rows of a dataset, available before they are read.

    Args:
        name: of the dataset.
        train, test: numbers of rows; None where they depend on the rows.
        shape: of one row; None for texts, which differ in length.
        target: the meaning of a label.
        highest: the largest pixel, or the largest word index of a dataset of words.
        numbers: the columns of numbers beside columns of codes.
        scale: root mean square of the values to predict.
        shares: whether all values to predict lie between 0 and 1.
        uneven: whether some column varies ten times as much as another.
        open: whether shape and classes are known only after reading the rows.
    """

    name: str
    kind: Kind
    train: int | None
    test: int | None
    shape: tuple[int, ...] | None
    target: Target = field(default_factory=Target)
    highest: int = LARGEST_PIXEL
    numbers: tuple[str, ...] = ()
    scale: float = 0.0
    shares: bool = False
    uneven: bool = False
    open: bool = False

    @property
    def classes(self) -> tuple[str, ...] | range:
        """The names of the classes, or their numbers; empty unless each row has one class."""
        return self.target.classes

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
