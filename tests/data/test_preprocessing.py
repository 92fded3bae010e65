"""What `dataset.prepare` makes of rows is what the well-known functions make of them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from pydantic import TypeAdapter
from sklearn.preprocessing import StandardScaler

from nnrun.data import preprocessing
from nnrun.data.preprocessing import CHUNK_ROWS, Preparation
from nnrun.errors import IncompatibleSpec
from nnrun.spec.prepare import Prepare
from nnrun.types import Inputs, Sequences

Array = NDArray[Any]
STEPS: TypeAdapter[Any] = TypeAdapter(list[Prepare])


def fitted(steps: list[Any], x: Inputs, rows: Array | None = None) -> Preparation:
    """A preparation from steps as they stand in YAML."""
    known = np.arange(len(x)) if rows is None else rows
    return preprocessing.fit(STEPS.validate_python(steps), x, rows=known)


def applied(steps: list[Any], x: Inputs, rows: Array | None = None) -> Array:
    """Rows as the model sees them."""
    preparation = fitted(steps, x, rows)
    return np.asarray(preparation.expand(preparation.store(x), np, preparation.state))


def sequences(rows: list[list[int]]) -> Sequences:
    offsets = np.cumsum([0, *map(len, rows)])
    return Sequences(np.concatenate([np.array(row, np.int32) for row in rows]), offsets)


def reviews(many: int = 300, words: int = 1000) -> list[list[int]]:
    """Rows such as imdb's: of very different length, with words that repeat, one of them empty."""
    rng = np.random.default_rng(0)
    lengths = [0, *rng.integers(1, 400, many - 1)]
    return [(rng.zipf(1.3, length) % words).tolist() for length in lengths]


def vectorized(rows: list[list[int]], dimension: int) -> Array:
    """The loop that every book on Keras writes."""
    results = np.zeros((len(rows), dimension))
    for index, row in enumerate(rows):
        results[index, row] = 1.0
    return results


@pytest.mark.parametrize("dimension", [1000, 1001, 1024])
def test_multi_hot_is_the_loop_of_the_books(dimension: int) -> None:
    """Also where the columns do not fill the last byte."""
    rows = reviews()

    assert np.array_equal(
        applied([{"multi_hot": dimension}], sequences(rows)), vectorized(rows, dimension)
    )


def test_multi_hot_is_right_beyond_one_chunk() -> None:
    """Rows are packed 4,096 at a time."""
    rows = [[number % 50] for number in range(CHUNK_ROWS + 7)]

    assert np.array_equal(applied([{"multi_hot": 50}], sequences(rows)), vectorized(rows, 50))


def test_many_rows_take_a_bit_per_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """25,000 reviews as floats are a gigabyte; packed they are a 32nd of it."""
    monkeypatch.setattr(preprocessing, "EXPANDED_BYTES", 0)
    rows = reviews()
    stored = fitted([{"multi_hot": 1024}], sequences(rows)).store(sequences(rows))

    assert stored.nbytes * 32 == len(rows) * 1024 * 4


@pytest.mark.parametrize("padding", ["pre", "post"])
@pytest.mark.parametrize("truncating", ["pre", "post"])
@pytest.mark.parametrize("value", [0, 7])
def test_pad_is_that_of_keras(padding: str, truncating: str, value: int) -> None:
    """At either end, with whatever fills the row."""
    rows = reviews()
    arguments = {"maxlen": 100, "padding": padding, "truncating": truncating, "value": value}
    padded = applied([{"pad": arguments}], sequences(rows))

    assert padded.dtype == np.int32
    assert np.array_equal(padded, keras.utils.pad_sequences(rows, **arguments))


