"""Which function loads which data set."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

from nnrun.cache import published
from nnrun.errors import DataError
from nnrun.records import Dataset
from nnrun.spec import dataset as specs
from nnrun.spec import folders
from nnrun.spec.dataset_base import DatasetBase
from nnrun.spec.own import Csv, Images, Npz, Own, Parquet, Text

# The function has the name that the data set has in a spec. Modules are named, not imported:
# scikit-learn alone takes a second, and who trains on imdb should not wait for it.
MODULES: dict[type[DatasetBase], str] = {
    specs.Imdb: "imdb",
    specs.Reuters: "reuters",
    specs.BostonHousing: "boston_housing",
    specs.CaliforniaHousing: "california_housing",
    specs.Mnist: "mnist",
    specs.FashionMnist: "fashion_mnist",
    specs.Cifar10: "cifar",
    specs.Cifar100: "cifar",
    specs.Digits: "scikit_learn",
    specs.Iris: "scikit_learn",
    specs.Wine: "scikit_learn",
    specs.BreastCancer: "scikit_learn",
    specs.Diabetes: "scikit_learn",
    specs.Mnist5k: "mnist_5k",
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
    if isinstance(spec, Own):
        return tuple(path for path in spec.files if not folders.there(path))
    return tuple(file.path for file in published.of(spec.name) if not file.is_there)


def _loader(spec: DatasetBase) -> Callable[[DatasetBase], Dataset]:
    loader: Callable[[DatasetBase], Dataset] = getattr(_module(spec), spec.name)
    return loader


def _module(spec: DatasetBase) -> ModuleType:
    return import_module(f"nnrun.datasets.{MODULES[type(spec)]}")


def _selection(spec: DatasetBase) -> str:
    """The arguments that decide how many rows there are, such as `test_split: 0.999`."""
    fields = [name for name in ("maxlen", "test_split") if name in type(spec).model_fields]
    return ", ".join(f"{name}: {getattr(spec, name)}" for name in fields)
