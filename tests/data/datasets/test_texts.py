"""Texts become the word indices that Keras gives them."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nnrun.data import datasets, preprocessing
from nnrun.data.datasets import texts
from nnrun.data.datasets.texts import alphabetical, encode
from nnrun.errors import DataError
from nnrun.spec.dataset import Reuters, Text
from nnrun.spec.prepare import Vectorize
from nnrun.types import Sequences, Vocabulary

SELECTIONS: list[dict[str, Any]] = [
    {"num_words": 500, "skip_top": 20, "oov_char": None},
    {"start_char": None, "index_from": 0, "skip_top": 5, "oov_char": 9},
]
SMALL = Vocabulary({"a": 4, "film": 5, "don't": 6}, 1, 2)
TEXTS = [
    "Don't miss it! A film, a FILM of rare beauty...",
    "the the the end -- of film\tand\nlines",
    "Ünïcode ÉCLAIR éclair\u00a0x of",
    "",
    "zeta alpha beta alpha zeta gamma",
    "words that do not train",
]
NEW = ["a brand new film of the beauty, zeta"]


def test_the_examples_in_the_module_are_correct() -> None:
    assert doctest.testmod(texts).failed == 0


@pytest.mark.usefixtures("full_data")
@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
def test_a_decoded_newswire_is_encoded_to_the_same_row(selection: dict[str, Any]) -> None:
    whole = datasets.load(Reuters(name="reuters"))
    selected = datasets.load(Reuters(name="reuters", **selection))
    assert isinstance(whole.test.x, Sequences)
    assert isinstance(selected.test.x, Sequences)
    assert selected.words
    rows = np.arange(300)
    decoded = datasets.decoded(whole, whole.test.x, rows)
    encoded = encode([text.removeprefix("<start>") for text in decoded], selected.words())

    # The rarest word of all is unknown even in the whole data set.
    complete = [row for row in rows if "<unknown>" not in decoded[row]]
    assert len(complete) > 290
    for row in complete:
        assert encoded.row(row).tolist() == selected.test.x.row(row).tolist()


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
def test_words_end_as_in_keras(text: str, row: list[int]) -> None:
    """At punctuation and spaces, but not at an apostrophe; other words are unknown."""
    assert encode([text], SMALL).values.tolist() == row


def test_unknown_words_can_be_left_out() -> None:
    vocabulary = Vocabulary(SMALL.words, None, None)

    assert encode(["a strange film"], vocabulary).values.tolist() == [4, 5]


@pytest.mark.parametrize("length", [None, 4, 12])
@pytest.mark.parametrize("limit", [5, 8, 50])
def test_vectorize_equals_text_vectorization(limit: int, length: int | None) -> None:
    """Fitted on the first five texts; the last one is a validation row."""
    vocabulary = alphabetical(TEXTS)
    mode = {"output_mode": "int", "output_sequence_length": length}
    if length is None:
        mode = {"output_mode": "multi_hot", "pad_to_max_tokens": True}
    layer = keras.layers.TextVectorization(max_tokens=limit, **mode)
    layer.adapt(TEXTS[:5])
    step = Vectorize(max_tokens=limit, output_sequence_length=length)
    ours = preprocessing.fit([step], encode(TEXTS, vocabulary), rows=np.arange(5))

    for some in (TEXTS, NEW):
        stored = ours.store(encode(some, vocabulary))
        expected = np.asarray(layer(np.array(some)))
        np.testing.assert_array_equal(ours.expand(stored, np, ours.state), expected)


def spec(path: Path, **arguments: str) -> Text:
    return Text(name="text", path=str(path), **arguments)


def test_a_table_and_folders_give_the_same_texts(tmp_path: Path) -> None:
    rows = [(f"word{n} and more", "good" if n % 2 else "bad") for n in range(10)]
    lines = [f"{text},{label}" for text, label in sorted(rows, key=lambda row: row[1])]
    (tmp_path / "t.csv").write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    for n, (text, label) in enumerate(rows):
        folder = tmp_path / "folders" / label
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{n:02}.txt").write_text(text, encoding="utf-8")
    table, folders = (datasets.load(spec(tmp_path / name)) for name in ("t.csv", "folders"))

    assert isinstance(table.train.x, Sequences)
    assert table.classes == ("bad", "good")
    contents = [
        sorted(datasets.decoded(data, split.x, np.arange(len(split))))  # type: ignore[arg-type]
        for data in (table, folders)
        for split in (data.train, data.test)
    ]
    assert contents[:2] == contents[2:]
    assert (table.target.name, folders.target.name) == ("label", "class")
    assert datasets.decoded(table, table.train.x, np.arange(1))[0].endswith("and more")


BROKEN = {
    "no such column": (b"a,label\nx,y\n", "has no column 'text'"),
    "no text": (b"text,label\nx,a\n ,b\n", "t.csv:3: 'text' is missing"),
    "a short row": (b"text,label\nx,a\ny\n", "t.csv: line 3 has 1 cells, but the header has 2"),
    "one class": (b"text,label\nx,a\ny,a\n", "all texts are of one class"),
    "no rows": (b"text,label\n", "holds no rows"),
    "not UTF-8": (b"\xff\xfe\x00", "t.csv: is not UTF-8 text"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_an_invalid_table_is_refused_with_the_line(case: str, tmp_path: Path) -> None:
    content, message = BROKEN[case]
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        datasets.load(spec(tmp_path / "t.csv"))


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"a/1.txt: is not UTF-8 text"):
        datasets.load(spec(tmp_path))


def test_texts_of_another_file_validate(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n" + "so good,yes\nso bad,no\n" * 10, "utf-8")
    (tmp_path / "b.csv").write_text("text,label\nso new,yes\n", "utf-8")
    paths = {"path": str(tmp_path / "a.csv"), "validation": str(tmp_path / "b.csv")}
    dataset = datasets.load(Text(name="text", **paths))
    train = dataset.train

    assert train.held_out is not None
    assert train.held_out.tolist() == [False] * 16 + [True]
    assert isinstance(train.x, Sequences)
    assert datasets.decoded(dataset, train.x, np.array([16])) == ["so new"]
    assert train.row_numbers(np.array([16])).tolist() == [20]


def test_several_test_files_have_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n" + "so good,yes\nso bad,no\n" * 10, "utf-8")
    (tmp_path / "b.csv").write_text("text,label\nso new,yes\n", "utf-8")
    tests = {"old": str(tmp_path / "a.csv"), "new": str(tmp_path / "b.csv")}
    dataset = datasets.load(Text(name="text", path=tests["old"], test=tests))
    sets = dataset.test.test_sets

    assert {name: len(rows) for name, rows in sets.items()} == {"old": 20, "new": 1}
    assert isinstance(dataset.test.x, Sequences)
    assert datasets.decoded(dataset, dataset.test.x, sets["new"]) == ["so new"]