def table() -> Array:
    """Columns such as a table has them: of different scale, one constant."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 4)) * [1, 1000, 0.01, 0] + [0, 50, -3, 1.1]
    return x.astype(np.float64)


def test_standardize_is_that_of_scikit_learn() -> None:
    """Mean and population standard deviation, of the training rows alone."""
    x, rows = table(), np.arange(10, 60)
    expected = StandardScaler().fit(x[rows]).transform(x)

    assert applied(["standardize"], x, rows) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_a_held_out_row_teaches_nothing() -> None:
    """An outlier among the rows that validate would otherwise shift every training row."""
    x, rows = table(), np.arange(10, 60)
    planted = x.copy()
    planted[3] = 1e9

    assert np.array_equal(
        applied(["standardize"], planted, rows)[rows], applied(["standardize"], x, rows)[rows]
    )


def test_a_constant_column_becomes_zeros() -> None:
    """It has no scale to divide by, and rounding must not make one up."""
    assert applied(["standardize"], table())[:, 3] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("steps", [["standardize"], [{"rescale": 2}, "standardize"]], ids=str)
def test_large_close_values_stay_apart(steps: list[Any]) -> None:
    """Seconds since 1970 differ by less than float32 can tell."""
    seconds = np.linspace(-100, 100, 201)[:, None]
    expected = seconds / seconds.std()

    assert applied(steps, seconds + 1.6e9) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("divisor", [255, 16, 0.5])
def test_rescale_divides(divisor: float) -> None:
    """Bytes become floats by it."""
    x = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    rescaled = applied([{"rescale": divisor}], x)

    assert rescaled.dtype == np.float32
    assert np.array_equal(rescaled, (x / divisor).astype(np.float32))


def test_flatten_keeps_the_order_of_pixels() -> None:
    """Row after row of a picture, as NumPy lays them."""
    x = np.arange(2 * 3 * 4 * 2, dtype=np.uint8).reshape(2, 3, 4, 2)

    assert np.array_equal(applied(["flatten"], x), x.reshape(2, 24))


def test_without_steps_rows_stay_as_they_are() -> None:
    """But for their type, which is the model's."""
    x = table()

    assert np.array_equal(applied([], x), x.astype(np.float32))


def pictures() -> Array:
    return np.random.default_rng(2).integers(0, 256, (40, 6, 5), dtype=np.uint8)


INPUTS = [
    ([{"multi_hot": 1001}], sequences(reviews())),
    ([{"multi_hot": 1001}, "standardize"], sequences(reviews())),
    ([{"rescale": 255}, "flatten"], pictures()),
    (["flatten", "standardize"], pictures()),
    (["standardize"], table().astype(np.float32)),
    ([{"pad": 50}], sequences(reviews())),
]


@pytest.mark.parametrize(("steps", "x"), INPUTS, ids=lambda value: str(value)[:50])
def test_the_device_expands_as_the_host_does(
    steps: list[Any], x: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`expand` is written once; what it means must not depend on where it runs."""
    monkeypatch.setattr(preprocessing, "EXPANDED_BYTES", 0)
    preparation = fitted(steps, x)
    stored = preparation.store(x)[:20]
    expand = tf.function(lambda batch: preparation.expand(batch, keras.ops, preparation.state))

    assert np.asarray(expand(tf.constant(stored))) == pytest.approx(
        preparation.expand(stored, np, preparation.state), rel=1e-5, abs=1e-5
    )


@pytest.mark.parametrize(("steps", "x"), INPUTS, ids=lambda value: str(value)[:50])
def test_expanding_early_or_late_gives_the_same_rows(
    steps: list[Any], x: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of the two happens depends on the size of the data, and nothing else may."""
    early = applied(steps, x)
    monkeypatch.setattr(preprocessing, "EXPANDED_BYTES", 0)

    assert np.array_equal(applied(steps, x), early)


@pytest.mark.parametrize(("steps", "x"), INPUTS, ids=lambda value: str(value)[:50])
def test_the_shape_told_is_the_shape_made(steps: list[Any], x: Inputs) -> None:
    """The model is built from it before any row is expanded."""
    preparation = fitted(steps, x)
    made = preparation.expand(preparation.store(x), np, preparation.state)

    assert (made.shape, str(made.dtype)) == ((len(x), *preparation.shape), preparation.dtype)


def test_no_rows_are_stored_as_none() -> None:
    """Some data sets have nothing to test on."""
    preparation = fitted(["standardize"], table())

    assert preparation.store(np.empty((0, 4))).shape == (0, 4)


@pytest.mark.parametrize(
    ("steps", "x", "path", "message"),
    [
        (
            [],
            sequences([[1], [2, 3]]),
            ("dataset", "prepare"),
            "the rows differ in length; prepare must begin with multi_hot, pad or vectorize",
        ),
        (
            ["flatten", {"multi_hot": 9}],
            sequences([[1], [2, 3]]),
            ("dataset", "prepare", 1),
            "multi_hot takes rows of word indices and must be the first step",
        ),
        (
            [{"pad": 9}],
            table(),
            ("dataset", "prepare", 0),
            "pad takes rows of word indices and must be the first step",
        ),
    ],
)
def test_a_step_that_does_not_fit_the_rows_is_refused(
    steps: list[Any], x: Inputs, path: tuple[str | int, ...], message: str
) -> None:
    """With the place of the step, before anything is trained."""
    with pytest.raises(IncompatibleSpec) as caught:
        fitted(steps, x)

    assert caught.value.args == ("NN123", path, message)
