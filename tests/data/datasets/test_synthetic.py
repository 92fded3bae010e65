"""Synthetic rows have the format of the real ones, for every data set."""

from __future__ import annotations

from dataclasses import replace
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

# The arguments that each kind of user data needs.
OWN: dict[str, dict[str, Any]] = {
    load(path).experiment.dataset.name: load(path).experiment.dataset.model_dump()
    for path in sorted((shipped_folder() / "own").glob("*.yaml"))
}
# The format of these rows is known only from the file.
OPEN = {"csv", "npz", "parquet", "text"}
SYNTHETIC = [name for name in sorted(DATASETS) if name not in OPEN]
VARIANTS: list[dict[str, Any]] = [
    *({"name": name} for name in SYNTHETIC),
    {**OWN["images"], "path": "/nowhere", "classes": 7, "color_mode": "rgb"},
    {"name": "cifar100", "label_mode": "coarse"},
    {"name": "california_housing", "version": "small"},
    {"name": "imdb", "num_words": 1000},
    {"name": "imdb", "maxlen": 10, "skip_top": 20, "start_char": None, "oov_char": None},
    {"name": "reuters", "num_words": 5, "maxlen": 2},
]


def of(value: dict[str, Any]) -> DatasetBase:
    arguments = {**OWN.get(value["name"], {}), **value}
    spec: DatasetBase = TypeAdapter(specs.Dataset).validate_python(arguments)
    return spec


def drawn(value: dict[str, Any], *, train: int = 300, test: int = 200, seed: int = 0) -> Dataset:
    return smoke.draw_rows(of(value), train=train, test=test, seed=seed)


def elements(split: Split) -> np.ndarray[Any, Any]:
    return split.x.values if isinstance(split.x, Sequences) else split.x


@pytest.mark.parametrize("value", VARIANTS, ids=str)
def test_rows_have_the_format_of_the_profile(value: dict[str, Any]) -> None:
    """Every class occurs about equally often."""
    profile, dataset = of(value).profile(), drawn(value)
    x = elements(dataset.train)

    assert (None if isinstance(dataset.train.x, Sequences) else x.shape[1:]) == profile.shape
    assert {"images": "uint8", "texts": "int32", "table": "float64"}[profile.kind] == x.dtype
    assert profile.kind == "table" or x.max() == profile.highest
    assert x.min() >= 0
    assert np.isfinite(x).all()
    for split, rows in ((dataset.train, 300), (dataset.test, 200)):
        assert len(split.x) == len(split.y) == rows
        numbers, counts = np.unique(split.y, return_counts=True)
        assert not profile.classes or numbers.tolist() == [*range(len(profile.classes))]
        assert not profile.classes or np.ptp(counts) <= 1
    assert len(dataset.classes) == len(profile.classes)
    assert dataset.target == replace(profile.target, names=dataset.classes)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_rows_have_the_types_of_the_real_ones(name: str) -> None:
    """If those are cached."""
    if datasets.missing(of({"name": name})):
        pytest.skip(f"{name} is not in the cache of the tests")
    real, synthetic = datasets.load(of({"name": name})), drawn({"name": name})
    for expected, split in ((real.train, synthetic.train), (real.test, synthetic.test)):
        assert type(expected.x) is type(split.x)
        assert elements(expected).dtype == elements(split).dtype
        assert elements(expected).shape[1:] == elements(split).shape[1:]
        assert (expected.y.dtype, expected.y.ndim) == (split.y.dtype, split.y.ndim)
    assert len(real.classes) == len(synthetic.classes)
    assert real.target == replace(synthetic.target, names=real.target.names)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_the_seed_decides_the_rows(name: str) -> None:
    first, again, other = (datasets.digest(drawn({"name": name}, seed=s)) for s in (1, 1, 2))

    assert first == again
    assert first != other
    assert len(drawn({"name": name}, train=0).train) == 0


def test_texts_follow_the_arguments_of_the_spec() -> None:
    """`maxlen` leaves out texts of that length or longer."""
    x = drawn({"name": "imdb", "maxlen": 40}).train.x
    assert isinstance(x, Sequences)
    value = {"name": "imdb", "skip_top": 20, "num_words": 50, "start_char": None, "oov_char": None}
    values = elements(drawn(value).train)

    assert {int(x.row(index)[0]) for index in range(len(x))} == {1}
    assert x.lengths().max() < 40
    assert 2 in x.values
    assert (values.min(), values.max()) == (20, 49)


@pytest.mark.parametrize("name", sorted(OPEN))
def test_rows_known_only_from_a_file_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="only the file says what its rows look like"):
        drawn({"name": name, "path": "/nowhere"})
