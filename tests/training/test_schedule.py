"""Which rows a step takes follows from seed, fold and epoch alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnrun.spec.training import Training
from nnrun.training.rows import Schedule
from nnrun.types import Array, Fold


def schedule(
    rows: int = 100, *, seed: int = 0, number: int = 0, held_out: int = 0, **training: Any
) -> Schedule:
    fold = Fold(np.arange(held_out, rows), np.arange(held_out), number)
    given = {"optimizer": "sgd", "loss": "mse", "epochs": 3, **training}
    return Schedule(fold, Training.model_validate(given), seed)


def orders(schedule: Schedule) -> list[Array]:
    return [schedule.order(epoch) for epoch in range(schedule.epochs)]


def test_each_epoch_takes_every_training_row_once() -> None:
    """And no row that is held out."""
    found = orders(schedule(held_out=20))

    assert [np.sort(order).tolist() for order in found] == [list(range(20, 100))] * 3


def test_each_epoch_has_an_order_of_its_own() -> None:
    first, second, third = orders(schedule())

    assert not np.array_equal(first, second)
    assert not np.array_equal(second, third)


def test_the_same_seed_gives_the_same_orders() -> None:
    """Whichever epoch is asked for first: a resumed run starts in the middle."""
    assert np.array_equal(schedule(seed=4).order(2), orders(schedule(seed=4))[2])


@pytest.mark.parametrize("other", [{"seed": 5}, {"number": 1}], ids=str)
def test_another_seed_or_fold_gives_another_order(other: dict[str, int]) -> None:
    assert not np.array_equal(schedule(seed=4).order(0), schedule(**{"seed": 4, **other}).order(0))


def test_without_shuffling_rows_keep_their_order() -> None:
    found = orders(schedule(held_out=20, shuffle=False))

    assert [order.tolist() for order in found] == [list(range(20, 100))] * 3


@pytest.mark.parametrize(
    ("batch_size", "taken", "steps"), [(32, 32, 4), (25, 25, 4), (100, 100, 1), (1000, 100, 1)]
)
def test_the_last_batch_may_be_smaller(batch_size: int, taken: int, steps: int) -> None:
    """And no batch is larger than there are rows."""
    found = schedule(batch_size=batch_size)

    assert (found.batch_size, found.steps) == (taken, steps)
