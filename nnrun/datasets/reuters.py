"""11,228 newswires of 1987 from Reuters-21578, those with a single topic."""

from __future__ import annotations

import numpy as np

from nnrun.cache.published import REUTERS, REUTERS_WORDS
from nnrun.datasets import words
from nnrun.datasets.pickled import archive
from nnrun.records import Dataset
from nnrun.spec.dataset import Reuters
from nnrun.spec.profile import boundary

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
    [rows] = words.known(spec, words.indexed(array("x"), array("y"), spec, rng))
    train, test = words.cut(rows, boundary(len(rows), spec.test_split))
    return Dataset(
        spec.name,
        train,
        test,
        classes=TOPICS,
        target="topic",
        vocabulary=words.vocabulary(REUTERS_WORDS, spec),
        words=words.encoding(REUTERS_WORDS, spec, rows),
    )
