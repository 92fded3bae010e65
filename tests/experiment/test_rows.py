"""`nnrun smoke` reduces an experiment to a few rows and changes nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun.data import datasets
from nnrun.errors import DataError, IncompatibleSpec
from nnrun.experiment.smoke import TEST_ROWS, TRAIN_ROWS, SmokeTrial, draw_rows, load_rows
from nnrun.spec.dataset import Mnist
from nnrun.spec.experiment import Experiment
from nnrun.types import Sequences

HOME = os.environ["KERAS_HOME"]
UNITS = {"cifar100": 100, "reuters": 46, "digits": 10, "mnist": 10, "imdb": 1, "iris": 3}


def experiment(dataset: dict[str, Any], validation: Any = None, **training: Any) -> Experiment:
    units = UNITS.get(dataset["name"], dataset.get("classes", 1))
    losses = {1: "binary_crossentropy" if dataset["name"] == "imdb" else "mse"}
    given = {"optimizer": "sgd", "loss": losses.get(units, "sparse_categorical_crossentropy")}
    return Experiment.model_validate(
        {
            "name": "tried",
            "dataset": dataset,
            "model": [{"Dense": {"units": units}}],
            "training": {**given, "epochs": 9, **training},
            "validation": validation,
        }
    )


@pytest.fixture(autouse=True)
def no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path


def tried(*arguments: Any, **training: Any) -> SmokeTrial:
    return load_rows(experiment(*arguments, **training), synthetic=True)


MNIST = {"name": "mnist", "prepare": [{"rescale": 255}, "flatten"]}
IMDB = {"name": "imdb", "num_words": 100, "prepare": [{"multi_hot": 100}]}
DIGITS = {"name": "digits", "prepare": ["flatten"]}


def test_only_the_number_of_epochs_changes() -> None:
    callbacks = [{"EarlyStopping": {"monitor": "loss"}}]
    spec = tried(DIGITS, callbacks=callbacks, metrics=["accuracy"], batch_size=7).prepared.spec
    whole = experiment(DIGITS, callbacks=callbacks, metrics=["accuracy"], batch_size=7)

    assert spec.training == whole.training.model_copy(update={"epochs": 1})
    assert (spec.dataset, spec.model, spec.seed) == (whole.dataset, whole.model, 0)


def test_rows_that_are_installed_are_real() -> None:
    trial, whole = tried(DIGITS), datasets.load(experiment(DIGITS).dataset)
    dataset = trial.prepared.dataset

    assert trial.data == "real"
    assert [len(dataset.train), len(dataset.test)] == [TRAIN_ROWS, TEST_ROWS]
    assert np.array_equal(dataset.train.x, np.asarray(whole.train.x)[:TRAIN_ROWS])
    assert np.array_equal(dataset.test.y, whole.test.y[:TEST_ROWS])
    assert trial.prepared.digest == datasets.digest(dataset)


def test_a_small_data_set_is_used_completely() -> None:
    dataset = tried({"name": "iris"}).prepared.dataset

    assert [len(dataset.train), len(dataset.test)] == [120, 30]


def test_missing_rows_are_drawn_only_with_the_option(no_files: Path) -> None:
    with pytest.raises(DataError) as error:
        load_rows(experiment(MNIST), synthetic=False)

    assert str(error.value) == (
        f"mnist: {no_files}/datasets/mnist.npz is not there, and a smoke run downloads nothing; "
        "--synthetic draws rows of the same shape instead"
    )
    assert tried(MNIST).data == "synthetic"
    assert list(no_files.iterdir()) == []


def test_a_damaged_file_is_an_error_also_with_the_option(no_files: Path) -> None:
    (no_files / "datasets").mkdir()
    (no_files / "datasets" / "mnist.npz").write_bytes(b"half a file")

    with pytest.raises(DataError, match="is not the file that is published"):
        load_rows(experiment(MNIST), synthetic=True)


@pytest.mark.usefixtures("full_data")
def test_the_first_texts_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", HOME)
    few = tried(IMDB).prepared.dataset.train.x
    whole = datasets.load(experiment(IMDB).dataset).train.x
    assert isinstance(few, Sequences)
    assert isinstance(whole, Sequences)

    assert len(few) == TRAIN_ROWS
    assert all(np.array_equal(few.row(i), whole.row(i)) for i in range(TRAIN_ROWS))


@pytest.mark.parametrize(
    ("size", "held"), [(10_000, 205), (0.25, 128), (1, 1), (24_999, 511)], ids=str
)
def test_a_hold_out_keeps_its_share(size: float, held: int) -> None:
    """Of the 25,000 reviews."""
    trial = tried(IMDB, {"holdout": {"size": size, "take": "first"}})
    fold = trial.prepared.fold

    assert trial.prepared.spec.validation.holdout is not None
    assert trial.prepared.spec.validation.holdout.size == held
    assert fold.validation.tolist() == list(range(held))
    assert len(fold.train) == TRAIN_ROWS - held


@pytest.mark.parametrize("name", sorted(UNITS))
@pytest.mark.parametrize(
    "validation",
    [
        {"holdout": {"size": 0.1, "stratify": True}},
        {"holdout": {"size": 0.95, "stratify": True}},
        {"holdout": {"size": 100, "take": "last"}},
        {"kfold": {"folds": 10, "shuffle": True, "stratify": True}},
        {"kfold": {"folds": 3, "time_series": True}},
        {"kfold": {"folds": 100}},
        {"kfold": {"leave_one_out": True}},
        None,
    ],
    ids=str,
)
def test_few_rows_can_be_split_like_all_rows(name: str, validation: Any) -> None:
    """There are some of each class, and at least one per fold."""
    prepare = {"imdb": [{"multi_hot": 100}], "reuters": [{"multi_hot": 100}]}
    words = {"num_words": 100} if name in prepare else {}
    dataset = {"name": name, "prepare": prepare.get(name, ["flatten"]), **words}
    trial = tried(dataset, validation)
    fold, y = trial.prepared.fold, trial.prepared.dataset.train.y

    assert len(fold.train) > 0
    assert (len(fold.validation) > 0) == (validation is not None)
    assert set(y.tolist()) == set(range(len(trial.prepared.dataset.classes)))
    assert len(y) <= max(TRAIN_ROWS, 10 * 100)


def test_without_a_hold_out_the_first_fold_is_used() -> None:
    trial = tried(DIGITS, {"kfold": {"folds": 4}})
    both = tried(DIGITS, {"kfold": {"folds": 4}, "holdout": {"size": 0.5}})

    assert trial.prepared.fold.number == 1
    assert trial.prepared.fold.validation.tolist() == list(range(128))
    assert trial.prepared.scored[0] == "train"
    assert both.prepared.fold.number == 0


@pytest.mark.parametrize(("size", "batch"), [(512, 512), (513, 256), (60_000, 256), (1, 1)])
def test_a_batch_larger_than_the_rows_becomes_half_of_them(size: int, batch: int) -> None:
    """So that the compiled steps of full batches are tried too."""
    assert tried(DIGITS, batch_size=size).prepared.spec.training.batch_size == batch


@pytest.mark.parametrize(
    ("dataset", "validation", "error", "message"),
    [
        # A few texts may lack the word that fails in the experiment.
        (
            {"name": "imdb", "prepare": [{"multi_hot": 10_000}]},
            None,
            IncompatibleSpec,
            "multi_hot is 10000, but word indices go up to 88586",
        ),
        (
            {"name": "reuters", "test_split": 0.99999, "prepare": [{"multi_hot": 40_000}]},
            None,
            DataError,
            r"reuters: .* leaves no row to train on",
        ),
        (
            MNIST,
            {"holdout": {"size": 60_000}},
            IncompatibleSpec,
            "must be less than the 60000 training rows, got 60000",
        ),
    ],
    ids=["word indices", "test split", "hold-out"],
)
def test_errors_of_all_rows_are_found_with_few(
    dataset: dict[str, Any], validation: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        tried(dataset, validation)


def test_equal_seeds_give_equal_rows() -> None:
    first, again = (tried(MNIST).prepared.digest for _ in range(2))
    other = load_rows(experiment(MNIST).model_copy(update={"seed": 1}), synthetic=True)
    drawn = load_rows(experiment(MNIST).model_copy(update={"seed": None}), synthetic=True)

    assert first == again
    assert other.prepared.digest != first
    assert drawn.prepared.spec.seed == drawn.prepared.seed


@pytest.mark.parametrize(("size", "held_out"), [(0.25, 128), (50_000, 26)], ids=["share", "number"])
def test_missing_images_are_drawn(size: float, held_out: int) -> None:
    """Their number is unknown; a share of them stays that share."""
    images = {"name": "images", "path": "/nowhere", "image_size": [4, 6], "classes": 10}
    trial = tried(images, {"holdout": {"size": size}})

    assert trial.data == "synthetic"
    assert trial.prepared.dataset.train.x.shape == (512, 4, 6, 3)
    assert len(trial.prepared.fold.validation) == held_out


def test_named_validation_rows_and_test_sets_are_kept(tmp_path: Path) -> None:
    """They are the last rows; synthetic rows have a share in their place."""
    for name, rows in (("train", 900), ("held", 40), ("old", 300), ("new", 300)):
        lines = [f"{row},{row % 7}.5" for row in range(rows)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["a,b", *lines]), "utf-8")
    path, held, old, new = (str(tmp_path / f"{n}.csv") for n in ("train", "held", "old", "new"))
    table = {"name": "csv", "path": path, "target": "b", "validation": held}
    prepared = tried({**table, "test": {"old": old, "new": new}}).prepared
    images = {"name": "images", "path": "/nowhere", "image_size": [4, 6], "classes": 10}

    assert len(prepared.fold.validation) == 40
    assert {*prepared.dataset.test.test_sets} == {"old", "new"}
    drawn = tried({**images, "validation": "/nowhere-else"}).prepared
    assert len(drawn.fold.validation) == len(drawn.dataset.train) // 5 + 1


def test_synthetic_rows_of_an_autoencoder_have_no_labels() -> None:
    dataset = draw_rows(Mnist(name="mnist", target="inputs"), train=4, test=2, seed=0)

    assert (dataset.target.kind, dataset.train.y.shape) == ("inputs", (4, 0))
