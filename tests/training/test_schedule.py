"""The rows of a step depend on seed, fold and epoch alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnrun.spec.training import Training
from nnrun.training.rows import Schedule
from nnrun.types import Fold


def schedule(*, seed: int = 0, number: int = 0, held_out: int = 0, **training: Any) -> Schedule:
    """Of 100 rows."""
    fold = Fold(np.arange(held_out, 100), np.arange(held_out), number)
    given = {"optimizer": "sgd", "loss": "mse", "epochs": 3, **training}
    return Schedule(fold, Training.model_validate(given), seed)


def orders(schedule: Schedule) -> list[list[int]]:
    return [schedule.order(epoch).tolist() for epoch in range(schedule.epochs)]


def test_each_epoch_takes_every_training_row_once_in_a_new_order() -> None:
    first, second, third = orders(schedule(held_out=20))

    assert sorted(first) == sorted(second) == sorted(third) == list(range(20, 100))
    assert first != second != third


def test_the_same_seed_gives_the_same_orders() -> None:
    """Also if the first epoch is not asked for: a resumed run starts in the middle."""
    assert schedule(seed=4).order(2).tolist() == orders(schedule(seed=4))[2]


@pytest.mark.parametrize("other", [{"seed": 5}, {"number": 1}], ids=str)
def test_another_seed_or_fold_gives_another_order(other: dict[str, int]) -> None:
    assert orders(schedule(seed=4)) != orders(schedule(**{"seed": 4, **other}))


def test_without_shuffling_rows_keep_their_order() -> None:
    assert orders(schedule(held_out=20, shuffle=False)) == [list(range(20, 100))] * 3


@pytest.mark.parametrize(
    ("batch_size", "used", "steps"), [(32, 32, 4), (25, 25, 4), (100, 100, 1), (1000, 100, 1)]
)
def test_the_last_batch_may_be_smaller(batch_size: int, used: int, steps: int) -> None:
    """And no batch is larger than the number of rows."""
    limited = schedule(batch_size=batch_size)

    assert (limited.batch_size(0), limited.steps(0)) == (used, steps)


def test_a_stage_has_its_own_batch_size() -> None:
    stages = [{"epochs": 1}, {"epochs": 1, "batch_size": 10}, {"epochs": 1}]
    given = schedule(batch_size=50, stages=stages)

    assert [given.steps(epoch) for epoch in range(4)] == [2, 10, 2, 2]


def test_the_last_stage_has_no_end() -> None:
    stages = [{"epochs": 2}, {"epochs": 1}]
    training = schedule(stages=stages).training

    assert [training.stage_of_epoch(epoch) for epoch in range(5)] == [0, 0, 1, 1, 1]
    assert schedule().training.stage_of_epoch(2) == 0
