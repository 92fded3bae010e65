"""Rows of words as arrays hold the same words as the rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nnrun.data import preprocessing as ours
from nnrun.types import Sequences

DIMENSION = 50
ROWS = st.lists(st.lists(st.integers(0, DIMENSION - 1), max_size=30), max_size=200)


def sequences(rows: list[list[int]]) -> Sequences:
    values = np.array([word for row in rows for word in row], np.int64)
    return Sequences(values, np.cumsum([0, *map(len, rows)]))


@given(ROWS)
def test_each_word_of_a_row_is_kept_once(rows: list[list[int]]) -> None:
    """Of empty rows too, and beyond as many rows as are looked at together."""
    found = ours.distinct(sequences(rows), DIMENSION)

    assert [sorted(found.row(number)) for number in range(len(rows))] == [
        sorted({*row}) for row in rows
    ]
    assert found.values.dtype == np.int32


@given(ROWS)
def test_bits_are_those_of_the_words(rows: list[list[int]]) -> None:
    bits = ours.packed(sequences(rows), DIMENSION)

    assert [np.flatnonzero(np.unpackbits(row)[:DIMENSION]).tolist() for row in bits] == [
        sorted({*row}) for row in rows
    ]
