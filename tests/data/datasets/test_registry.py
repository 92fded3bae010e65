"""Every data set fulfils one contract."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.cli.specs import shipped_folder
from nnrun.data import datasets
from nnrun.errors import DataError
from nnrun.spec.dataset import DATASETS, DatasetBase, UserData
from nnrun.spec.loading import load
from nnrun.types import Dataset, Sequences

# There is a shipped spec for each kind of user data.
OWN = {
    spec.name: spec
    for path in sorted((shipped_folder() / "own").glob("*.yaml"), reverse=True)
    for spec in [load(path).experiment.dataset]
}
# The number of files; the words of an index are a file of their own.
DOWNLOADED = {
    "imdb": 2,
    "reuters": 2,
    "california_housing": 1,
    "mnist": 1,
    "fashion_mnist": 4,
    "cifar10": 1,
    "cifar100": 1,
}


def spec(name: str, **arguments: Any) -> DatasetBase:
    return OWN[name] if name in OWN else DATASETS[name](name=name, **arguments)


@pytest.fixture(scope="module", params=sorted(DATASETS))
def dataset(request: pytest.FixtureRequest) -> Dataset:
    """Each data set whose files are cached."""
    if datasets.missing(spec(request.param)):
        pytest.skip(f"{request.param} is not in the cache of the tests")
    return datasets.load(spec(request.param))


def elements(dataset: Dataset) -> list[np.ndarray[Any, Any]]:
    return [
        split.x.values if isinstance(split.x, Sequences) else split.x
        for split in (dataset.train, dataset.test)
    ]


def test_every_data_set_of_a_spec_has_a_loader() -> None:
    """And every kind of user data has a shipped spec."""
    for name, cls in DATASETS.items():
        assert callable(getattr(import_module(f"nnrun.data.datasets.{cls.loader}"), name))
    assert set(OWN) == {name for name, cls in DATASETS.items() if issubclass(cls, UserData)}


def test_inputs_are_compact_and_finite(request: pytest.FixtureRequest, dataset: Dataset) -> None:
    """Pixels are bytes, words are int32, and only tables are floats."""
    dtypes = {1: "int32", 2: "float64", 3: "uint8", 4: "uint8"}

    assert dataset.name == request.node.callspec.params["dataset"]
    for x in elements(dataset):
        assert x.dtype == dtypes[x.ndim]
        assert np.isfinite(x).all()
    assert len(dataset.features) in {0, elements(dataset)[0].shape[-1]}


def test_each_row_has_a_class_number_or_value(dataset: Dataset) -> None:
    """Every class occurs and has a name."""
    expected = (np.dtype("int64" if dataset.classes else "float64"), 1)
    for split in (dataset.train, dataset.test):
        assert len(split.x) == len(split.y)
        assert (split.y.dtype, split.y.ndim) == expected
        assert np.isfinite(split.y).all()
    labels = np.concatenate([dataset.train.y, dataset.test.y])

    assert not dataset.classes or {*labels.tolist()} == {*range(len(dataset.classes))}


def test_names_are_plain_and_distinct(dataset: Dataset) -> None:
    """NumPy's strings cannot be written to JSON."""
    names = (*dataset.classes, *dataset.features, dataset.target.name)

    assert {type(name) for name in names} == {str}
    assert len(set(dataset.classes)) == len(dataset.classes)


@pytest.mark.parametrize("name", ["boston_housing", "diabetes", "digits", "mnist_5k"])
def test_another_seed_gives_other_rows(name: str) -> None:
    first, second = (datasets.load(spec(name, seed=seed)).test.y for seed in (1, 2))

    assert not np.array_equal(first, second)


def test_a_split_without_rows_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        datasets.load(spec("boston_housing", test_split=0.9999))

    assert str(caught.value) == "boston_housing: test_split: 0.9999 leaves no row to train on"


@pytest.mark.usefixtures("full_data")
def test_a_length_that_no_text_has_is_refused() -> None:
    with pytest.raises(DataError, match=r"maxlen: 2, test_split: 0\.2 leaves no row to train on"):
        datasets.load(spec("reuters", maxlen=2))


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_missing_files_are_known_without_reading(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checksum is compared only when a file is read."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    missing = datasets.missing(spec(name))

    assert len(missing) == DOWNLOADED.get(name, 0)
    assert all(path.is_relative_to(tmp_path / "datasets") for path in missing)
    assert list(tmp_path.iterdir()) == []
    for number, path in enumerate(missing, start=1):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        assert datasets.missing(spec(name)) == missing[number:]


def test_heavy_packages_are_imported_late() -> None:
    """Keras takes five seconds, and `nnrun --help` needs no data."""
    program = (
        "import sys; from nnrun.data.datasets import load; from nnrun.spec.dataset import *;"
        "print(*sys.modules);"
        "load(Iris(name='iris')); load(BostonHousing(name='boston_housing')); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    before, after = (set(line.split()) for line in done.stdout.splitlines())

    heavy = {"keras", "tensorflow", "sklearn", "mlxtend", "pandas", "pooch"}
    assert not heavy & before
    assert not {"keras", "tensorflow"} & after


def test_the_positive_class_is_class_1() -> None:
    """The rows and their split stay the same."""
    usual = datasets.load(spec("breast_cancer"))
    swapped = datasets.load(spec("breast_cancer", positive="malignant"))

    assert (usual.classes, swapped.classes) == (("malignant", "benign"), ("benign", "malignant"))
    assert np.array_equal(swapped.train.y, 1 - usual.train.y)
    assert np.array_equal(swapped.test.y, 1 - usual.test.y)
    assert np.array_equal(swapped.test.x, usual.test.x)
    assert datasets.load(spec("breast_cancer", positive="benign")).classes == usual.classes
