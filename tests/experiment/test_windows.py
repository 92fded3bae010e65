"""Windows over time: rows in order, gathered into overlapping windows with a later target."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import yaml

from nnrun import check
from nnrun.check import spec_context
from nnrun.data import splits
from nnrun.errors import DataError, SpecError
from nnrun.experiment import fold
from nnrun.experiment.inputs import load_data, prepare_fold
from nnrun.experiment.setup import TrainingSetup
from nnrun.spec.loading import load
from nnrun.spec.validation import KFold
from nnrun.spec.window import Window
from nnrun.training.rows import Schedule, batch
from nnrun.types import Fold, Observer, Windows
from tests.training.trained import EpochLog

WINDOW = {"sequence_length": 5, "sampling_rate": 2, "horizon": 3}
DELAY = 2 * (5 + 3 - 1)
DATASET: dict[str, Any] = {
    "name": "csv",
    "path": "t.csv",
    "target": "temperature",
    "order": "time",
    "window": WINDOW,
    "prepare": ["standardize"],
}
SPEC: dict[str, Any] = {
    "dataset": DATASET,
    "model": [{"LSTM": 4}, {"Dense": 1}],
    "training": {
        "optimizer": "adam",
        "loss": "mse",
        "metrics": ["mae"],
        "epochs": 3,
        "batch_size": 16,
    },
    "validation": {"holdout": {"size": 0.25, "take": "last", "gap": 14}},
}
FEATURES = ["temperature", "pressure"]


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    """Two measures at 160 hours, in a file in which the hours are shuffled."""
    rng = np.random.default_rng(0)
    hours = pd.date_range("2026-01-01", periods=160, freq="h")
    frame = pd.DataFrame({"time": hours.strftime("%Y-%m-%d %H:%M")})
    frame["temperature"] = (10 + 5 * np.sin(np.arange(160) / 4) + rng.normal(size=160)).round(3)
    frame["pressure"] = (1000 + rng.normal(size=160).cumsum()).round(3)
    frame["sky"] = np.where(frame.temperature > 10, "clear", "cloudy")
    frame["station"] = "A"
    frame = frame.sample(frac=1, random_state=0).reset_index(drop=True)
    frame.to_csv(tmp_path / "t.csv", index=False)
    return frame


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "weather.yaml"
    dataset = {"features": FEATURES, **DATASET, **changes.pop("dataset", {})}
    dataset = {key: value for key, value in dataset.items() if value is not None}
    spec = {**SPEC, "dataset": dataset, **changes}
    path.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    return path


def windows_of_keras(frame: pd.DataFrame, window: dict[str, int]) -> tuple[Any, Any]:
    """All windows with their targets."""
    given = Window(**window)
    made = keras.utils.timeseries_dataset_from_array(
        frame[FEATURES].to_numpy(),
        frame.temperature.to_numpy()[given.delay :],
        sequence_length=given.sequence_length,
        sampling_rate=given.sampling_rate,
        sequence_stride=given.sequence_stride,
        batch_size=7,
    )
    x, y = zip(*((x.numpy(), y.numpy()) for x, y in made), strict=True)
    return np.concatenate(x), np.concatenate(y)


def all_windows(path: Path) -> tuple[Any, Any, Any]:
    """Windows, targets, and rows of the file, of training and test together."""
    dataset = load_data(load(path).experiment).dataset
    parts = dataset.train, dataset.test
    assert all(isinstance(part.x, Windows) for part in parts)
    return tuple(
        np.concatenate(arrays)
        for arrays in (
            [part.x.gathered() for part in parts],
            [part.y for part in parts],
            [part.row_numbers(np.arange(len(part))) for part in parts],
        )
    )


@pytest.mark.parametrize(
    "window",
    [
        WINDOW,
        {"sequence_length": 4},
        {"sequence_length": 6, "sequence_stride": 3, "horizon": 2},
        {"sequence_length": 3, "sampling_rate": 4, "sequence_stride": 5},
    ],
)
def test_windows_and_targets_are_those_of_keras(
    tmp_path: Path, table: pd.DataFrame, window: dict[str, int]
) -> None:
    """Also where the file is not in order of time."""
    expected_x, expected_y = windows_of_keras(table.sort_values("time"), window)

    x, y, rows = all_windows(written(tmp_path, dataset={"window": window}))

    np.testing.assert_array_equal(x, expected_x)
    np.testing.assert_array_equal(y, expected_y)
    np.testing.assert_array_equal(table.temperature[rows], y)
    assert len(y) == Window(**window).count(160)


def test_the_file_gives_the_order_unless_a_column_does(tmp_path: Path, table: pd.DataFrame) -> None:
    expected, _ = windows_of_keras(table, WINDOW)

    np.testing.assert_array_equal(
        all_windows(written(tmp_path, dataset={"order": None}))[0], expected
    )


def test_no_window_crosses_from_one_series_to_another(tmp_path: Path, table: pd.DataFrame) -> None:
    """The windows of all series are in order of time, so that the last ones are the latest."""
    table["station"] = np.random.default_rng(1).choice([*"ABC"], len(table))
    table.to_csv(tmp_path / "t.csv", index=False)
    window = {"sequence_length": 4, "horizon": 2}

    x, y, rows = all_windows(written(tmp_path, dataset={"series": "station", "window": window}))

    for station, frame in table.groupby("station"):
        own = table.station[rows] == station
        expected_x, expected_y = windows_of_keras(frame.sort_values("time"), window)
        np.testing.assert_array_equal(x[own], expected_x)
        np.testing.assert_array_equal(y[own], expected_y)


def test_the_last_windows_test_and_a_gap_keeps_training_targets_out_of_validation_windows(
    tmp_path: Path, table: pd.DataFrame
) -> None:
    prepared = fold.load_and_prepare(load(written(tmp_path)).experiment)
    time = table.time.rank().to_numpy() - 1
    dataset, divided = prepared.dataset, prepared.fold
    trained, held = (
        time[dataset.train.row_numbers(rows)] for rows in (divided.train, divided.validation)
    )
    tested = time[dataset.test.row_numbers(np.arange(len(dataset.test)))]

    assert trained.max() < held.min() - DELAY
    assert held.max() < tested.min()
    assert (len(trained), len(held), len(tested)) == (73, 29, 30)


def test_steps_are_fitted_on_the_rows_in_training_windows(
    tmp_path: Path, table: pd.DataFrame
) -> None:
    prepared = fold.load_and_prepare(load(written(tmp_path)).experiment)
    ordered = table.sort_values("time")[FEATURES]
    known = ordered[: len(prepared.fold.train) + (WINDOW["sequence_length"] - 1) * 2]

    state = prepared.preparation.steps[0].state

    np.testing.assert_allclose(state["mean"], known.mean(), rtol=1e-12)
    np.testing.assert_allclose(state["std"], known.std(ddof=0), rtol=1e-12)
    assert prepared.preparation.shape == (5, 2)


def test_folds_of_a_time_series_keep_a_gap(tmp_path: Path, table: pd.DataFrame) -> None:
    raw = load_data(load(written(tmp_path)).experiment)
    rule = KFold(folds=4, time_series=True, gap=14)

    for each in splits.folds(rule, raw.dataset, seed=0):
        assert each.validation.min() - each.train.max() == 15


def built(path: Path, engine: str) -> TrainingSetup:
    spec = load(path, overrides=[f"training.engine={engine}", "seed=1"]).experiment
    return fold.build(fold.load_and_prepare(spec), Observer())


def trained(setup: TrainingSetup) -> dict[str, list[float]]:
    log = EpochLog()
    with setup.on_device():
        setup.trainer.train(setup.train, setup.prepared.fold, seed=1, callbacks=(), observer=log)
    return log.history.epochs


def test_training_equals_model_fit_on_the_windows_of_keras(
    tmp_path: Path, table: pd.DataFrame
) -> None:
    """And repeats to the bit, and is alike in every engine."""
    path = written(tmp_path)
    setup = built(path, "graph")
    ordered = table.sort_values("time").copy()
    state = setup.prepared.preparation.steps[0].state
    y = ordered.temperature.to_numpy()
    ordered[FEATURES] = (ordered[FEATURES] - state["mean"]) / state["std"]
    x, _ = windows_of_keras(ordered, WINDOW)
    by_hand = keras.models.clone_model(setup.model)
    by_hand.set_weights(setup.model.get_weights())
    by_hand.compile(optimizer="adam", loss="mse", metrics=["mae"])
    schedule = Schedule(setup.prepared.fold, setup.prepared.spec.training, 1)

    graph = trained(setup)
    for epoch in range(3):
        rows = schedule.order(epoch)
        by_hand.fit(
            *(x[rows].astype(np.float32), y[DELAY:][rows]),
            batch_size=16,
            shuffle=False,
            verbose=0,
        )

    for mine, of_keras in zip(setup.model.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_allclose(mine, of_keras, rtol=1e-4, atol=1e-5)
    assert trained(built(path, "graph")) == graph
    for engine in ("fit", "xla"):
        for name, values in trained(built(path, engine)).items():
            np.testing.assert_allclose(values, graph[name], rtol=1e-4, atol=1e-6)


def test_a_batch_is_gathered_from_rows_that_are_stored_once(
    tmp_path: Path, table: pd.DataFrame
) -> None:
    setup = built(written(tmp_path), "graph")
    stored, starts, _ = setup.train.x

    x, _ = batch(setup.prepared.preparation, setup.train.tensors, np.array([3, 0], np.int32))

    assert tuple(x.shape) == (2, 5, 2)
    assert tuple(stored.shape) == (len(starts) + 8, 2)
    np.testing.assert_array_equal(x[0], stored[3:12:2])


def predicted(nnrun: Callable[..., Any], folder: Path, path: Path) -> tuple[Path, dict[str, Any]]:
    answer = nnrun("train", path, "--runs", folder / "runs")
    assert answer.returncode == 0, answer.stderr
    [run] = (folder / "runs").iterdir()
    with np.load(run / "predictions.npz") as arrays:
        return run, dict(arrays)


def test_a_run_reports_a_naive_forecast_and_predicts_each_window_of_a_file(
    tmp_path: Path, table: pd.DataFrame, nnrun: Callable[..., Any]
) -> None:
    run, recorded = predicted(nnrun, tmp_path, written(tmp_path))
    y = table.sort_values("time").temperature.to_numpy()
    targets = table.time.rank().to_numpy().astype(int)[recorded["row"]] - 1
    np.testing.assert_array_equal(recorded["target"], y[targets])

    metrics = json.loads((run / "metrics.json").read_text())
    naive = np.abs(y[targets] - y[targets - 6]).mean()
    assert metrics["baseline"]["mae"] == pytest.approx(naive, rel=1e-5)

    rows = json.loads(nnrun("predict", run, tmp_path / "t.csv", "--json").stdout)["rows"]
    # All hours but those before the end of the first window; the last have no target yet.
    assert len(rows) == 160 - 8
    assert [row["name"] for row in rows[-6:]] == [
        f"{tmp_path}/t.csv:{line + 2} + 3" for line in np.argsort(table.time)[-6:]
    ]
    assert all("label" not in row for row in rows[-6:])
    by_row = {row["name"]: row for row in rows}
    last = [by_row[f"{tmp_path}/t.csv:{row + 2}"] for row in recorded["row"]]
    np.testing.assert_allclose(
        [row["prediction"] for row in last], recorded["output"][:, 0], rtol=1e-4
    )
    assert [row["label"] for row in last] == recorded["target"].tolist()

    document = json.loads(nnrun("evaluate", run, tmp_path / "t.csv", "--json").stdout)
    assert document["rows"] == 160 - DELAY


def test_a_class_is_predicted_from_windows(
    tmp_path: Path, table: pd.DataFrame, nnrun: Callable[..., Any]
) -> None:
    dataset = {"target": "sky", "features": None, "types": {"station": "drop"}}
    path = written(
        tmp_path,
        dataset=dataset,
        model=["Flatten", {"Dense": {"units": 1, "activation": "sigmoid"}}],
        training={**SPEC["training"], "loss": "binary_crossentropy", "metrics": ["accuracy"]},
    )
    run, recorded = predicted(nnrun, tmp_path, path)
    sky = (table.sort_values("time").sky == "cloudy").to_numpy()
    targets = table.time.rank().to_numpy().astype(int)[recorded["row"]] - 1

    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["baseline"] == {
        "accuracy": pytest.approx((sky[targets] == sky[targets - 6]).mean())
    }
    # Past values of the target, a column for each class, are inputs too.
    assert spec_context(load(path).experiment).input_shape == (5, 4)


@pytest.mark.slow
def test_other_commands_take_windows(
    tmp_path: Path, table: pd.DataFrame, nnrun: Callable[..., Any]
) -> None:
    kfold = {"folds": 3, "time_series": True, "gap": 14}
    path = written(tmp_path, validation={"kfold": kfold})
    for arguments in (("smoke", path), ("kfold", path, "--runs", tmp_path / "folds")):
        answer = nnrun(*arguments)
        assert answer.returncode == 0, answer.stderr
    assert nnrun("train", path, "--runs", tmp_path / "runs").returncode == 0
    [run] = (tmp_path / "runs").iterdir()
    assert nnrun("verify", run).returncode == 0


@pytest.mark.parametrize(
    ("dataset", "place", "message"),
    [
        ({"window": {"sequence_length": 0}}, "dataset.window.sequence_length", "at least 1"),
        ({"window": {"length": 5}}, "dataset.window.length", "unknown key"),
        ({"window": None}, "dataset.order", "order needs window"),
        ({"order": "tme"}, "dataset.order", "did you mean 'time'?"),
        ({"groups": "station"}, "dataset.groups", "cannot be used with window yet"),
        ({"prepare": ["flatten"]}, "dataset.prepare", "and the layer Flatten"),
        (
            {"window": {"sequence_length": 5, "horizon": 0}},
            "dataset.window",
            "horizon: 0 gives the target as an input",
        ),
    ],
)
def test_a_mistake_is_reported_at_its_place(
    tmp_path: Path, table: pd.DataFrame, dataset: dict[str, Any], place: str, message: str
) -> None:
    try:
        faults = check.faults(load(written(tmp_path, dataset=dataset)))
    except SpecError as error:
        faults = error.faults

    assert any(fault.path == place and message in fault.message for fault in faults), faults


@pytest.mark.parametrize(
    ("dataset", "cells", "message"),
    [
        ({}, {"time": "01.02.2026"}, "'time', the order, is '01.02.2026', and must be a number or"),
        ({"window": {"sequence_length": 500}}, {}, "needs 501 rows of one series"),
    ],
)
def test_rows_that_make_no_windows_are_refused(
    tmp_path: Path,
    table: pd.DataFrame,
    dataset: dict[str, Any],
    cells: dict[str, str],
    message: str,
) -> None:
    table.assign(**cells).to_csv(tmp_path / "t.csv", index=False)

    with pytest.raises(DataError, match=message):
        load_data(load(written(tmp_path, dataset=dataset)).experiment)


def test_selected_windows_keep_only_their_rows() -> None:
    x = Windows(np.arange(20.0)[:, None], np.array([0, 1, 9, 15]), np.array([0, 2]))

    chosen = x[np.array([2, 0])]

    assert chosen.table[:, 0].tolist() == [0, 1, 2, 9, 10, 11]
    assert chosen.gathered()[:, :, 0].tolist() == [[9, 11], [0, 2]]


def test_a_fold_of_windows_uses_no_other_rows_to_prepare(
    tmp_path: Path, table: pd.DataFrame
) -> None:
    raw = load_data(load(written(tmp_path)).experiment)

    prepared = prepare_fold(raw, Fold(np.array([50]), np.array([0])))

    row = table.sort_values("time")[FEATURES].iloc[50:59]
    np.testing.assert_allclose(prepared.preparation.steps[0].state["mean"], row.mean())
