"""User texts: a column of a CSV file, or a folder per class."""

from __future__ import annotations

import csv
import re
import string
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np

from nnrun.data.splits import draw
from nnrun.errors import DataError
from nnrun.spec import profile
from nnrun.spec.dataset import Text
from nnrun.spec.text import quote
from nnrun.types import Array, Dataset, Sequences, Split, Tokenizer, Vocabulary

# Texts as words, in the two ways that Keras has.

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


T = TypeVar("T")


def text(spec: Text) -> Dataset:
    """Texts as word indices; every word of the file has one, in the order of the alphabet.

    Which of them a model gets to know is learnt by the step `vectorize`, from the rows that train.

    Raises:
        DataError: a file cannot be read, or a text has no class.
    """
    path = Path(spec.path)
    found, labels = _read(path, spec)
    classes = tuple(sorted(set(labels)))
    if len(classes) < 2:
        raise DataError(f"{path}: all texts are of one class")
    y = _numbers(path, labels, classes)
    if spec.test is None:
        drawn = draw(np.arange(len(found)), y, spec, classes=classes)
        parts = [([found[row] for row in np.asarray(each.x)], each.y) for each in drawn]
    else:
        order = np.random.default_rng(spec.seed).permutation(len(found))
        held, held_labels = _read(Path(spec.test), spec)
        parts = [
            ([found[row] for row in order], y[order]),
            (held, _numbers(Path(spec.test), held_labels, classes)),
        ]
    known = _vocabulary([each for texts, _ in parts for each in texts])
    train, test = (Split(encode(texts, known), labels) for texts, labels in parts)
    return Dataset(
        spec.name,
        train,
        test,
        classes=classes,
        target="class" if path.is_dir() else spec.target,
        vocabulary=partial(_same, _words(known)),
        words=partial(_same, known),
    )


def _same(value: T) -> T:
    return value


def _words(known: Vocabulary) -> Mapping[int, str]:
    return {index: word for word, index in known.words.items()}


def _vocabulary(texts: Sequence[str]) -> Vocabulary:
    """All words; what is in none of the texts has the number after the last."""
    found = sorted({word for each in texts for word in stripped(each)})
    numbers = {word: number for number, word in enumerate(found)}
    return Vocabulary(numbers, None, len(numbers), "text_vectorization")


def _numbers(path: Path, labels: Sequence[str], classes: Sequence[str]) -> Array:
    known = {name: number for number, name in enumerate(classes)}
    if unknown := [label for label in labels if label not in known]:
        raise DataError(f"{path}: {quote(unknown[0])} is no class of the training texts")
    return np.array([known[label] for label in labels], dtype=np.int64)


def _read(path: Path, spec: Text) -> tuple[list[str], list[str]]:
    """The texts, and the class of each by its name."""
    try:
        return _of_folder(path) if path.is_dir() else _of_table(path, spec)
    except OSError as error:
        where = error.filename or path
        raise DataError(f"{where}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text") from error
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error


def _of_folder(path: Path) -> tuple[list[str], list[str]]:
    texts, labels = [], []
    for name in profile.class_folders(path):
        for file in sorted((path / name).rglob("*.txt")):
            try:
                texts.append(file.read_text(encoding="utf-8-sig"))
            except UnicodeDecodeError as error:
                raise DataError(f"{file}: is not UTF-8 text") from error
            labels.append(name)
    if not texts:
        raise DataError(f"{path}: holds no .txt files in a folder of a class")
    return texts, labels


def _of_table(path: Path, spec: Text) -> tuple[list[str], list[str]]:
    # Says which line is broken.
    profile.inspect_table(path, spec.separator)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter=spec.separator)
        rows = [(reader.line_num, row) for row in reader]
    for name in (spec.text, spec.target):
        if name not in (reader.fieldnames or ()):
            raise DataError(f"{path}: has no column {quote(name)}")
        if empty := [line for line, row in rows if not (row[name] or "").strip()]:
            raise DataError(f"{path}:{empty[0]}: {quote(name)} is missing")
    return [row[spec.text] for _, row in rows], [row[spec.target] for _, row in rows]
