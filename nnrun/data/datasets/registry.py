"""Loads the data set of a spec with the function of its name in the module `loader`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np

from nnrun.check import training
from nnrun.data import published
from nnrun.errors import DataError
from nnrun.spec import profile
from nnrun.spec.dataset import DatasetBase, OwnData, UserData
from nnrun.spec.targets import INPUTS
from nnrun.spec.validation import Validation
from nnrun.types import Array, Dataset, Input, NamedInputs, Sequences, Target, Windows


def load(spec: DatasetBase, validation: Validation | None = None) -> Dataset:
    """Loads a data set, and downloads its files if they are missing.

    Args:
        spec: the data set and its arguments; `prepare` is not applied.
        validation: if it depends on the order of rows, the last rows of user data test.

    Returns:
        Its rows in a compact form: bytes stay bytes, texts stay word indices.

    Raises:
        DataError: a file is missing or wrong, or the arguments leave no row to train or to test on.
        IncompatibleSpec: the positive class is not one of two classes.
    """
    # scikit-learn alone takes a second to import, which other data sets do not need.
    module = import_module(f"nnrun.data.datasets.{spec.loader}")
    loader = module.load if isinstance(spec, OwnData) else getattr(module, spec.name)
    dataset: Dataset = loader(spec, validation) if isinstance(spec, UserData) else loader(spec)
    check_filled(spec, dataset)
    return with_inputs_as_labels(dataset) if spec.reconstructs else _with_positive(spec, dataset)


def with_inputs_as_labels(dataset: Dataset) -> Dataset:
    """The data set with its inputs in place of labels, which are not stored twice."""
    train, test = (
        replace(split, y=np.zeros((len(split), 0), np.float32))
        for split in (dataset.train, dataset.test)
    )
    return replace(dataset, train=train, test=test, target=Target(INPUTS, "inputs"))


def _with_positive(spec: DatasetBase, dataset: Dataset) -> Dataset:
    """The data set with the positive class as class 1."""
    positive = spec.positive_class
    for problem in training.positive_problems(positive, dataset.classes):
        raise problem
    if positive is None or training.number(positive, dataset.classes) == 1:
        return dataset
    train, test = (replace(split, y=1 - split.y) for split in (dataset.train, dataset.test))
    target = replace(dataset.target, names=dataset.classes[::-1])
    return replace(dataset, train=train, test=test, target=target)


def check_filled(spec: DatasetBase, dataset: Dataset) -> None:
    """Checks that there are rows to train and to test on.

    Raises:
        DataError: with the arguments that select rows, such as `test_split: 0.999`.
    """
    fields = [name for name in ("maxlen", "test_split") if name in type(spec).model_fields]
    arguments = ", ".join(f"{name}: {getattr(spec, name)}" for name in fields)
    for rows, purpose in ((dataset.train, "train"), (dataset.test, "test")):
        if not len(rows):
            raise DataError(f"{spec.name}: {arguments} leaves no row to {purpose} on")


def missing(spec: DatasetBase) -> tuple[Path, ...]:
    """The paths of a data set's missing files; nothing is downloaded or opened."""
    if isinstance(spec, UserData):
        return tuple(path for path in spec.files if not profile.path_exists(path))
    return tuple(file.path for file in published.of(spec.name) if not file.exists)


def digest(dataset: Dataset) -> str:
    """SHA-256 over shapes, types and values of all rows, in order: equal for the same rows.

    For user files, over their own digest, which is the same for rows in memory and streamed rows.
    """
    total = hashlib.sha256()
    if dataset.source is not None:
        total.update(dataset.source.encode())
        total.update(np.concatenate([dataset.train.y, dataset.test.y]).tobytes())
        return total.hexdigest()
    for split in (dataset.train, dataset.test):
        inputs = split.x.parts.values() if isinstance(split.x, NamedInputs) else (split.x,)
        parts = [part for x in inputs for part in _arrays(x)]
        weights = () if split.weights is None else (split.weights,)
        for array in (*parts, split.y, *weights):
            total.update(f"{array.dtype.str}{array.shape}".encode())
            total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def _arrays(x: Input) -> tuple[Array, ...]:
    if isinstance(x, Windows):
        return x.table, x.starts, x.offsets
    return (x.values, x.offsets) if isinstance(x, Sequences) else (x[:],)


def decoded(dataset: Dataset, x: Sequences, rows: Array) -> list[str]:
    """Rows of word indices as text; an index without a word stays a number."""
    words: Mapping[int, str] = dataset.vocabulary() if dataset.vocabulary else {}
    return [" ".join(words.get(int(index), str(index)) for index in x.row(row)) for row in rows]
