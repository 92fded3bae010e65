"""11,228 newswires of 1987 from Reuters-21578, those with a single topic."""

from __future__ import annotations

import numpy as np

from nnrun.datasets import cache, shuffling, words
from nnrun.records import Dataset
from nnrun.spec.dataset import Reuters

NEWSWIRES = cache.File(
    "reuters",
    "reuters.npz",
    cache.KERAS_ORIGIN + "reuters.npz",
    "sha256:d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916",
)
WORD_INDEX = cache.File(
    "reuters",
    "reuters_word_index.json",
    cache.KERAS_ORIGIN + "reuters_word_index.json",
    "md5:4d44cc38712099c9e383dc6e5f11a921",
)
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
    path = cache.fetch(NEWSWIRES)  # unpickled below only because its hash is right
    rng = np.random.RandomState(spec.seed)
    with np.load(path, allow_pickle=True) as file:
        [rows] = words.known(spec, words.indexed(file["x"], file["y"], spec, rng))
    train, test = words.cut(rows, shuffling.boundary(len(rows), spec.test_split))
    return Dataset(
        spec.name,
        train,
        test,
        classes=TOPICS,
        target="topic",
        vocabulary=words.vocabulary(WORD_INDEX, spec),
    )
