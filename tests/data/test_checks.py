"""Errors and notices about rows before training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nnrun.data import checks
from nnrun.errors import DataError, IncompatibleSpec
from nnrun.spec.experiment import Experiment
from nnrun.types import Column, Dataset, Fold, Sequences, Split, Target

TRAIN = Fold(np.arange(4), np.arange(4, 5))
ROWS = [[1.0, 2.0], [2.0, 3.0], [3.0, 4.0], [4.0, 5.0], [5.0, 6.0]]
OTHER = [9.0, 9.0]


def table(x: list[list[float]], y: list[int], *test: list[float]) -> Dataset:
    split = Split(np.array(x), np.array(y))
    held_out = Split(np.array(test), np.zeros(len(test), dtype=int))
    return Dataset(
        "toy", split, held_out, Target.one_of("class", ("no", "yes")), features=("a", "b")
    )


def notices(dataset: Dataset, fold: Fold) -> list[str]:
    return [f"{notice.code} {notice.message}" for notice in checks.notices(dataset, fold)]


def test_a_missing_value_is_refused_with_its_row() -> None:
    """One NaN makes every weight NaN after the first step."""
    dataset = table([*ROWS[:3], [np.nan, 1.0], ROWS[4]], [0, 1, 0, 1, 0], OTHER)

    with pytest.raises(DataError, match="training rows hold inputs that are not numbers, in 1 of 5 "
                       "rows; the first is row 3"):  # fmt: skip
        checks.check_numbers(dataset)


CASES = {
    "good rows": (table(ROWS, [0, 1, 0, 1, 0], OTHER), []),
    "a constant column": (
        table([[1, 7], [2, 7], [3, 7], [4, 7], [5, 8]], [0, 1, 0, 1, 0], OTHER),
        ["NN222 constant in all training rows: b"],
    ),
    "held-out rows that train": (
        table([*ROWS[:4], ROWS[0]], [0, 1, 0, 1, 0], ROWS[1], ROWS[2], OTHER),
        [
            "NN221 1 of 1 validation rows are training rows too",
            "NN221 2 of 3 test rows are training rows too",
        ],
    ),
    "dark images of 16 bits": (
        replace(table([[9.0], [25.0], [3.0], [4.0], [255.0]], [0, 1, 0, 1, 0], [8.0]), highest=255),
        [
            "NN231 the brightest pixel of all training images is 25 of 255; images of 16 bits are "
            "divided by 257"
        ],
    ),
    "test rows with categories of their own": (
        replace(
            table([[1, 0], [0, 1], [1, 0], [0, 1], [1, 0]], [0, 1, 0, 1, 0], [0, 0], [np.nan] * 2),
            features=("city=oslo", "city=rome"),
            columns=(Column("city", ("oslo", "rome")),),
        ),
        [
            "NN237 1 of 2 test rows have values of 'city' that the training file does not hold",
            "NN221 1 of 1 validation rows are training rows too",
        ],
    ),
    "classes numbered from 1": (
        replace(
            table(ROWS, [1, 2, 1, 2, 1]),
            test=Split(np.array([OTHER]), np.array([1])),
            target=Target.one_of("class", tuple("012")),
        ),
        ["NN240 no row is of class 0; classes are numbered from 0, so subtract 1"],
    ),
    "one class": (
        table(ROWS, [1, 1, 1, 1, 1], OTHER),
        ["NN223 100% of the training rows are of class yes: predicting it always is as accurate"],
    ),
    "a class without training rows": (
        table(ROWS, [0, 0, 0, 0, 1], OTHER),
        [
            "NN223 100% of the training rows are of class no: predicting it always is as accurate",
            "NN206 validation rows have classes without training rows: yes; use take: random and "
            "stratify: true",
        ],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_misleading_rows_get_a_notice(case: str) -> None:
    dataset, expected = CASES[case]

    assert notices(dataset, TRAIN) == expected


def test_repeated_texts_are_counted() -> None:
    train = Sequences(np.array([1, 2, 3, 4, 4]), np.array([0, 2, 4, 5]))
    test = Sequences(np.array([3, 4, 3]), np.array([0, 2, 3]))
    dataset = Dataset("toy", Split(train, np.zeros(3)), Split(test, np.zeros(2)))

    assert notices(dataset, Fold(np.arange(3), np.arange(0))) == [
        "NN221 1 of 2 test rows are training rows too"
    ]


def test_texts_without_words_are_counted() -> None:
    """Such as an empty file."""
    train = Sequences(np.array([1, 2, 3]), np.array([0, 2, 2, 3]))
    test = Sequences(np.array([3, 4, 3]), np.array([0, 2, 3]))
    dataset = Dataset("toy", Split(train, np.zeros(3)), Split(test, np.zeros(2)))

    assert "NN241 1 of 3 training texts have no word" in notices(
        dataset, Fold(np.arange(3), np.arange(0))
    )


def experiment(prepare: list[object], model: list[object]) -> Experiment:
    training = {"optimizer": "sgd", "loss": "mse", "epochs": 1}
    dataset = {"name": "imdb", "prepare": prepare}
    return Experiment.model_validate(
        {"name": "x", "dataset": dataset, "model": model, "training": training}
    )


def test_word_indices_must_fit_the_model() -> None:
    """Also those of test rows: TensorFlow would fail after the training."""
    words = Dataset(
        "toy",
        Split(Sequences(np.array([1, 2]), np.array([0, 2])), np.zeros(1)),
        Split(Sequences(np.array([12]), np.array([0, 1])), np.zeros(1)),
    )
    embedding = {"Embedding": {"input_dim": 12, "output_dim": 4}}

    with pytest.raises(
        IncompatibleSpec, match="multi_hot is 12, but word indices go up to 12; raise"
    ):
        checks.check_word_indices(words, experiment([{"multi_hot": 12}], ["Flatten"]))
    with pytest.raises(IncompatibleSpec, match="input_dim is 12, but word indices go up to 12"):
        checks.check_word_indices(words, experiment([{"pad": 3}], [embedding]))
    checks.check_word_indices(words, experiment([{"multi_hot": 13}], ["Flatten"]))
