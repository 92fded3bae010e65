"""Rows of words as arrays: bags of them, as bits or as numbers of words, or padded to one length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nnrun.records import Array, Sequences
from nnrun.spec.steps import Pad

CHUNK_ROWS = 4096
_FEW_ROWS = 64
# Row `b` holds the eight bits of the byte `b`, highest first, as `numpy.packbits` lays them.
BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32)


def packed_bytes(dimension: int) -> int:
    """Bytes that hold so many bits."""
    return -(-dimension // 8)


def packed(x: Sequences, dimension: int) -> Array:
    """One bit per row and word: shape `(rows, bytes)`, 32 times smaller than floats."""
    bits = np.zeros((len(x), packed_bytes(dimension)), dtype=np.uint8)
    for rows, owners, words in _parts(x, CHUNK_ROWS):
        hot = np.zeros((len(bits[rows]), dimension), dtype=bool)
        hot[owners, words] = True
        bits[rows] = np.packbits(hot, axis=1)
    return bits


def distinct(x: Sequences, dimension: int) -> Sequences:
    """The words of each row, each once, in the order in which they are last mentioned; int32."""
    kept = np.empty(len(x.values), dtype=bool)
    # Where a word of a row was mentioned last; of so few rows that it fits the processor's cache.
    last = np.empty(_FEW_ROWS * dimension, dtype=np.int32)
    for rows, owners, words in _parts(x, _FEW_ROWS):
        mentioned = np.arange(len(words), dtype=np.int32)
        places = owners * dimension + words
        last[places] = mentioned
        kept[x.offsets[rows.start] : x.offsets[rows.stop]] = last[places] == mentioned
    offsets = np.concatenate([[0], np.cumsum(kept)])[x.offsets]
    return Sequences(x.values[kept].astype(np.int32), offsets.astype(np.int64))


def padded(x: Sequences, pad: Pad) -> Array:
    """Word indices of shape `(rows, maxlen)`, cut and filled as `pad_sequences` does."""
    lengths = x.lengths()
    kept = np.minimum(lengths, pad.maxlen)
    begin = x.offsets[:-1] + (lengths - kept if pad.truncating == "pre" else 0)
    shift = pad.maxlen - kept if pad.padding == "pre" else np.zeros_like(kept)
    rows = np.repeat(np.arange(len(x)), kept)
    within = np.arange(kept.sum()) - np.repeat(np.cumsum(kept) - kept, kept)
    padded = np.full((len(x), pad.maxlen), pad.value, dtype=np.int32)
    padded[rows, within + np.repeat(shift, kept)] = x.values[within + np.repeat(begin, kept)]
    return padded


def _parts(x: Sequences, many: int) -> Iterator[tuple[slice, Array, Array]]:
    """Some rows at a time: which, and for each of their words whose it is, counted from them."""
    for start in range(0, len(x), many):
        stop = min(start + many, len(x))
        owners = np.repeat(np.arange(stop - start), np.diff(x.offsets[start : stop + 1]))
        yield slice(start, stop), owners, x.values[x.offsets[start] : x.offsets[stop]]
