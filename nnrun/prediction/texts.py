"""Sentences as word indices, as Keras encodes those of its data sets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from nnrun.errors import CommandError
from nnrun.prediction.raw import Raw
from nnrun.prediction.subject import Subject
from nnrun.records import Sequences, Vocabulary

# What Keras's tokenizer takes for the end of a word; an apostrophe is a part of one.
_BETWEEN = str.maketrans(dict.fromkeys('!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n\r\v\f', " "))


def words(text: str) -> list[str]:
    """The words of a text, in small letters and without punctuation.

    Example:
        >>> words("Don't miss it!<br />A film of rare beauty...")
        ["don't", 'miss', 'it', 'br', 'a', 'film', 'of', 'rare', 'beauty']
    """
    return [word for word in text.lower().translate(_BETWEEN).split(" ") if word]


def encode(texts: Sequence[str], known: Vocabulary) -> Sequences:
    """Texts as rows of word indices.

    Example:
        >>> encode(["A fine film", ""], Vocabulary({"a": 6, "film": 22}, 1, 2)).values.tolist()
        [1, 6, 2, 22, 1]
    """
    rows = [_row(words(text), known) for text in texts]
    lengths = np.array([0, *map(len, rows)], dtype=np.int64)
    values = np.fromiter(chain.from_iterable(rows), np.int32, int(lengths.sum()))
    return Sequences(values, np.cumsum(lengths))


def _row(found: list[str], known: Vocabulary) -> list[int]:
    indices = [known.words.get(word, known.unknown) for word in found]
    return [index for index in (known.start, *indices) if index is not None]


def read(texts: Sequence[str], subject: Subject) -> Raw:
    """Texts to be predicted.

    Raises:
        CommandError: the run does not take texts, or there is none.
        RunError: its words cannot be read.
    """
    if subject.looks.kind != "texts":
        raise CommandError(f"{subject.run.path} was trained on {subject.name}, which has no texts")
    if not texts:
        raise CommandError("there is no text to be predicted")
    known = subject.vocabulary()
    strange = [at for at, text in enumerate(texts, 1) if not any(map(known.words.get, words(text)))]
    return Raw(
        tuple(map(str, range(1, len(texts) + 1))),
        encode(texts, known),
        texts=tuple(texts),
        notices=tuple(_strange(strange)),
    )


def _strange(rows: list[int]) -> list[str]:
    """What is said of texts without any word that the model knows."""
    if not rows:
        return []
    which = ", ".join(map(str, rows[:5])) + (", …" if len(rows) > 5 else "")
    subject = f"text {which} has" if len(rows) == 1 else f"the texts {which} have"
    return [f"{subject} no word that the model knows, so the answer says nothing"]
