"""A person's own data: `dataset` with a path."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from nnrun.spec.dataset_base import DatasetBase, Fraction, Seed
from nnrun.spec.tree import Node, mapping

Location = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f]+$")]


class Own(DatasetBase):
    """What all data of a person's own take."""

    path: Location
    """Where the data are; relative to the file in which this stands."""
    test: Location | None = None
    """Where the rows to test on are; without it, some are drawn from those of `path`."""
    test_split: Fraction = 0.2
    """Share of the rows drawn for testing, in proportion to the classes."""
    seed: Seed = 113
    """Order of the rows."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files or folders that are to be there."""
        return tuple(Path(each) for each in (self.path, self.test) if each)


class Images(Own):
    """Pictures of your own, PNG, JPEG, BMP, GIF or WebP: one folder per class, under one folder."""

    name: Literal["images"]
    image_size: Annotated[tuple[PositiveInt, PositiveInt], Field(strict=False)]
    """Height and width to which every picture is brought."""
    color_mode: Literal["rgb", "grayscale"] = "rgb"
    """In colour, or grey."""
    classes: Annotated[int, Field(ge=2)] | None = None
    """How many there are, so that a spec can be checked where the folder is not; else counted."""


class Table(Own):
    """What all tables of a person's own take."""

    target: Annotated[str, Field(min_length=1)]
    """The column that is to be predicted."""
    features: tuple[str, ...] | None = Field(None, strict=False)
    """The columns that it is predicted from; by default all others."""
    task: Literal["classification", "regression"] | None = None
    """By default words are classes, and numbers are values."""
    categories: Literal["one_hot", "codes"] = "one_hot"
    """What becomes of words: a column of 0 and 1 for each, or one number, for an `Embedding`."""


class Csv(Table):
    """A table of your own in a CSV file, UTF-8, with a header."""

    name: Literal["csv"]
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """Between the cells of a line."""


class Parquet(Table):
    """A table of your own in a Parquet file; needs the extra `parquet`."""

    name: Literal["parquet"]


class Npz(Own):
    """Arrays of your own in an npz file: `x_train`, `y_train`, `x_test`, `y_test`; or `x`, `y`."""

    name: Literal["npz"]
    task: Literal["classification", "regression"] | None = None
    """By default whole numbers are classes, and others are values."""


class Text(Own):
    """Texts of your own: a column of a CSV file, or .txt files in a folder per class."""

    name: Literal["text"]
    text: Annotated[str, Field(min_length=1)] = "text"
    """The column of the texts."""
    target: Annotated[str, Field(min_length=1)] = "label"
    """The column of the classes."""
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """Between the cells of a line."""


PATHS = ("path", "test")
"""The arguments that are paths."""


def located(root: Node, *, given: Collection[str]) -> Node:
    """A spec whose data have paths from the root of the file system on.

    Args:
        root: of the spec.
        given: sources that are no files; what stands there is relative to the working directory.
    """
    dataset = root.child("dataset")
    if dataset is None or not isinstance(dataset.value, dict):
        return root
    children = {
        key: _absolute(node, given=given) if key in PATHS else node
        for key, node in dataset.value.items()
    }
    assert isinstance(root.value, dict)
    return mapping({**root.value, "dataset": mapping(children, dataset)}, root)


def _absolute(node: Node, *, given: Collection[str]) -> Node:
    if not isinstance(node.value, str) or not node.value or "\0" in node.value:
        return node
    folder = Path() if node.place.source in given else Path(node.place.source).parent
    wanted = folder / node.value
    # Somebody who is not known here has no `~`, and a link to itself leads nowhere.
    with suppress(RuntimeError):
        wanted = folder / Path(node.value).expanduser()
        wanted = wanted.resolve()
    return replace(node, value=str(wanted.absolute()))
