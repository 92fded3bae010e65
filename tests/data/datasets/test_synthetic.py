"""Made-up rows are of the same kind as the real ones, for every data set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from nnrun.cli.specs import shipped_folder
from nnrun.data import datasets
from nnrun.errors import DataError
from nnrun.experiment import smoke
from nnrun.spec import dataset as specs
from nnrun.spec.dataset import DATASETS, DatasetBase
from nnrun.spec.loading import load
from nnrun.types import Dataset, Sequences, Split

NAMES = sorted(DATASETS)
# What a kind of a person's own data needs to be said.
OWN: dict[str, dict[str, Any]] = {
    load(path).experiment.dataset.name: load(path).experiment.dataset.model_dump()
    for path in sorted((shipped_folder() / "own").glob("*.yaml"))
}
# Of these only the file says what its rows look like.
OPEN = {"csv", "npz", "parquet", "text"}
DRAWN = [name for name in NAMES if name not in OPEN]
VARIANTS: list[dict[str, Any]] = [
    *({"name": name} for name in DRAWN),
    {**OWN["images"], "path": "/nowhere", "classes": 7, "color_mode": "rgb"},
    {"name": "cifar100", "label_mode": "coarse"},
    {"name": "california_housing", "version": "small"},
    {"name": "imdb", "num_words": 1000},
    {"name": "imdb", "maxlen": 10, "skip_top": 20, "start_char": None, "oov_char": None},
    {"name": "reuters", "num_words": 5, "maxlen": 2},
]
every_variant = pytest.mark.parametrize("value", VARIANTS, ids=str)


def of(value: dict[str, Any]) -> DatasetBase:
    known = {**OWN.get(value["name"], {}), **value}
    spec: DatasetBase = TypeAdapter(specs.Dataset).validate_python(known)
    return spec


def drawn(value: dict[str, Any], *, train: int = 300, test: int = 200, seed: int = 0) -> Dataset:
    return smoke.draw_rows(of(value), train=train, test=test, seed=seed)


def elements(split: Split) -> np.ndarray[Any, Any]:
    return split.x.values if isinstance(split.x, Sequences) else split.x


@every_variant
def test_there_are_as_many_rows_as_asked_for(value: dict[str, Any]) -> None:
    dataset = drawn(value)

    assert [len(split.x) for split in (dataset.train, dataset.test)] == [300, 200]
    assert [len(split.y) for split in (dataset.train, dataset.test)] == [300, 200]


@every_variant
def test_rows_have_the_shape_and_range_of_the_profile(value: dict[str, Any]) -> None:
    known, dataset = of(value).profile(), drawn(value)
    x = elements(dataset.train)

    shape = None if isinstance(dataset.train.x, Sequences) else x.shape[1:]
    assert shape == known.shape
    assert {"images": "uint8", "texts": "int32", "table": "float64"}[known.kind] == x.dtype
    assert known.kind == "table" or x.max() == known.highest
    assert x.min() >= 0
    assert np.isfinite(x).all()


@every_variant
def test_every_class_of_the_profile_occurs_about_equally_often(value: dict[str, Any]) -> None:
    known, dataset = of(value).profile(), drawn(value)
    for split in (dataset.train, dataset.test):
        numbers, rows = np.unique(split.y, return_counts=True)

        assert known.classes == range(0) or numbers.tolist() == list(known.classes)
        assert known.classes == range(0) or np.ptp(rows) <= 1
    assert len(dataset.classes) == len(known.classes)
    assert dataset.target == known.target


@pytest.mark.parametrize("name", DRAWN)
def test_rows_are_of_the_type_and_shape_of_the_real_ones(name: str) -> None:
    """Where those are at hand."""
    if datasets.missing(of({"name": name})):
        pytest.skip(f"{name} is not in the cache of the tests")
    real, made_up = datasets.load(of({"name": name})), drawn({"name": name})
    for theirs, ours in ((real.train, made_up.train), (real.test, made_up.test)):
        assert type(theirs.x) is type(ours.x)
        assert elements(theirs).dtype == elements(ours).dtype
        assert elements(theirs).shape[1:] == elements(ours).shape[1:]
        assert (theirs.y.dtype, theirs.y.ndim) == (ours.y.dtype, ours.y.ndim)
    assert len(real.classes) == len(made_up.classes)
    assert real.target == made_up.target


@pytest.mark.parametrize("name", DRAWN)
def test_equal_seeds_give_equal_rows(name: str) -> None:
    first, again, other = (datasets.digest(drawn({"name": name}, seed=s)) for s in (1, 1, 2))

    assert first == again
    assert first != other


def test_texts_begin_with_their_mark_and_are_short_enough() -> None:
    """`maxlen` leaves out texts of that length or longer."""
    x = drawn({"name": "imdb", "maxlen": 40}).train.x
    assert isinstance(x, Sequences)

    assert {int(x.row(index)[0]) for index in range(len(x))} == {1}
    assert x.lengths().max() < 40
    assert 2 in x.values


def test_no_word_is_one_that_the_spec_leaves_out() -> None:
    value = {"name": "imdb", "skip_top": 20, "num_words": 50, "start_char": None, "oov_char": None}
    values = elements(drawn(value).train)

    assert (values.min(), values.max()) == (20, 49)


@pytest.mark.parametrize("name", sorted(OPEN))
def test_rows_that_only_a_file_describes_are_not_made_up(name: str) -> None:
    with pytest.raises(DataError, match="only the file says what its rows look like"):
        drawn({"name": name, "path": "/nowhere"})


@pytest.mark.parametrize("name", DRAWN)
def test_no_rows_are_none(name: str) -> None:
    """An argument may leave none, which is said elsewhere."""
    assert len(drawn({"name": name}, train=0).train) == 0
