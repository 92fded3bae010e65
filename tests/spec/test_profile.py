"""The profile of a data set agrees with its rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from nnrun.cli import specs
from nnrun.data import datasets, preprocessing
from nnrun.errors import IncompatibleSpec
from nnrun.spec.dataset import DATASETS, Dataset, DatasetBase, UserData
from nnrun.spec.loading import load
from nnrun.types import Sequences

OWN = sorted((specs.shipped_folder() / "own").glob("*.yaml"))
VARIANTS: list[dict[str, Any]] = [
    *({"name": name} for name, cls in DATASETS.items() if not issubclass(cls, UserData)),
    *(load(path).experiment.dataset.model_dump() for path in OWN),
    {"name": "cifar100", "label_mode": "coarse"},
    {"name": "california_housing", "version": "small"},
    {"name": "reuters", "num_words": 1000, "test_split": 0.35},
    {"name": "reuters", "maxlen": 100},
    {"name": "reuters", "index_from": 0, "start_char": 0},
    {"name": "reuters", "num_words": 1000, "oov_char": 1000},
    {"name": "reuters", "num_words": 1000, "oov_char": None, "start_char": 2000},
    {"name": "reuters", "num_words": 1000, "skip_top": 30, "start_char": 5, "oov_char": 7000},
    {"name": "reuters", "start_char": None, "oov_char": 90_000},
    *({"name": name, "test_split": 0.33} for name in ("digits", "iris", "boston_housing")),
]


def parse(value: dict[str, Any]) -> DatasetBase:
    spec: DatasetBase = TypeAdapter(Dataset).validate_python(value)
    return spec


@pytest.mark.parametrize("value", VARIANTS, ids=str)
def test_a_profile_agrees_with_the_rows(value):
    profile = parse(value).profile()
    if datasets.missing(parse(value)):
        pytest.skip(f"{value['name']} is not in the cache")
    dataset = datasets.load(parse(value))
    x = dataset.train.x

    assert not profile.open
    assert len(profile.target.names) == len(dataset.target.names)
    assert replace(profile.target, names=()) == replace(dataset.target, names=())
    assert profile.train in (None, len(dataset.train))
    assert profile.test in (None, len(dataset.test))
    assert (profile.train is None) == ("maxlen" in value or value["name"] in {"images", "text"})
    if isinstance(x, Sequences):
        assert (profile.kind, profile.shape) == ("texts", None)
        highest = max(int(part.x.values.max()) for part in (dataset.train, dataset.test))
        assert profile.highest == highest or "maxlen" in value or "path" in value
        return
    assert profile.shape == x.shape[1:]
    # Whether arrays of a user are pixels is not known.
    assert profile.kind == ("images" if x.ndim > 2 and value["name"] != "npz" else "table")
    if profile.kind == "images":
        assert profile.highest == dataset.highest or profile.highest == x.max()
    elif x.ndim == 2:
        assert profile.uneven == (np.ptp(x.std(axis=0)) > 9 * x.std(axis=0).min())


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("digits", ["flatten"]),
        ("digits", [{"rescale": 16}]),
        ("iris", ["standardize"]),
        ("iris", []),
        ("mnist_5k", ["rescale", "flatten", "standardize"]),
    ],
)
def test_the_shape_after_the_steps_is_that_of_prepared_rows(name, steps):
    spec = parse({"name": name, "prepare": steps})
    x = datasets.load(spec).train.x
    fitted = preprocessing.fit(spec.prepare, x, rows=np.arange(len(x)))

    assert spec.profile().shape_after(spec.prepare) == fitted.shape


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("imdb", []),
        ("imdb", ["rescale"]),
        ("iris", [{"pad": 3}]),
        ("imdb", ["flatten", {"pad": 1}]),
    ],
)
def test_steps_that_cannot_be_applied_are_refused(name, steps):
    spec = parse({"name": name, "prepare": steps})

    with pytest.raises(IncompatibleSpec, match=r"prepare must begin|must be the first step"):
        spec.profile().shape_after(spec.prepare)
