"""Rows that the exported model and Keras's are both asked about."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nnrun import datasets
from nnrun.errors import DataError
from nnrun.prediction import Raw, Subject, held_back
from nnrun.records import Array, Inputs, Sequences

MOST = 100
"""Rows at most, and fewer of large ones: deep models take a second for each picture."""
_NUMBERS = 4_000_000
_WORDS = 60  # in a text that is made up

TEST, RANDOM = "the test set", "random numbers"


@dataclass(frozen=True)
class Compared:
    """Rows as the model takes them.

    Args:
        x: shape `(rows, …)`.
        source: where they are from, `TEST` or `RANDOM`.
    """

    x: Array
    source: str


def compared(subject: Subject) -> Compared:
    """The first test rows where the data are at hand, else random ones; nothing is downloaded."""
    shape = subject.fitted.steps[-1].shape if subject.fitted.steps else subject.looks.shape
    count = max(2, min(MOST, _NUMBERS // math.prod(shape)))
    if not datasets.missing(subject.spec.dataset):
        try:
            raw = held_back.read(subject, held_back.Range(0, count))
        except DataError:
            """A file of a person's own that is gone, or is another by now."""
        else:
            return Compared(_prepared(subject, raw), TEST)
    return Compared(_random(subject, count, shape), RANDOM)


def _prepared(subject: Subject, raw: Raw) -> Array:
    preparation = subject.fitted.preparation(raw.x)
    prepared = preparation.expand(preparation.store(raw.x), np, preparation.state)
    return np.asarray(prepared, dtype=preparation.dtype)


def _random(subject: Subject, count: int, shape: tuple[int, ...]) -> Array:
    """Numbers of the size that the model takes."""
    rng = np.random.default_rng(0)
    looks = subject.looks
    x: Inputs
    if looks.kind == "texts":
        x = _texts(np.array([*subject.vocabulary().words.values()], np.int32), count, rng)
    elif looks.kind == "images":
        x = rng.uniform(0, looks.highest or 1.0, (count, *looks.shape))
    else:
        return rng.normal(size=(count, *shape)).astype(np.float32)
    return _prepared(subject, Raw(tuple(map(str, range(count))), x))


def _texts(known: Array, count: int, rng: np.random.Generator) -> Sequences:
    return Sequences(rng.choice(known, count * _WORDS), np.arange(count + 1) * _WORDS)
