"""Which function loads which data set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np

from nnrun.data import published
from nnrun.errors import DataError
from nnrun.spec import dataset as specs
from nnrun.spec import profile
from nnrun.spec.dataset import Csv, DatasetBase, Images, Npz, Parquet, Text, UserData
from nnrun.types import Array, Dataset, Sequences

# The function has the name that the data set has in a spec. Modules are named, not imported:
# scikit-learn alone takes a second, and who trains on imdb should not wait for it.
MODULES: dict[type[DatasetBase], str] = {
    specs.Imdb: "imdb_reuters",
    specs.Reuters: "imdb_reuters",
    specs.BostonHousing: "housing",
    specs.CaliforniaHousing: "housing",
    specs.Mnist: "mnist",
    specs.FashionMnist: "mnist",
    specs.Cifar10: "cifar",
    specs.Cifar100: "cifar",
    specs.Digits: "scikit_learn",
    specs.Iris: "scikit_learn",
    specs.Wine: "scikit_learn",
    specs.BreastCancer: "scikit_learn",
    specs.Diabetes: "scikit_learn",
    specs.Mnist5k: "mnist",
    Images: "images",
    Csv: "tables",
    Parquet: "tables",
    Text: "texts",
    Npz: "npz",
}


def load(spec: DatasetBase) -> Dataset:
    """Loads a data set, downloading it where it has to be and is not there yet.

    Args:
        spec: the data set and its arguments; `prepare` is not looked at here.

    Returns:
        Its rows as compact as they come: bytes stay bytes, texts stay word indices.

    Raises:
        DataError: it cannot be had, or its arguments leave no row to train or to test on.
    """
    dataset = _loader(spec)(spec)
    check_filled(spec, dataset)
    return dataset


def check_filled(spec: DatasetBase, dataset: Dataset) -> None:
    """Refuses rows of which none are left.

    Raises:
        DataError: with the arguments that have done it.
    """
    for rows, purpose in ((dataset.train, "train"), (dataset.test, "test")):
        if not len(rows):
            raise DataError(f"{spec.name}: {_selection(spec)} leaves no row to {purpose} on")


def missing(spec: DatasetBase) -> tuple[Path, ...]:
    """Where a data set's files are looked for and are not; its words count among them.

    Nothing is downloaded or opened, so this answers offline.
    """
    if isinstance(spec, UserData):
        return tuple(path for path in spec.files if not profile.path_exists(path))
    return tuple(file.path for file in published.of(spec.name) if not file.exists)


def _loader(spec: DatasetBase) -> Callable[[DatasetBase], Dataset]:
    loader: Callable[[DatasetBase], Dataset] = getattr(_module(spec), spec.name)
    return loader


def _module(spec: DatasetBase) -> ModuleType:
    return import_module(f"nnrun.data.datasets.{MODULES[type(spec)]}")


def _selection(spec: DatasetBase) -> str:
    """The arguments that decide how many rows there are, such as `test_split: 0.999`."""
    fields = [name for name in ("maxlen", "test_split") if name in type(spec).model_fields]
    return ", ".join(f"{name}: {getattr(spec, name)}" for name in fields)


# A fingerprint of a data set, so that two runs can tell whether they saw the same rows.


def digest(dataset: Dataset) -> str:
    """SHA-256 over shapes, types and values of all rows, in order; 64 hexadecimal digits.

    Of rows that come from user files, over the fingerprint of these: whether rows are
    read at once or as they are needed must make no difference.
    """
    total = hashlib.sha256()
    if dataset.source is not None:
        total.update(dataset.source.encode())
        total.update(np.concatenate([dataset.train.y, dataset.test.y]).tobytes())
        return total.hexdigest()
    for split in (dataset.train, dataset.test):
        parts = (split.x.values, split.x.offsets) if isinstance(split.x, Sequences) else (split.x,)
        for array in (*parts, split.y):
            total.update(f"{array.dtype.str}{array.shape}".encode())
            total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


# Texts in words again.


def decoded(dataset: Dataset, x: Sequences, rows: Array) -> list[str]:
    """Some texts, in words; a number stays one where no word is known for it."""
    words: Mapping[int, str] = dataset.vocabulary() if dataset.vocabulary else {}
    return [" ".join(words.get(int(index), str(index)) for index in x.row(row)) for row in rows]
