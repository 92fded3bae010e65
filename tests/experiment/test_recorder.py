"""A finished run's folder is complete, and its files agree with each other."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib import image
from sklearn import metrics as sk

from nnrun.experiment.fold import load_and_prepare
from nnrun.experiment.inputs import PreparedData
from nnrun.runs import Run, layout
from nnrun.spec.loading import load
from nnrun.types import History

CLASSIFIER = {"loss", "accuracy", "confusion", "gallery"}
REGRESSION = {"loss", "mae", "predicted"}
MODEL = {"model.png", "model.svg"}
WITHOUT_CLASSES = set(layout.MEANING) - {layout.CONFUSION, layout.REPORT}


@pytest.fixture(scope="module")
def run(trained: tuple[Any, Path]) -> Run:
    return Run(trained[1])


@pytest.fixture(scope="module")
def boston(three: tuple[Any, Path]) -> Run:
    return Run(next(three[1].glob("*-boston")))


@pytest.fixture(scope="module")
def metrics(run: Run) -> dict[str, Any]:
    return run.read_json(layout.METRICS)


@pytest.fixture(scope="module")
def prepared(run: Run) -> PreparedData:
    return load_and_prepare(load(run.path / layout.SPEC).experiment)


@pytest.fixture(scope="module")
def predictions(run: Run) -> dict[str, Any]:
    return run.read_arrays(layout.PREDICTIONS)


@pytest.fixture(scope="module")
def model(run: Run) -> Any:
    return keras.models.load_model(run.path / layout.MODEL, safe_mode=True)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_run_leaves_every_file_of_the_layout_and_no_other(run: Run, boston: Run) -> None:
    """No temporary file and no checkpoint; a regression has no files about classes."""
    assert names(run.path) == set(layout.MEANING)
    assert names(run.path / layout.PLOTS) == {f"{plot}.png" for plot in CLASSIFIER} | MODEL
    assert names(boston.path) == WITHOUT_CLASSES
    assert names(boston.path / layout.PLOTS) == {f"{plot}.png" for plot in REGRESSION} | MODEL


@pytest.mark.parametrize("plot", sorted(CLASSIFIER))
def test_no_plot_is_blank(run: Run, plot: str) -> None:
    pixels = image.imread(run.path / layout.plot(plot), format="png")

    assert min(pixels.shape[:2]) > 200
    assert pixels.std() > 0.01


def test_the_record_holds_all_that_a_repetition_needs(run: Run) -> None:
    record = run.record()

    assert record.status == "finished"
    assert record.verb == "train"
    assert record.seed == 0
    assert record.overrides == ["training.epochs=3"]
    assert record.error is None
    assert record.started <= record.ended
    assert record.rows == {"train": 1150, "validation": 287, "test": 360}
    assert record.parameters == 64 * 64 + 64 + 64 * 10 + 10
    assert {"python", "nnrun", "tensorflow", "keras", "numpy"} <= set(record.versions)
    assert record.device == "cpu"
    assert len(record.data_digest) == 64


def test_history_and_journal_hold_the_same_numbers(run: Run) -> None:
    """The journal is written as each epoch ends."""
    history = run.read_json(layout.HISTORY)
    with (run.path / layout.JOURNAL).open(newline="") as file:
        rows = list(csv.DictReader(file))

    assert run.history().epochs == history
    assert list(history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [float(row["loss"]) for row in rows] == history["loss"]


def test_metrics_have_documented_keys_and_agree_with_the_history(
    run: Run, metrics: dict[str, Any]
) -> None:
    history = run.history()
    best = int(np.argmin(history.epochs["val_loss"]))

    assert set(metrics) == {
        *("schema_version", "epochs", "monitor", "best_epoch", "initial", "last", "best"),
        *("train", "validation", "test", "parameters", "seconds"),
    }
    assert metrics["schema_version"] == 1
    assert (metrics["epochs"], metrics["monitor"]) == (3, "val_loss")
    assert (metrics["best_epoch"], metrics["best"]) == (best + 1, history.row(best))
    assert metrics["last"] == history.row(2)
    assert set(metrics["seconds"]) >= {"total", "import", "data", "training", "epoch_median"}
    assert {*metrics["train"]} == {*metrics["test"]} == {"loss", "accuracy"}
    # The untrained model guesses.
    assert metrics["initial"]["loss"] == pytest.approx(np.log(10), abs=0.4)


def test_without_validation_the_training_loss_is_monitored(boston: Run) -> None:
    metrics = boston.metrics()

    assert metrics.monitor == "loss"
    assert metrics.best_epoch == int(np.argmin(boston.history().epochs["loss"])) + 1
    assert not metrics.validation


@pytest.mark.parametrize(
    ("epochs", "options", "best"),
    [
        ({"loss": [float("nan"), float("inf")]}, {}, None),
        ({"loss": [1.0, 1.0, 1.0], "val_loss": [0.5, float("nan"), 0.4]}, {}, 3),
        ({"val_loss": [3.0, 2.0], "f1": [0.5, 0.4]}, {"monitor": "f1", "highest": True}, 1),
    ],
)
def test_an_epoch_without_a_finite_value_is_not_the_best(
    epochs: dict[str, list[float]], options: dict[str, Any], best: int | None
) -> None:
    assert History(epochs).best_epoch(**options) == best


def test_predictions_reproduce_the_test_metrics(
    predictions: dict[str, Any], metrics: dict[str, Any], boston: Run
) -> None:
    target, output = predictions["target"], predictions["output"]
    loss = -np.log(output[np.arange(len(target)), target]).mean()
    arrays = boston.read_arrays(layout.PREDICTIONS)
    error = arrays["output"][:, 0] - arrays["target"]

    assert (output.argmax(axis=1) == target).mean() == pytest.approx(metrics["test"]["accuracy"])
    assert loss == pytest.approx(metrics["test"]["loss"], rel=1e-5)
    assert np.abs(error).mean() == pytest.approx(boston.metrics().test["mae"], rel=1e-5)
    assert np.square(error).mean() == pytest.approx(boston.metrics().test["loss"], rel=1e-5)


def test_the_confusion_matrix_is_the_cross_table_of_the_predictions(
    run: Run, predictions: dict[str, Any]
) -> None:
    """Rows are true classes and columns predicted, as in `pandas.crosstab`."""
    table = pd.read_csv(run.path / layout.CONFUSION, index_col=0)
    cross = pd.crosstab(predictions["target"], predictions["output"].argmax(axis=1))
    cross = cross.reindex(index=range(10), columns=range(10), fill_value=0)

    assert table.index.name == "true \\ predicted"
    assert table.columns.tolist() == [str(digit) for digit in table.index]
    assert (table.to_numpy() == cross.to_numpy()).all()
    assert not (table.to_numpy() == table.to_numpy().T).all()  # else rows could be columns


def test_the_classification_report_is_scikit_learns(run: Run, predictions: dict[str, Any]) -> None:
    expected = sk.classification_report(
        predictions["target"],
        predictions["output"].argmax(axis=1),
        target_names=[str(digit) for digit in range(10)],
        output_dict=True,
    )

    assert run.read_json(layout.REPORT) == json.loads(json.dumps(expected))


def test_the_saved_model_gives_the_recorded_predictions_and_metrics(
    model: Any, prepared: PreparedData, predictions: dict[str, Any], metrics: dict[str, Any]
) -> None:
    """The metrics are evaluations of the final weights, not running means of the last epoch."""
    data, fold = prepared.dataset, prepared.fold
    rows = {
        "train": (data.train.x[fold.train], data.train.y[fold.train]),
        "validation": (data.train.x[fold.validation], data.train.y[fold.validation]),
        "test": (data.test.x, data.test.y),
    }
    output = model.predict(data.test.x.reshape(-1, 64) / 16, verbose=0)

    np.testing.assert_allclose(output, predictions["output"], atol=1e-5)
    for split, (x, y) in rows.items():
        evaluated = model.evaluate(x.reshape(-1, 64) / 16, y, return_dict=True, verbose=0)
        assert metrics[split] == pytest.approx(evaluated, rel=1e-4)


def test_the_spec_holds_every_default(run: Run) -> None:
    """A later release may change a default; the run must not change with it."""
    spec = yaml.safe_load((run.path / layout.SPEC).read_text())

    assert spec["training"] == {
        "optimizer": "adam",
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
        "epochs": 3,
        "batch_size": 8,
        "shuffle": True,
        "class_weight": None,
        "weights": {"run": None, "vectors": None, "layers": []},
        "stages": [],
        "callbacks": [],
        "restore": "last",
        "engine": "auto",
        "precision": "float32",
        "device": "auto",
    }
    assert spec["seed"] == 0


def test_the_fitted_preparation_is_saved(boston: Run, run: Run) -> None:
    """New rows must be scaled as the training rows were."""
    fitted = boston.read_json(layout.PREPARATION)["steps"][0]

    assert fitted["step"] == {"standardize": {"fit": "train"}}
    assert {len(values) for values in fitted["state"].values()} == {13}
    assert run.read_json(layout.PREPARATION)["shape"] == [64]


def test_the_summary_lists_layers_and_parameters(run: Run) -> None:
    summary = (run.path / layout.SUMMARY).read_text(encoding="utf-8")

    assert "dense_1 (Dense)" in summary
    assert "4,160" in summary
    assert "Trainable params: 4,810" in summary


def test_the_log_holds_the_epochs_and_the_messages_of_tensorflow(run: Run) -> None:
    log = (run.path / layout.LOG).read_text(encoding="utf-8").splitlines()

    assert [line.split("  ")[0] for line in log if line.startswith("epoch ")] == [
        "epoch 1/3",
        "epoch 2/3",
        "epoch 3/3",
    ]
    assert any("oneDNN" in line or "cuda" in line for line in log)
