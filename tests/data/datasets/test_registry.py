"""Every data set keeps one contract, whatever it is made of."""

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

# A person's own data are shown by a shipped spec of each kind.
OWN = {
    known.name: known
    for path in sorted((shipped_folder() / "own").glob("*.yaml"), reverse=True)
    for known in [load(path).experiment.dataset]
}


def spec(name: str, **arguments: Any) -> DatasetBase:
    return OWN[name] if name in OWN else DATASETS[name](name=name, **arguments)


@pytest.fixture(scope="module", params=sorted(DATASETS))
def dataset(request: pytest.FixtureRequest) -> Dataset:
    """Each data set whose files are here."""
    if datasets.missing(spec(request.param)):
        pytest.skip(f"{request.param} is not in the cache of the tests")
    return datasets.load(spec(request.param))


def elements(dataset: Dataset) -> list[np.ndarray[Any, Any]]:
    return [
        split.x.values if isinstance(split.x, Sequences) else split.x
        for split in (dataset.train, dataset.test)
    ]


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_of_a_spec_has_a_loader(name: str) -> None:
    module = import_module(f"nnrun.data.datasets.{DATASETS[name].loader}")

    assert callable(getattr(module, name))


def test_every_kind_of_own_data_has_a_shipped_spec() -> None:
    assert set(OWN) == {name for name, cls in DATASETS.items() if issubclass(cls, UserData)}


def test_each_row_has_a_label(dataset: Dataset) -> None:
    """In both splits, and there are some."""
    assert [len(split.x) for split in (dataset.train, dataset.test)] == [
        len(dataset.train.y),
        len(dataset.test.y),
    ]


def test_the_name_is_that_of_the_spec(request: pytest.FixtureRequest, dataset: Dataset) -> None:
    """The function found is the one asked for."""
    assert dataset.name == request.node.callspec.params["dataset"]


def test_inputs_stay_compact(dataset: Dataset) -> None:
    """Pixels are bytes, words are int32, and only tables are floats."""
    kinds = {1: "int32", 2: "float64", 3: "uint8", 4: "uint8"}

    assert [x.dtype for x in elements(dataset)] == [kinds[x.ndim] for x in elements(dataset)]


def test_labels_are_class_numbers_or_values(dataset: Dataset) -> None:
    """One axis; int64 where there are classes, float64 where there are none."""
    expected = (np.dtype("int64" if dataset.classes else "float64"), 1)

    assert {(y.dtype, y.ndim) for y in (dataset.train.y, dataset.test.y)} == {expected}


def test_every_class_occurs_and_none_is_unnamed(dataset: Dataset) -> None:
    """A number without a name could not be shown in a confusion matrix."""
    labels = np.concatenate([dataset.train.y, dataset.test.y])
    occurring = set(labels.tolist()) if dataset.classes else set()

    assert occurring == set(range(len(dataset.classes)))


def test_names_are_plain_and_distinct(dataset: Dataset) -> None:
    """NumPy's own strings would not go into a JSON file."""
    names = (*dataset.classes, *dataset.features, dataset.target)

    assert {type(name) for name in names} == {str}
    assert len(set(dataset.classes)) == len(dataset.classes)


def test_nothing_is_missing(dataset: Dataset) -> None:
    """No NaN and no infinity, in no input and no label."""
    arrays = [*elements(dataset), dataset.train.y, dataset.test.y]

    assert all(np.isfinite(array).all() for array in arrays)


def test_each_column_has_a_name_where_columns_have_names(dataset: Dataset) -> None:
    """A table names all of its columns or none."""
    width = elements(dataset)[0].shape[-1]

    assert len(dataset.features) in {0, width}


@pytest.mark.parametrize("name", ["boston_housing", "diabetes", "digits", "mnist_5k"])
def test_another_seed_gives_other_rows(name: str) -> None:
    """The seed of the spec is the one used."""
    first, second = (datasets.load(spec(name, seed=seed)).test.y for seed in (1, 2))

    assert not np.array_equal(first, second)


def test_a_split_without_rows_is_refused() -> None:
    """Training on nothing would fail much later, and say less."""
    with pytest.raises(DataError) as caught:
        datasets.load(spec("boston_housing", test_split=0.9999))

    assert str(caught.value) == "boston_housing: test_split: 0.9999 leaves no row to train on"


@pytest.mark.usefixtures("full_data")
def test_a_length_that_no_text_has_is_refused() -> None:
    """Every text of imdb is longer than three words."""
    with pytest.raises(DataError) as caught:
        datasets.load(spec("imdb", maxlen=3))

    assert str(caught.value) == "imdb: maxlen: 3 leaves no row to train on"


DOWNLOADED = {
    "imdb": 2,  # the words of the index are a file of their own
    "reuters": 2,
    "california_housing": 1,
    "mnist": 1,
    "fashion_mnist": 4,
    "cifar10": 1,
    "cifar100": 1,
}


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_every_file_that_would_be_downloaded_is_known_to_be_missing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    missing = datasets.missing(spec(name))

    assert len(missing) == DOWNLOADED.get(name, 0)
    assert all(path.is_relative_to(tmp_path / "datasets") for path in missing)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(DOWNLOADED))
def test_a_data_set_is_cached_once_all_of_its_files_are_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether they are the published ones is looked at when they are read."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    first, *others = datasets.missing(spec(name))
    first.parent.mkdir(parents=True)
    first.touch()

    assert datasets.missing(spec(name)) == tuple(others)
    for path in others:
        path.touch()
    assert not datasets.missing(spec(name))


def test_looking_up_a_data_set_costs_nothing() -> None:
    """`nnrun --help` must not wait for packages that load data."""
    program = "import nnrun.data.datasets, sys; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    heavy = {"keras", "tensorflow", "sklearn", "mlxtend", "pandas", "pooch"}

    assert heavy & set(modules.stdout.decode().split()) == set()


def test_loading_does_not_import_keras() -> None:
    """Keras takes five seconds, and a look at the data does not need it."""
    program = (
        "import sys; from nnrun.data.datasets import load; from nnrun.spec.dataset import *;"
        "load(Iris(name='iris')); load(BostonHousing(name='boston_housing')); print(*sys.modules)"
    )
    modules = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert {"keras", "tensorflow"} & set(modules.stdout.decode().split()) == set()
