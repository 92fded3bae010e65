"""Prepare steps give the results of the well-known functions of Keras and scikit-learn."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from sklearn.preprocessing import StandardScaler

from nnrun.data import preprocessing
from nnrun.data.preprocessing import CHUNK_ROWS, Preparation
from nnrun.errors import IncompatibleSpec
from nnrun.spec.prepare import Prepare
from nnrun.types import Array, Inputs, Sequences

STEPS: TypeAdapter[Any] = TypeAdapter(list[Prepare])
DIMENSION = 50
ROWS = st.lists(st.lists(st.integers(0, DIMENSION - 1), max_size=30), max_size=200)


def fitted(steps: list[Any], x: Inputs, rows: Array | None = None) -> Preparation:
    """A preparation from steps as in YAML."""
    numbers = np.arange(len(x)) if rows is None else rows
    return preprocessing.fit(STEPS.validate_python(steps), x, rows=numbers)


def applied(steps: list[Any], x: Inputs, rows: Array | None = None) -> Array:
    """Rows as the model gets them."""
    preparation = fitted(steps, x, rows)
    return np.asarray(preparation.expand(preparation.store(x), np, preparation.state))


def sequences(rows: list[list[int]]) -> Sequences:
    values = np.array([word for row in rows for word in row], np.int32)
    return Sequences(values, np.cumsum([0, *map(len, rows)]))


def reviews(many: int = 300, words: int = 1000) -> list[list[int]]:
    """Rows such as imdb's: of very different length, with repeated words, one of them empty."""
    rng = np.random.default_rng(0)
    lengths = [0, *rng.integers(1, 400, many - 1)]
    return [(rng.zipf(1.3, length) % words).tolist() for length in lengths]


def table() -> Array:
    """Columns of different scale, one of them constant."""
    rng = np.random.default_rng(1)
    return rng.normal(size=(60, 4)) * [1, 1000, 0.01, 0] + [0, 50, -3, 1.1]


def images() -> Array:
    return np.random.default_rng(2).integers(0, 256, (40, 6, 5), dtype=np.uint8)


@pytest.mark.parametrize("dimension", [1000, 1001, 1024])
@pytest.mark.parametrize(
    "rows", [reviews(), [[number % 50] for number in range(CHUNK_ROWS + 7)]], ids=["few", "chunks"]
)
def test_multi_hot_sets_a_column_per_word(rows: list[list[int]], dimension: int) -> None:
    """Also if the columns do not fill the last byte, and in more than one chunk."""
    expected = np.zeros((len(rows), dimension))
    for index, row in enumerate(rows):
        expected[index, row] = 1.0

    assert np.array_equal(applied([{"multi_hot": dimension}], sequences(rows)), expected)


@settings(deadline=None)
@given(ROWS)
def test_bits_and_distinct_words_are_those_of_the_rows(rows: list[list[int]]) -> None:
    """Also of empty rows, and of more rows than one chunk."""
    x, expected = sequences(rows), [sorted({*row}) for row in rows]
    bits, distinct = preprocessing.packed(x, DIMENSION), preprocessing.distinct(x, DIMENSION)
    unpacked = [np.flatnonzero(np.unpackbits(row)[:DIMENSION]).tolist() for row in bits]

    assert unpacked == expected
    assert [sorted(distinct.row(number)) for number in range(len(rows))] == expected
    assert distinct.values.dtype == np.int32


def test_many_rows_take_a_bit_per_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """25,000 reviews as floats are a gigabyte."""
    monkeypatch.setattr(preprocessing, "EXPANDED_BYTES", 0)
    rows = sequences(reviews())
    stored = fitted([{"multi_hot": 1024}], rows).store(rows)

    assert stored.nbytes * 32 == len(rows) * 1024 * 4


@pytest.mark.parametrize("padding", ["pre", "post"])
@pytest.mark.parametrize("truncating", ["pre", "post"])
@pytest.mark.parametrize("value", [0, 7])
def test_pad_equals_pad_sequences(padding: str, truncating: str, value: int) -> None:
    arguments = {"maxlen": 100, "padding": padding, "truncating": truncating, "value": value}
    padded = applied([{"pad": arguments}], sequences(reviews()))

    assert padded.dtype == np.int32
    assert np.array_equal(padded, keras.utils.pad_sequences(reviews(), **arguments))


