"""Splits texts into words, and encodes them as word indices."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import TypeVar

import numpy as np

from nnrun.types import Sequences, Tokenizer, Vocabulary

T = TypeVar("T")

# Keras's older tokenizer ends a word at these characters; an apostrophe is a part of a word.
_SEPARATORS = str.maketrans(dict.fromkeys('!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n\r\v\f', " "))
_PUNCTUATION = re.compile(r"[!\"#$%&()\*\+,-\./:;<=>?@\[\\\]^_`{|}~\']")
# TensorFlow lowercases only these letters.
_LOWERCASE = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def words(text: str) -> list[str]:
    """The words of a text in lower case; punctuation ends a word.

    Example:
        >>> words("Don't miss it!<br />A film of rare beauty...")
        ["don't", 'miss', 'it', 'br', 'a', 'film', 'of', 'rare', 'beauty']
    """
    return [word for word in text.lower().translate(_SEPARATORS).split(" ") if word]


def stripped(text: str) -> list[str]:
    """The words of a text as in `TextVectorization`, which removes punctuation.

    Example:
        >>> stripped("Don't miss it -- a film of rare beauty...")
        ['dont', 'miss', 'it', 'a', 'film', 'of', 'rare', 'beauty']
    """
    # TensorFlow splits at no other white space.
    return re.findall(r"[^ \t\n\r\v\f]+", _PUNCTUATION.sub("", text.translate(_LOWERCASE)))


TOKENIZERS: Mapping[Tokenizer, Callable[[str], list[str]]] = {
    "tokenizer": words,
    "text_vectorization": stripped,
}


def encode(texts: Sequence[str], vocabulary: Vocabulary) -> Sequences:
    """Texts as rows of word indices.

    Example:
        >>> encode(["A fine film", ""], Vocabulary({"a": 6, "film": 22}, 1, 2)).values.tolist()
        [1, 6, 2, 22, 1]
    """
    split, numbers = TOKENIZERS[vocabulary.tokenizer], vocabulary.words
    rows = []
    for text in texts:
        indices = [numbers.get(word, vocabulary.unknown) for word in split(text)]
        rows.append([index for index in (vocabulary.start, *indices) if index is not None])
    lengths = np.array([0, *map(len, rows)], dtype=np.int64)
    values = np.fromiter(chain.from_iterable(rows), np.int32, int(lengths.sum()))
    return Sequences(values, np.cumsum(lengths))


def same(value: T) -> T:
    """The value itself; with `partial`, a function of a value that can be pickled."""
    return value


def alphabetical(texts: Iterable[str]) -> Vocabulary:
    """All words of some texts; unknown words get the index after the last."""
    words = sorted({word for text in texts for word in stripped(text)})
    indices = {word: index for index, word in enumerate(words)}
    return Vocabulary(indices, None, len(indices), "text_vectorization")
