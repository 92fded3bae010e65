"""A sentence becomes the word indices that Keras gave the texts of the data set."""

from __future__ import annotations

import doctest
from typing import Any

import numpy as np
import pytest

from nnrun.data import datasets
from nnrun.data.datasets import texts
from nnrun.spec.dataset import Reuters
from nnrun.types import Sequences, Vocabulary

SELECTIONS: list[dict[str, Any]] = [
    {},
    {"num_words": 1000},
    {"num_words": 500, "skip_top": 20, "oov_char": None},
    {"start_char": None, "index_from": 0, "skip_top": 5, "oov_char": 9},
]
SMALL = Vocabulary({"a": 4, "film": 5, "don't": 6}, 1, 2)


def test_the_examples_in_the_module_are_true() -> None:
    assert doctest.testmod(texts).failed == 0


@pytest.mark.usefixtures("full_data")
@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
def test_a_newswire_in_words_becomes_the_row_that_keras_made_of_it(
    selection: dict[str, Any],
) -> None:
    """Whatever words are left out, and with whatever numbers; all words are known beforehand."""
    whole = datasets.load(Reuters(name="reuters"))
    wanted = datasets.load(Reuters(name="reuters", **selection))
    assert isinstance(whole.test.x, Sequences)
    assert isinstance(wanted.test.x, Sequences)
    assert wanted.words
    rows = np.arange(300)
    said = [text.removeprefix("<start>") for text in datasets.decoded(whole, whole.test.x, rows)]
    encoded = texts.encode(said, wanted.words())

    # The rarest word of all is the one that even the whole data set is without.
    told = [row for row in rows if "<unknown>" not in said[row]]
    assert len(told) > 290
    for row in told:
        assert encoded.row(row).tolist() == wanted.test.x.row(row).tolist()


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("A FILM", [1, 4, 5]),
        ("film...film!\r\n(film)", [1, 5, 5, 5]),
        ("don't", [1, 6]),
        ("film\u2028film", [1, 2]),
        ("", [1]),
        ("\x1b[31mfilm", [1, 2, 2]),
    ],
)
def test_words_end_where_keras_ends_them(text: str, row: list[int]) -> None:
    """Punctuation and spaces do, an apostrophe does not, and what is no word is unknown."""
    assert texts.encode([text], SMALL).values.tolist() == row


def test_what_is_unknown_can_be_left_out() -> None:
    known = Vocabulary(SMALL.words, None, None)

    assert texts.encode(["a strange film"], known).values.tolist() == [4, 5]
