"""What is said of the rows before training."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.data import checks
from nnrun.errors import DataError, IncompatibleSpec
from nnrun.spec.experiment import Experiment
from nnrun.types import Dataset, Fold, Sequences, Split

TRAIN = Fold(np.arange(4), np.arange(4, 5))


def table(x: list[list[float]], y: list[int], test: list[list[float]]) -> Dataset:
    split = Split(np.array(x), np.array(y))
    held_out = Split(np.array(test), np.zeros(len(test), dtype=int))
    return Dataset("toy", split, held_out, classes=("no", "yes"), features=("a", "b"))


ROWS = [[1.0, 2.0], [2.0, 3.0], [3.0, 4.0], [4.0, 5.0], [5.0, 6.0]]


def told(dataset: Dataset, fold: Fold) -> list[str]:
    return [f"{found.code} {found.message}" for found in checks.notices(dataset, fold)]


def test_good_rows_need_no_word() -> None:
    """A notice that always comes is read by nobody."""
    dataset = table(ROWS, [0, 1, 0, 1, 0], [[9.0, 9.0]])

    assert told(dataset, TRAIN) == []


def test_a_missing_value_is_refused_with_its_row() -> None:
    """One NaN makes every weight NaN after the first step."""
    dataset = table([*ROWS[:3], [np.nan, 1.0], ROWS[4]], [0, 1, 0, 1, 0], [[9.0, 9.0]])

    with pytest.raises(DataError, match="training rows hold inputs that are not numbers, in 1 of 5 "
                       "rows; the first is row 3"):  # fmt: skip
        checks.check_numbers(dataset)


def test_a_column_that_never_changes_in_training_is_named() -> None:
    """It teaches nothing, whatever it does in rows held out."""
    dataset = table([[1, 7], [2, 7], [3, 7], [4, 7], [5, 8]], [0, 1, 0, 1, 0], [[9, 9]])

    assert told(dataset, TRAIN) == ["NN222 constant in all training rows: b"]


def test_a_class_that_outweighs_all_others_is_named() -> None:
    """An accuracy of 100 % is nothing where all rows are of one class."""
    dataset = table(ROWS, [1, 1, 1, 1, 0], [[9.0, 9.0]])

    note = "NN223 100% of the training rows are of class yes: predicting it always is as accurate"

    assert note in told(dataset, TRAIN)


def test_held_out_rows_that_were_learnt_are_counted() -> None:
    """A model is praised for what it remembers."""
    rows = [*ROWS[:4], ROWS[0]]
    dataset = table(rows, [0, 1, 0, 1, 0], [ROWS[1], ROWS[2], [9.0, 9.0]])

    assert told(dataset, TRAIN) == [
        "NN221 1 of 1 validation rows are training rows too",
        "NN221 2 of 3 test rows are training rows too",
    ]


def test_texts_are_compared_word_by_word() -> None:
    """Rows of different length have no common shape to compare by."""
    train = Sequences(np.array([1, 2, 3, 4, 4]), np.array([0, 2, 4, 5]))
    test = Sequences(np.array([3, 4, 3]), np.array([0, 2, 3]))
    dataset = Dataset("toy", Split(train, np.zeros(3)), Split(test, np.zeros(2)))

    assert told(dataset, Fold(np.arange(3), np.arange(0))) == [
        "NN221 1 of 2 test rows are training rows too"
    ]


def test_held_out_classes_that_nothing_has_taught_are_named() -> None:
    """Data is often stored class by class, and then the last rows are of a class of their own."""
    dataset = table(ROWS, [0, 0, 0, 1, 1], [[9.0, 9.0]])
    last, mixed = Fold(np.arange(3), np.arange(3, 5)), Fold(np.array([0, 1, 3]), np.array([2, 4]))

    assert told(dataset, last)[-1].startswith("NN206 validation rows have classes without training")
    assert told(dataset, mixed) == []


@pytest.mark.usefixtures("full_data")
def test_imdb_repeats_some_reviews() -> None:
    """Found by this check in the published data: reviews that stand in both halves."""
    from nnrun.data.datasets import load
    from nnrun.spec.dataset import Imdb

    dataset = load(Imdb(name="imdb"))
    everything = Fold(np.arange(25_000), np.arange(0))

    [notice] = told(dataset, everything)

    assert notice.endswith("of 25,000 test rows are training rows too")


def experiment(prepare: list[object], model: list[object]) -> Experiment:
    training = {"optimizer": "sgd", "loss": "mse", "epochs": 1}
    dataset = {"name": "imdb", "prepare": prepare}
    return Experiment.model_validate(
        {"name": "x", "dataset": dataset, "model": model, "training": training}
    )


WORDS = Dataset(
    "toy",
    Split(Sequences(np.array([1, 2]), np.array([0, 2])), np.zeros(1)),
    Split(Sequences(np.array([12]), np.array([0, 1])), np.zeros(1)),
)


def test_a_word_without_a_column_is_refused() -> None:
    """Also one that only a test row has; left out, it would make another row than it is."""
    with pytest.raises(
        IncompatibleSpec, match="multi_hot is 12, but word indices go up to 12; raise"
    ):
        checks.check_word_indices(WORDS, experiment([{"multi_hot": 12}], ["Flatten"]))

    checks.check_word_indices(WORDS, experiment([{"multi_hot": 13}], ["Flatten"]))


def test_a_word_that_an_embedding_does_not_hold_is_refused() -> None:
    """TensorFlow finds out in the middle of the test, when training has been paid for."""
    layers = {"Embedding": {"input_dim": 12, "output_dim": 4}}

    with pytest.raises(IncompatibleSpec, match="input_dim is 12, but word indices go up to 12"):
        checks.check_word_indices(WORDS, experiment([{"pad": 3}], [layers]))
