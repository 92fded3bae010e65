"""What imdb and reuters have in common: texts as ranks of words, selected as Keras does."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Mapping
from functools import partial
from io import BufferedReader, BytesIO
from itertools import chain
from operator import itemgetter
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.lib.format import read_array

from nnrun.data.cache import fetch, fetch_bytes
from nnrun.data.published import IMDB, IMDB_WORDS, REUTERS, REUTERS_WORDS, File
from nnrun.spec.dataset import Imdb, Reuters, Words
from nnrun.spec.profile import split_index
from nnrun.types import Array, Dataset, Sequences, Split, Vocabulary


def indexed(texts: Array, labels: Array, spec: Words, rng: np.random.RandomState) -> Split:
    """Shuffles the texts, turns ranks into indices and leaves out the long ones.

    Args:
        texts: a list of ranks per text, counted from 1; an object array of shape `(rows,)`.
        labels: class numbers, shape `(rows,)`.
        spec: `index_from`, `start_char` and `maxlen` are used.
        rng: makes one permutation.
    """
    order = rng.permutation(len(texts))
    rows = _opened(_end_to_end(texts[order]), spec)
    labels = labels[order].astype(np.int64)
    if spec.maxlen is None:
        return Split(rows, labels)
    short = rows.lengths() < spec.maxlen
    return Split(_where(rows, np.repeat(short, rows.lengths()), short), labels[short])


def known(spec: Words, *splits: Split) -> tuple[Split, ...]:
    """Replaces the words that are too rare or too frequent by `oov_char`, or drops them.

    Args:
        spec: `num_words`, `skip_top` and `oov_char` are used.
        splits: all rows of the data set; their x are `Sequences`.
    """
    values = [_sequences(split).values for split in splits]
    # Without `num_words` Keras takes the highest index that occurs as the bound, and the bound
    # itself is left out: the rarest word becomes `oov_char`. The very rows are promised.
    bound = spec.num_words or max(int(v.max(initial=0)) for v in values)
    return tuple(
        Split(_bounded(_sequences(split), spec.skip_top, bound, spec.oov_char), split.y)
        for split in splits
    )


def cut(split: Split, row: int) -> tuple[Split, Split]:
    """The rows before `row`, and those from it on."""
    rows = _sequences(split)
    at = rows.offsets[row]
    return (
        Split(Sequences(rows.values[:at], rows.offsets[: row + 1]), split.y[:row]),
        Split(Sequences(rows.values[at:], rows.offsets[row:] - at), split.y[row:]),
    )


def vocabulary(index: File, spec: Words) -> Callable[[], Mapping[int, str]]:
    """A function that reads the word of each index; nothing is read before it is called."""
    marks = {spec.oov_char: "<unknown>", spec.start_char: "<start>"}
    return partial(
        _read_vocabulary,
        index,
        spec.index_from,
        {char: mark for char, mark in marks.items() if char is not None},
    )


def _read_vocabulary(index: File, index_from: int, marks: Mapping[int, str]) -> Mapping[int, str]:
    ranks: dict[str, int] = json.loads(fetch(index).read_text(encoding="utf-8"))
    words = {rank + index_from: word for word, rank in ranks.items()}
    # A mark goes before a word: it stands in every text, the word of that index in few.
    return {0: "<pad>", **words, **marks}


def encoding(index: File, spec: Words, *splits: Split) -> Callable[[], Vocabulary]:
    """A function that reads how new texts are encoded; nothing is read before it is called.

    Args:
        index: the file of the words with their ranks.
        spec: as of `known`.
        splits: what `known` has made of the rows.
    """
    # Words above the highest index of all were never seen, whether there was a limit or not.
    highest = max(int(_sequences(split).values.max(initial=0)) for split in splits)
    return partial(_read_encoding, index, spec, spec.num_words or highest + 1)


def _read_encoding(index: File, spec: Words, bound: int) -> Vocabulary:
    ranks: dict[str, int] = json.loads(fetch(index).read_text(encoding="utf-8"))
    indices = {word: rank + spec.index_from for word, rank in ranks.items()}
    kept = {word: at for word, at in indices.items() if spec.skip_top <= at < bound}
    start = spec.start_char
    # Keras opens the texts before it leaves out what is too frequent.
    if start is not None and not spec.skip_top <= start < bound:
        start = spec.oov_char
    return Vocabulary(dict(sorted(kept.items(), key=itemgetter(1))), start, spec.oov_char)


def _sequences(split: Split) -> Sequences:
    assert isinstance(split.x, Sequences)
    return split.x


def _end_to_end(texts: Array) -> Sequences:
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    values = np.fromiter(chain.from_iterable(texts), np.int32, int(lengths.sum()))
    return Sequences(values, _offsets(lengths))


def _opened(rows: Sequences, spec: Words) -> Sequences:
    values = rows.values + np.int32(spec.index_from)
    if spec.start_char is None:
        return Sequences(values, rows.offsets)
    values = np.insert(values, rows.offsets[:-1], spec.start_char)
    return Sequences(values, rows.offsets + np.arange(len(rows.offsets)))


def _bounded(rows: Sequences, lowest: int, bound: int, oov_char: int | None) -> Sequences:
    inside = (rows.values >= lowest) & (rows.values < bound)
    if oov_char is None:
        return _where(rows, inside, np.ones(len(rows), bool))
    return Sequences(np.where(inside, rows.values, np.int32(oov_char)), rows.offsets)


def _where(rows: Sequences, elements: Array, kept: Array) -> Sequences:
    """The chosen elements of the chosen rows; bools of shape `(elements,)` and `(rows,)`."""
    before = _offsets(elements)
    lengths = np.diff(before[rows.offsets])
    return Sequences(rows.values[elements], _offsets(lengths[kept]))


def _offsets(lengths: Array) -> Array:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


# Archives of arrays that Keras publishes, of Python's own objects: each a pickle, which runs code.

_PIECE = 2**20


def archive(file: File) -> Callable[[str], Array]:
    """A function that gives an array by its name.

    In half of the time that `np.load` takes, which hands over small pieces of the file and lets
    the collector look at every list that comes out of them.

    Raises:
        DataError: the file cannot be had.
    """
    return partial(_array, fetch_bytes(file))  # unpickled only because its hash is right


def _array(content: BytesIO, name: str) -> Array:
    with ZipFile(content) as members:
        whole: Any = BufferedReader(BytesIO(members.read(f"{name}.npy")), _PIECE)  # no `IO[bytes]`
    collects = gc.isenabled()
    gc.disable()
    try:
        array: Array = read_array(whole, allow_pickle=True)
    finally:
        if collects:
            gc.enable()
    return array


# 50,000 film reviews from the Large Movie Review Dataset (Maas et al., ACL 2011).


def imdb(spec: Imdb) -> Dataset:
    """The rows of `keras.datasets.imdb.load_data`, in its order.

    Returns:
        Word indices as `Sequences` of int32; labels are 0 (negative) and 1 (positive).

    Raises:
        DataError: a file cannot be had.
    """
    array = archive(IMDB)
    rng = np.random.RandomState(spec.seed)  # one for both halves, as in Keras
    halves = [
        indexed(array(f"x_{half}"), array(f"y_{half}"), spec, rng) for half in ("train", "test")
    ]
    train, test = known(spec, *halves)
    return Dataset(
        spec.name,
        train,
        test,
        classes=("negative", "positive"),
        target="sentiment",
        vocabulary=vocabulary(IMDB_WORDS, spec),
        words=encoding(IMDB_WORDS, spec, train, test),
    )


# 11,228 newswires of 1987 from Reuters-21578, those with a single topic.

TOPICS = tuple(  # in the order of the labels
    """
    cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves
    ship cotton carcass crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin
    strategic-metal livestock retail ipi iron-steel rubber heat jobs lei bop zinc orange pet-chem
    dlr gas silver wpi hog lead
    """.split()
)


def reuters(spec: Reuters) -> Dataset:
    """The rows of `keras.datasets.reuters.load_data`, in its order.

    Returns:
        Word indices as `Sequences` of int32; labels are 0 to 45.

    Raises:
        DataError: a file cannot be had.
    """
    array = archive(REUTERS)
    rng = np.random.RandomState(spec.seed)
    [rows] = known(spec, indexed(array("x"), array("y"), spec, rng))
    train, test = cut(rows, split_index(len(rows), spec.test_split))
    return Dataset(
        spec.name,
        train,
        test,
        classes=TOPICS,
        target="topic",
        vocabulary=vocabulary(REUTERS_WORDS, spec),
        words=encoding(REUTERS_WORDS, spec, rows),
    )
