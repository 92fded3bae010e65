"""User texts: a column of a CSV file, or a folder per class."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from nnrun.data.datasets.tables import reading
from nnrun.data.splits import draw, with_validation
from nnrun.errors import DataError
from nnrun.spec import profile, targets
from nnrun.spec.dataset import Text
from nnrun.spec.files import content
from nnrun.spec.text import quote
from nnrun.spec.validation import Validation
from nnrun.types import Array, Dataset, Sequences, Split, Target, Tokenizer, Vocabulary

if TYPE_CHECKING:
    from nnrun.spec import tables

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


def text(spec: Text, validation: Validation | None = None) -> Dataset:
    """Texts as word indices; every word of the file has one, in alphabetical order.

    The step `vectorize` selects the words of the model from the training rows.
    """
    path = Path(spec.path)
    texts, target, y = _read(path, spec)
    classes = tuple(map(str, target.classes))
    if len(classes) == 1:
        raise DataError(f"{path}: all texts are of one class")
    rows = len(texts)
    if spec.test is None:
        in_order = path.is_file()
        orders = draw(y, spec, validation if in_order else None, classes=classes)
        orders = (np.sort(orders[0]), np.sort(orders[1])) if in_order else orders
        parts = [([texts[row] for row in rows], y[rows]) for rows in orders]
    else:
        test_texts, _, test_y = _read(Path(spec.test), spec, target)
        order = np.arange(len(texts))
        if path.is_dir():
            # Otherwise the rows would be sorted by class.
            order = np.random.default_rng(spec.seed).permutation(len(texts))
        orders = (order, np.arange(len(test_texts)))
        parts = [([texts[row] for row in order], y[order]), (test_texts, test_y)]
    if spec.validation is not None:
        held_texts, _, held_y = _read(Path(spec.validation), spec, target)
        parts.append((held_texts, held_y))
    vocabulary = alphabetical([text for texts, _ in parts for text in texts])
    train, test, *held = (
        Split(encode(texts, vocabulary), y, numbers)
        for (texts, y), numbers in zip_longest(parts, orders)
    )
    for split in held:
        train = with_validation(train, split, first=rows)
    return Dataset(
        spec.name,
        train,
        test,
        target,
        vocabulary=partial(_same, {index: word for word, index in vocabulary.words.items()}),
        words=partial(_same, vocabulary),
    )


def _same(value: T) -> T:
    return value


def alphabetical(texts: Iterable[str]) -> Vocabulary:
    """All words of some texts; unknown words get the index after the last."""
    words = sorted({word for text in texts for word in stripped(text)})
    indices = {word: index for index, word in enumerate(words)}
    return Vocabulary(indices, None, len(indices), "text_vectorization")


def _class_numbers(path: Path, labels: Sequence[str], classes: Sequence[str]) -> Array:
    numbers = {name: number for number, name in enumerate(classes)}
    for label in labels:
        if label not in numbers:
            raise DataError(f"{path}: {quote(label)} is no class of the training texts")
    return np.array([numbers[label] for label in labels], dtype=np.int64)


def _read(path: Path, spec: Text, target: Target | None = None) -> tuple[list[str], Target, Array]:
    """The texts, the meaning of their labels, and the labels.

    Args:
        path: of the file or folder.
        spec: names the columns.
        target: the meaning in the training file.
    """
    with reading(path):
        if path.is_dir():
            if path == Path(spec.path) and (problem := profile.class_folders_problem(path)):
                raise ValueError(problem)
            texts, words = _read_folder(path)
            return texts, *_classes(path, words, target or Target.one_of("class", _sorted(words)))
        table = spec.read(path)
    texts = _words(table, spec.text)
    if isinstance(spec.target, str):
        words = _words(table, spec.target)
        return texts, *_classes(path, words, target or Target.one_of(spec.target, _sorted(words)))
    for name in targets.names(spec.target):
        if name not in table.columns:
            raise DataError(f"{path}: has no column {quote(name)}")
    with reading(path):
        target = target or spec.meaning(table)
        return texts, target, targets.encode(spec.target, table, target)


def _sorted(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(set(words)))


def _classes(path: Path, words: Sequence[str], target: Target) -> tuple[Target, Array]:
    return target, _class_numbers(path, words, tuple(map(str, target.names)))


def _words(table: tables.Table, name: str) -> list[str]:
    if name not in table.columns:
        raise DataError(f"{table.path}: has no column {quote(name)}")
    column = table.columns[name]
    if len(column.missing):
        place = table.first_position(column.missing)
        raise DataError(f"{place}: {quote(name)} is missing")
    return [word or "" for word in column.words()]


def _read_folder(path: Path) -> tuple[list[str], list[str]]:
    texts: list[str] = []
    labels: list[str] = []
    for name in profile.class_folders(path):
        files = profile.files_within(path / name)
        texts += [_read_text(file) for file in files if file.suffix == ".txt"]
        labels += [name] * (len(texts) - len(labels))
    if not texts:
        raise DataError(f"{path}: holds no .txt files in a folder of a class")
    return texts, labels


def _read_text(path: Path) -> str:
    try:
        return content(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text") from error