def test_standardize_equals_scikit_learn_and_ignores_validation_rows() -> None:
    x, rows = table(), np.arange(10, 60)
    expected = StandardScaler().fit(x[rows]).transform(x)
    outlier = x.copy()
    outlier[3] = 1e9
    result = applied(["standardize"], x, rows)

    assert result == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert np.array_equal(applied(["standardize"], outlier, rows)[rows], result[rows])
    assert applied(["standardize"], x)[:, 3] == pytest.approx(0, abs=1e-12)  # constant


@pytest.mark.parametrize("steps", [["standardize"], [{"rescale": 2}, "standardize"]], ids=str)
def test_large_close_values_stay_apart(steps: list[Any]) -> None:
    """Seconds since 1970 differ by less than the precision of float32."""
    seconds = np.linspace(-100, 100, 201)[:, None]
    expected = seconds / seconds.std()

    assert applied(steps, seconds + 1.6e9) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], images().astype(np.float32)),
        ([{"rescale": 16}], (images() / 16).astype(np.float32)),
        ([{"rescale": 0.5}], (images() / 0.5).astype(np.float32)),
        (["flatten"], images().reshape(40, 30).astype(np.float32)),
    ],
    ids=["none", "rescale", "divide by 0.5", "flatten"],
)
def test_simple_steps_are_numpy_operations(steps: list[Any], expected: Array) -> None:
    np.testing.assert_array_equal(applied(steps, images()), expected, strict=True)


INPUTS = [
    ([{"multi_hot": 1001}], sequences(reviews())),
    ([{"multi_hot": 1001}, "standardize"], sequences(reviews())),
    ([{"rescale": 255}, "flatten"], images()),
    (["flatten", "standardize"], images()),
    (["standardize"], table().astype(np.float32)),
    ([{"pad": 50}], sequences(reviews())),
]


@pytest.mark.parametrize(("steps", "x"), INPUTS, ids=lambda value: str(value)[:50])
def test_rows_are_the_same_expanded_early_late_or_on_the_device(
    steps: list[Any], x: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size of the data decides, and the model is built from the shape before."""
    early = applied(steps, x)
    monkeypatch.setattr(preprocessing, "EXPANDED_BYTES", 0)
    preparation = fitted(steps, x)
    stored = preparation.store(x)
    late = preparation.expand(stored, np, preparation.state)
    expand = tf.function(lambda batch: preparation.expand(batch, keras.ops, preparation.state))

    assert np.array_equal(late, early)
    assert (late.shape, str(late.dtype)) == ((len(x), *preparation.shape), preparation.dtype)
    device = np.asarray(expand(tf.constant(stored[:20])))
    assert device == pytest.approx(late[:20], rel=1e-5, abs=1e-5)


def test_no_rows_can_be_stored() -> None:
    """Some data sets have no test rows."""
    assert fitted(["standardize"], table()).store(np.empty((0, 4))).shape == (0, 4)


TEXT_STEP_FIRST = "takes rows of word indices and must be the first step"


@pytest.mark.parametrize(
    ("steps", "x", "place", "message"),
    [
        (
            [],
            sequences([[1], [2, 3]]),
            (),
            "the rows differ in length; prepare must begin with multi_hot, pad or vectorize",
        ),
        (
            ["flatten", {"multi_hot": 9}],
            sequences([[1], [2, 3]]),
            (1,),
            f"multi_hot {TEXT_STEP_FIRST}",
        ),
        ([{"pad": 9}], table(), (0,), f"pad {TEXT_STEP_FIRST}"),
    ],
)
def test_a_step_that_does_not_fit_the_rows_is_refused(
    steps: list[Any], x: Inputs, place: tuple[int, ...], message: str
) -> None:
    with pytest.raises(IncompatibleSpec) as caught:
        fitted(steps, x)

    assert caught.value.args == ("NN123", ("dataset", "prepare", *place), message)


def test_words_have_the_numbers_that_the_model_gets() -> None:
    """For word vectors: rare words of the data, and those of other rows, have none."""
    texts = Sequences(np.array([0, 0, 1, 1, 2, 3]), np.array([0, 5, 6]))
    words = {0: "the", 1: "cat", 2: "sat", 3: "dog"}
    vectorize = {"vectorize": {"max_tokens": 5, "output_sequence_length": 4}}
    vectorized, padded = (fitted([step], texts, np.array([0])) for step in (vectorize, {"pad": 4}))

    assert vectorized.word_numbers(words) == {"the": 3, "cat": 2, "sat": 4}
    assert padded.word_numbers(words) == {"the": 0, "cat": 1, "sat": 2, "dog": 3}
