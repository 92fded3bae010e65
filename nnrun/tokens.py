"""Texts as words, in the two ways that Keras has."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping, Sequence
from itertools import chain

import numpy as np

from nnrun.records import Sequences, Tokenizer, Vocabulary

# What Keras's older tokenizer takes for the end of a word; an apostrophe is a part of one.
_BETWEEN = str.maketrans(dict.fromkeys('!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n\r\v\f', " "))
_PUNCTUATION = re.compile(r"[!\"#$%&()\*\+,-\./:;<=>?@\[\\\]^_`{|}~\']")
# TensorFlow makes small letters of these alone.
_SMALL = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def words(text: str) -> list[str]:
    """The words of a text, in small letters and without punctuation, which ends a word.

    Example:
        >>> words("Don't miss it!<br />A film of rare beauty...")
        ["don't", 'miss', 'it', 'br', 'a', 'film', 'of', 'rare', 'beauty']
    """
    return [word for word in text.lower().translate(_BETWEEN).split(" ") if word]


def stripped(text: str) -> list[str]:
    """The words of a text as `TextVectorization` finds them: punctuation vanishes.

    Example:
        >>> stripped("Don't miss it -- a film of rare beauty...")
        ['dont', 'miss', 'it', 'a', 'film', 'of', 'rare', 'beauty']
    """
    # TensorFlow splits at no other white space.
    return re.findall(r"[^ \t\n\r\v\f]+", _PUNCTUATION.sub("", text.translate(_SMALL)))


TOKENIZERS: Mapping[Tokenizer, Callable[[str], list[str]]] = {
    "tokenizer": words,
    "text_vectorization": stripped,
}


def encode(texts: Sequence[str], known: Vocabulary) -> Sequences:
    """Texts as rows of word indices.

    Example:
        >>> encode(["A fine film", ""], Vocabulary({"a": 6, "film": 22}, 1, 2)).values.tolist()
        [1, 6, 2, 22, 1]
    """
    split = TOKENIZERS[known.tokenizer]
    rows = [_row(split(text), known) for text in texts]
    lengths = np.array([0, *map(len, rows)], dtype=np.int64)
    values = np.fromiter(chain.from_iterable(rows), np.int32, int(lengths.sum()))
    return Sequences(values, np.cumsum(lengths))


def _row(found: list[str], known: Vocabulary) -> list[int]:
    indices = [known.words.get(word, known.unknown) for word in found]
    return [index for index in (known.start, *indices) if index is not None]
