"""50,000 film reviews from the Large Movie Review Dataset (Maas et al., ACL 2011)."""

from __future__ import annotations

import numpy as np

from nnrun.cache.published import IMDB, IMDB_WORDS
from nnrun.datasets import words
from nnrun.datasets.pickled import archive
from nnrun.records import Dataset
from nnrun.spec.dataset import Imdb


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
        words.indexed(array(f"x_{half}"), array(f"y_{half}"), spec, rng)
        for half in ("train", "test")
    ]
    train, test = words.known(spec, *halves)
    return Dataset(
        spec.name,
        train,
        test,
        classes=("negative", "positive"),
        target="sentiment",
        vocabulary=words.vocabulary(IMDB_WORDS, spec),
        words=words.encoding(IMDB_WORDS, spec, train, test),
    )
