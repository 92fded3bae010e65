"""imdb and reuters give the very rows of Keras, whatever the arguments."""

from __future__ import annotations

import pickle
from functools import partial
from typing import Any

import keras
import pytest

from nnrun.data import datasets
from nnrun.data.datasets import imdb_reuters
from nnrun.data.published import File
from nnrun.spec.dataset import Imdb, Reuters
from nnrun.types import Sequences, Split

SELECTIONS: list[dict[str, Any]] = [
    {},
    {"num_words": 10000},
    {"num_words": 500, "skip_top": 20, "oov_char": None},
    {"num_words": 3000, "maxlen": 120, "seed": 7},
    {"start_char": None, "index_from": 0, "skip_top": 5, "oov_char": 9},
]
# Of imdb, which takes seconds each time, only the richest every day.
IMDB = [
    pytest.param(each, marks=() if each == SELECTIONS[3] else pytest.mark.slow)
    for each in SELECTIONS
]
SHARES: list[dict[str, Any]] = [
    {"test_split": 0.33},
    {"test_split": 0.1, "maxlen": 80, "oov_char": None},
]


def rows(split: Split) -> list[list[int]]:
    assert isinstance(split.x, Sequences)
    return [split.x.row(number).tolist() for number in range(len(split.x))]


@pytest.mark.usefixtures("full_data")
@pytest.mark.parametrize("arguments", IMDB, ids=str)
def test_imdb_is_that_of_keras(arguments: dict[str, Any]) -> None:
    """Same reviews, same order, same words."""
    ours = datasets.load(Imdb(name="imdb", **arguments))
    (x_train, y_train), (x_test, y_test) = keras.datasets.imdb.load_data(**arguments)

    assert rows(ours.train) == list(map(list, x_train))
    assert rows(ours.test) == list(map(list, x_test))
    assert (ours.train.y.tolist(), ours.test.y.tolist()) == (y_train.tolist(), y_test.tolist())


@pytest.mark.usefixtures("full_data")
@pytest.mark.parametrize("arguments", SELECTIONS + SHARES, ids=str)
def test_reuters_is_that_of_keras(arguments: dict[str, Any]) -> None:
    """Same newswires, same order, same words."""
    ours = datasets.load(Reuters(name="reuters", **arguments))
    (x_train, y_train), (x_test, y_test) = keras.datasets.reuters.load_data(**arguments)

    assert rows(ours.train) == list(map(list, x_train))
    assert rows(ours.test) == list(map(list, x_test))
    assert (ours.train.y.tolist(), ours.test.y.tolist()) == (y_train.tolist(), y_test.tolist())


@pytest.mark.usefixtures("full_data")
def test_a_review_can_be_read() -> None:
    """The first one is known from every book on Keras."""
    imdb = datasets.load(Imdb(name="imdb", num_words=10000))
    assert imdb.vocabulary is not None
    vocabulary = imdb.vocabulary()

    assert [vocabulary[index] for index in rows(imdb.train)[0][:6]] == [
        "<start>",
        "this",
        "film",
        "was",
        "just",
        "brilliant",
    ]


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
def test_the_vocabulary_follows_the_arguments(
    arguments: dict[str, Any], beginning: dict[int, str]
) -> None:
    """Where the words begin and what the marks are is a choice of the spec."""
    reuters = datasets.load(Reuters(name="reuters", **arguments))
    assert reuters.vocabulary is not None
    vocabulary = reuters.vocabulary()
    last = max(beginning)

    assert {index: vocabulary[index] for index in sorted(vocabulary) if index <= last} == beginning


def test_the_vocabulary_survives_pickling_and_reads_nothing_before_it_is_called() -> None:
    """A data set travels to another process; the words are fetched where they are shown."""
    absent = File("imdb", "absent.json", "https://data.invalid/absent.json", "md5:0", 1)
    vocabulary = partial(imdb_reuters.read_words, absent, Imdb(name="imdb"))

    assert pickle.loads(pickle.dumps(vocabulary)).args == vocabulary.args


@pytest.mark.usefixtures("full_data")
def test_the_topics_are_those_of_keras() -> None:
    """A label is a place in this list."""
    reuters = datasets.load(Reuters(name="reuters"))

    assert reuters.classes == keras.datasets.reuters.get_label_names()
