"""The data sets imdb and reuters: texts as ranks of words, selected as by Keras."""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping, Sequence
from functools import partial
from io import BufferedReader, BytesIO
from itertools import chain
from zipfile import ZipFile

import numpy as np
from numpy.lib.format import read_array

from nnrun.data.cache import fetch, fetch_bytes
from nnrun.data.published import IMDB, IMDB_WORDS, REUTERS, REUTERS_WORDS, File
from nnrun.spec.dataset import Imdb, Reuters, Words
from nnrun.spec.profile import split_index
from nnrun.types import Array, Dataset, Sequences, Split, Target, Vocabulary, offsets

_BUFFER_BYTES = 2**20

TOPICS = tuple(  # in the order of the labels
    """
    cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves
    ship cotton carcass crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin
    strategic-metal livestock retail ipi iron-steel rubber heat jobs lei bop zinc orange pet-chem
    dlr gas silver wpi hog lead
    """.split()
)


def imdb(spec: Imdb) -> Dataset:
    """50,000 film reviews from the Large Movie Review Dataset (Maas et al., ACL 2011).

    Returns:
        The rows of `keras.datasets.imdb.load_data`, in its order: word indices as `Sequences` of
        int32; labels are 0 (negative) and 1 (positive).
    """
    archive = fetch_bytes(IMDB)
    rng = np.random.RandomState(spec.seed)  # one for both halves, as in Keras
    x_train, y_train = _rows(archive, "_train", spec, rng)
    x_test, y_test = _rows(archive, "_test", spec, rng)
    x_train, x_test = _select_words(spec, x_train, x_test)
    return Dataset(
        spec.name,
        Split(x_train, y_train),
        Split(x_test, y_test),
        Target.one_of("sentiment", ("negative", "positive")),
        vocabulary=partial(read_words, IMDB_WORDS, spec),
        words=partial(_read_vocabulary, IMDB_WORDS, spec, _index_limit(spec, x_train, x_test)),
    )


def reuters(spec: Reuters) -> Dataset:
    """11,228 newswires of 1987 from Reuters-21578, those with a single topic.

    Returns:
        The rows of `keras.datasets.reuters.load_data`, in its order: word indices as `Sequences` of
        int32; labels are 0 to 45.
    """
    x, y = _rows(fetch_bytes(REUTERS), "", spec, np.random.RandomState(spec.seed))
    [x] = _select_words(spec, x)
    row = split_index(len(x), spec.test_split)
    start = x.offsets[row]
    return Dataset(
        spec.name,
        Split(Sequences(x.values[:start], x.offsets[: row + 1]), y[:row]),
        Split(Sequences(x.values[start:], x.offsets[row:] - start), y[row:]),
        Target.one_of("topic", TOPICS),
        vocabulary=partial(read_words, REUTERS_WORDS, spec),
        words=partial(_read_vocabulary, REUTERS_WORDS, spec, _index_limit(spec, x)),
    )


def read_words(index: File, spec: Words) -> Mapping[int, str]:
    """The word of each index, with marks in angle brackets for padding, start and unknown words."""
    words = {index: word for word, index in _read_indices(index, spec).items()}
    marks = {spec.oov_char: "<unknown>", spec.start_char: "<start>"}
    # A mark replaces a word of the same index: it is in every text, the word in few.
    return {0: "<pad>", **words, **{char: mark for char, mark in marks.items() if char is not None}}


def _read_vocabulary(index: File, spec: Words, limit: int) -> Vocabulary:
    """The index of each word below a limit, for new texts."""
    indices = _read_indices(index, spec).items()
    kept = sorted((at, word) for word, at in indices if spec.skip_top <= at < limit)
    start = spec.start_char
    # Keras adds the start before it replaces frequent words.
    if start is not None and not spec.skip_top <= start < limit:
        start = spec.oov_char
    return Vocabulary({word: at for at, word in kept}, start, spec.oov_char)


def _read_indices(index: File, spec: Words) -> Mapping[str, int]:
    ranks: dict[str, int] = json.loads(fetch(index).read_text(encoding="utf-8"))
    return {word: rank + spec.index_from for word, rank in ranks.items()}


def _index_limit(spec: Words, *rows: Sequences) -> int:
    # Words above the highest index of all never occurred, whether there was a limit or not.
    return spec.num_words or 1 + max(int(x.values.max(initial=0)) for x in rows)


def _rows(
    archive: BytesIO, suffix: str, spec: Words, rng: np.random.RandomState
) -> tuple[Sequences, Array]:
    """Reads and shuffles texts and labels, turns ranks into indices and leaves out long texts."""
    texts, labels = (_read_array(archive, f"{name}{suffix}") for name in "xy")
    order = rng.permutation(len(texts))
    labels = labels[order].astype(np.int64)
    lengths = np.fromiter(map(len, texts[order]), np.int64, len(texts))
    ranks = np.fromiter(chain.from_iterable(texts[order]), np.int32, int(lengths.sum()))
    x = Sequences(ranks + np.int32(spec.index_from), offsets(lengths))
    if spec.start_char is not None:
        values = np.insert(x.values, x.offsets[:-1], spec.start_char)
        x = Sequences(values, x.offsets + np.arange(len(x.offsets)))
    if spec.maxlen is None:
        return x, labels
    short = x.lengths() < spec.maxlen
    kept = x.values[np.repeat(short, x.lengths())]
    return Sequences(kept, offsets(x.lengths()[short])), labels[short]


def _read_array(archive: BytesIO, name: str) -> Array:
    """An array of pickled lists, from bytes whose hash was checked."""
    # `np.load` takes twice as long: it reads small pieces, and the garbage collector visits lists.
    with ZipFile(archive) as members:
        content = BufferedReader(BytesIO(members.read(f"{name}.npy")), _BUFFER_BYTES)
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return read_array(content, allow_pickle=True)
    finally:
        if was_enabled:
            gc.enable()


def _select_words(spec: Words, *rows: Sequences) -> Sequence[Sequences]:
    """Replaces words that are too rare or too frequent by `oov_char`, or drops them."""
    # Without `num_words`, Keras uses the highest index as an exclusive limit, so the rarest word
    # becomes `oov_char`. These rows are the same.
    limit = spec.num_words or max(int(x.values.max(initial=0)) for x in rows)
    selected = []
    for x in rows:
        inside = (x.values >= spec.skip_top) & (x.values < limit)
        if spec.oov_char is None:
            selected.append(Sequences(x.values[inside], offsets(inside)[x.offsets]))
        else:
            selected.append(
                Sequences(np.where(inside, x.values, np.int32(spec.oov_char)), x.offsets)
            )
    return selected
