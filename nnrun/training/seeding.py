"""The only place that touches Keras's global seed."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from nnrun.records import Fold


def seed_everything(seed: int) -> None:
    """Seeds Python, NumPy and Keras, and refuses operations whose result may vary."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def of_fold(seed: int, fold: Fold) -> int:
    """The seed of a fold's first weights and of its layers; that of the experiment for a hold-out.

    Each fold has its own, so that the spread over folds holds what the first weights make of it.
    """
    if not fold.number:
        return seed
    return int(np.random.default_rng([seed, fold.number]).integers(2**31))
