"""Which rows each step of each epoch takes: a function of seed, fold and epoch alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnrun.records import Array, Fold
from nnrun.spec.training import Training


@dataclass(frozen=True)
class Schedule:
    """The batches of every epoch.

    No random state passes from one epoch to the next, so a resumed run needs none, and every
    engine sees the same batches.

    Args:
        fold: its training rows.
        training: epochs, batch size, shuffling.
        seed: the experiment's.
    """

    fold: Fold
    training: Training
    seed: int

    @property
    def epochs(self) -> int:
        """How many passes over the rows."""
        return self.training.epochs

    @property
    def batch_size(self) -> int:
        """Rows per step; never more than there are."""
        return min(self.training.batch_size, len(self.fold.train))

    @property
    def steps(self) -> int:
        """Steps per epoch; the last may have fewer rows."""
        return -(-len(self.fold.train) // self.batch_size)

    def order(self, epoch: int) -> Array:
        """The training rows in the order of one epoch, counted from 0; int32."""
        rows = self.fold.train.astype(np.int32)
        if not self.training.shuffle:
            return rows
        return np.random.default_rng([self.seed, self.fold.number, epoch]).permutation(rows)
