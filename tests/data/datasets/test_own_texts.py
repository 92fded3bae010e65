"""A person's own texts are numbered as Keras's `TextVectorization` numbers them."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from nnrun.data import datasets, preprocessing
from nnrun.data.datasets.texts import alphabetical, encode
from nnrun.errors import DataError
from nnrun.spec.dataset import Text
from nnrun.spec.prepare import Vectorize
from nnrun.types import Sequences

TEXTS = [
    "Don't miss it! A film, a FILM of rare beauty...",
    "the the the end -- of film\tand\nlines",
    "Ünïcode ÉCLAIR éclair\u00a0x of",
    "",
    "zeta alpha beta alpha zeta gamma",
    "words that do not train",
]
NEW = ["a brand new film of the beauty, zeta"]


@pytest.mark.parametrize("length", [None, 4, 12])
@pytest.mark.parametrize("most", [5, 8, 50])
def test_words_are_numbered_as_keras_numbers_them(most: int, length: int | None) -> None:
    """Fitted on the first five texts; the last is one of those that validate."""
    known = alphabetical(TEXTS)
    mode = {"output_mode": "int", "output_sequence_length": length}
    if length is None:
        mode = {"output_mode": "multi_hot", "pad_to_max_tokens": True}
    layer = keras.layers.TextVectorization(max_tokens=most, **mode)
    layer.adapt(TEXTS[:5])
    step = Vectorize(max_tokens=most, output_sequence_length=length)
    ours = preprocessing.fit([step], encode(TEXTS, known), rows=np.arange(5))

    for texts in (TEXTS, NEW):
        stored = ours.store(encode(texts, known))
        expected = np.asarray(layer(np.array(texts)))
        np.testing.assert_array_equal(ours.expand(stored, np, ours.state), expected)


def spec(path: Path, **arguments: str) -> Text:
    return Text(name="text", path=str(path), **arguments)


def test_a_table_and_folders_give_the_same_texts(tmp_path: Path) -> None:
    texts = [(f"word{n} and more", "good" if n % 2 else "bad") for n in range(10)]
    lines = [f"{text},{label}" for text, label in sorted(texts, key=lambda each: each[1])]
    (tmp_path / "t.csv").write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    for n, (text, label) in enumerate(texts):
        folder = tmp_path / "folders" / label
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{n:02}.txt").write_text(text, encoding="utf-8")
    one, other = (datasets.load(spec(tmp_path / name)) for name in ("t.csv", "folders"))

    assert isinstance(one.train.x, Sequences)
    assert one.classes == ("bad", "good")
    assert datasets.digest(one) == datasets.digest(other)
    assert (one.target, other.target) == ("label", "class")
    assert datasets.decoded(one, one.train.x, np.arange(1))[0].endswith("and more")


BROKEN = {
    "no such column": ("a,label\nx,y\n", "has no column 'text'"),
    "no text": ("text,label\nx,a\n ,b\n", "t.csv:3: 'text' is missing"),
    "one class": ("text,label\nx,a\ny,a\n", "all texts are of one class"),
    "no rows": ("text,label\n", "holds no rows"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_is_told_with_its_place(case: str, tmp_path: Path) -> None:
    text, message = BROKEN[case]
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        datasets.load(spec(tmp_path / "t.csv"))


def test_a_text_that_is_none_is_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"a/1.txt: is not UTF-8 text"):
        datasets.load(spec(tmp_path))
