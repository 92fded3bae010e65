"""Models with several inputs: columns of a table, grouped by `dataset.inputs`."""

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
from nnrun.experiment import fold
from nnrun.experiment.inputs import load_data, prepare_fold
from nnrun.models.build import reset_keras, wire
from nnrun.spec.dumping import dump
from nnrun.spec.loading import load
from nnrun.training.rows import inputs, resident
from nnrun.types import Fold, NamedInputs, Observer
from tests.training.trained import EpochLog

WORDS = "good bad fine awful great poor film book food price slow late".split()
REVIEW = {"columns": "body", "prepare": [{"vectorize": {"max_tokens": 20}}]}
USER = {"columns": ["user"], "categories": "codes"}
NUMBERS = {"columns": ["age", "price"], "prepare": [{"impute": "median"}, "standardize"]}
INPUTS = {"review": REVIEW, "user": USER, "numbers": NUMBERS}
LOOK_UP = {"Embedding": {"input_dim": "auto", "output_dim": 3}}
PATHS: dict[str, Any] = {"review": [{"Dense": 4}], "user": [LOOK_UP, "Flatten"], "numbers": []}
SPEC: dict[str, Any] = {
    "dataset": {"name": "csv", "path": "t.csv", "target": "label", "inputs": INPUTS},
    "model": [{"Inputs": PATHS}, {"Dense": {"units": 1, "activation": "sigmoid"}}],
    "training": {
        "optimizer": "adam",
        "loss": "binary_crossentropy",
        "metrics": ["accuracy"],
        "epochs": 3,
        "batch_size": 16,
    },
    "validation": {"holdout": {"size": 0.25}},
}


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    """Texts, words, and numbers with a gap, all of which the label depends on."""
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, rng.integers(2, 8))) for _ in range(120)]
    frame = pd.DataFrame({"body": texts, "user": rng.choice([*"abcd"], 120)})
    frame["age"], frame["price"] = rng.integers(18, 80, 120), rng.uniform(1, 90, 120).round(2)
    score = frame.body.str.count("good|great") + (frame.user == "a") + frame.age / 50
    frame["label"] = np.where(score > score.median(), "pos", "neg")
    frame.loc[7, "price"] = np.nan
    frame.to_csv(tmp_path / "t.csv", index=False)
    return frame


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "several.yaml"
    path.write_text(yaml.safe_dump({**SPEC, **changes}, sort_keys=False), encoding="utf-8")
    return path


def with_inputs(**given: Any) -> dict[str, Any]:
    return {**SPEC["dataset"], "inputs": given}


def test_each_input_has_its_columns_and_its_steps_fitted_on_training_rows(
    tmp_path: Path, table: pd.DataFrame
) -> None:
    raw = load_data(load(written(tmp_path)).experiment)
    rows = np.arange(0, len(raw.dataset.train), 2)
    prepared = prepare_fold(raw, Fold(rows, np.setdiff1d(np.arange(len(raw.dataset.train)), rows)))
    train = table.iloc[raw.dataset.train.row_numbers(rows)]

    numbers = prepared.preparation.parts["numbers"]
    filled = train[["age", "price"]].fillna(train[["age", "price"]].median())
    standardize = numbers.steps[1].state
    np.testing.assert_allclose(standardize["mean"], filled.mean(), rtol=1e-12)
    np.testing.assert_allclose(standardize["std"], filled.std(ddof=0), rtol=1e-12)
    stored = prepared.preparation.store(raw.dataset.train.x)
    everyone = table.iloc[raw.dataset.train.row_numbers(np.arange(len(raw.dataset.train)))]
    assert [*"abcd"] == [*raw.dataset.inputs["user"].columns[0].categories]
    assert stored["user"][:, 0].tolist() == ["abcd".index(user) for user in everyone.user]
    # As Keras vectorizes the texts of the training rows.
    layer = keras.layers.TextVectorization(20, output_mode="multi_hot")
    layer.adapt(train.body)
    multi_hot = np.asarray(layer(everyone.body))
    assert (np.asarray(stored["review"]).sum(axis=1) == multi_hot.sum(axis=1)).all()


def test_the_model_is_the_one_that_keras_builds_by_hand(
    tmp_path: Path, table: pd.DataFrame
) -> None:
    raw = load_data(load(written(tmp_path)).experiment)
    rows = np.arange(len(raw.dataset.train))
    preparation = prepare_fold(raw, Fold(rows, rows[:0])).preparation
    reset_keras("float32")
    keras.utils.set_random_seed(3)
    model = wire(raw.spec.model, preparation.shape, dtype=preparation.dtype).model
    train = resident(preparation.store(raw.dataset.train.x), raw.dataset.train.y, preparation.state)
    batch = inputs(preparation, train.tensors, rows[:5].astype(np.int32))

    review, user, numbers = (keras.Input(batch[name].shape[1:]) for name in INPUTS)
    dense, look_up, last = (model.get_layer(name) for name in ("dense", "embedding", "dense_1"))
    parts = [dense(review), keras.layers.Flatten()(look_up(user)), numbers]
    by_hand = keras.Model([review, user, numbers], last(keras.layers.Concatenate()(parts)))

    assert {*batch} == {*INPUTS}
    np.testing.assert_array_equal(model(batch), by_hand([batch[name] for name in INPUTS]))
    assert spec_context(load(tmp_path / "several.yaml").experiment).trace.parameters == (
        model.count_params()
    )


def history(path: Path, engine: str) -> dict[str, list[float]]:
    spec = load(path, overrides=[f"training.engine={engine}"]).experiment
    setup = fold.build(fold.load_and_prepare(spec), Observer())
    log = EpochLog()
    with setup.on_device():
        setup.trainer.train(setup.train, setup.prepared.fold, seed=0, callbacks=(), observer=log)
    return log.history.epochs


def test_every_engine_trains_alike_and_repeats_to_the_bit(
    tmp_path: Path, table: pd.DataFrame
) -> None:
    path = written(tmp_path)
    graph = history(path, "graph")

    assert {*graph} == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history(path, "graph") == graph
    for engine in ("fit", "xla"):
        for name, values in history(path, engine).items():
            np.testing.assert_allclose(values, graph[name], rtol=1e-4, atol=1e-6)


def test_a_run_predicts_the_rows_of_a_file_as_it_recorded(
    tmp_path: Path, table: pd.DataFrame, nnrun: Callable[..., Any]
) -> None:
    answer = nnrun("train", written(tmp_path), "--runs", tmp_path / "runs")
    assert answer.returncode == 0, answer.stderr
    [run] = (tmp_path / "runs").iterdir()
    with np.load(run / "predictions.npz") as arrays:
        recorded = dict(arrays)
    table.iloc[recorded["row"]].drop(columns="label").to_csv(tmp_path / "new.csv", index=False)

    answer = nnrun("predict", run, tmp_path / "new.csv", "--json")

    probabilities = [row["probabilities"]["pos"] for row in json.loads(answer.stdout)["rows"]]
    np.testing.assert_allclose(probabilities, recorded["output"][:, 0], rtol=1e-4)
    assert (run / "plots" / "gallery.png").exists()


@pytest.mark.slow
def test_a_run_is_evaluated_and_verified_and_says_what_it_cannot(
    tmp_path: Path, table: pd.DataFrame, nnrun: Callable[..., Any]
) -> None:
    assert nnrun("train", written(tmp_path), "--runs", tmp_path / "runs").returncode == 0
    [run] = (tmp_path / "runs").iterdir()

    assert nnrun("evaluate", run, tmp_path / "t.csv", "--json").returncode == 0
    assert nnrun("verify", run, "--json").returncode == 0
    assert nnrun("smoke", tmp_path / "several.yaml").returncode == 0
    refused = nnrun("export", run, "--format", "onnx")
    assert refused.returncode != 0
    assert "several inputs" in refused.stderr


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        (
            {"model": [{"Dense": 1}]},
            "model[0]",
            "begin the model with Inputs: {review: [], user: [], numbers: []}",
        ),
        (
            {"dataset": with_inputs(numbers=NUMBERS)},
            "model[0].Inputs.paths.review",
            "the data have no input 'review'; there are 'numbers'",
        ),
        (
            {"model": [{"Inputs": {"review": [], "numbers": []}}, {"Dense": 1}]},
            "model[0].Inputs.paths",
            "has no path for the input 'user'",
        ),
        (
            {"model": [{"Inputs": PATHS}, {"Inputs": PATHS}, {"Dense": 1}]},
            "model[1]",
            "must be the first layer",
        ),
        (
            {"dataset": {**SPEC["dataset"], "prepare": ["standardize"]}},
            "dataset.prepare",
            "belongs to each of several inputs: write it in dataset.inputs.review",
        ),
        (
            {"dataset": with_inputs(**{**INPUTS, "user": {"columns": ["usr"]}})},
            "dataset.inputs.user.columns[0]",
            "there is no column 'usr'; did you mean 'user'?",
        ),
        (
            {"dataset": with_inputs(**{**INPUTS, "numbers": ["age", "price"]})},
            "dataset.path",
            "'price' has no value on line 9",
        ),
        (
            {
                "model": [
                    {"Inputs": {**PATHS, "user": [{"Embedding": {"input_dim": 2, "output_dim": 3}}]}},
                    *SPEC["model"][1:],
                ]
            },
            "model[0].Inputs.paths.user[0]",
            "input_dim is 2, but the codes go up to 3; write 4",
        ),
        (
            {"model": [{"Inputs": {**PATHS, "numbers": [LOOK_UP]}}, *SPEC["model"][1:]]},
            "model[0].Inputs.paths.numbers[0]",
            "input_dim: auto counts words or codes",
        ),
        (
            {"model": [{"Inputs": {**PATHS, "user": [LOOK_UP]}}, *SPEC["model"][1:]]},
            "model[0]",
            "the paths put out (4,), (1, 3), (2,), which cannot be merged",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_at_its_place(
    tmp_path: Path, table: pd.DataFrame, changes: dict[str, Any], place: str, message: str
) -> None:
    faults = check.faults(load(written(tmp_path, **changes)))

    assert any(fault.path == place and message in fault.message for fault in faults), faults


def test_inputs_without_a_model_for_them_and_the_reverse() -> None:
    one = load(Path("configs/iris.yaml"), overrides=["model.0={Inputs: {a: [Dense: 3]}}"])

    [fault] = [fault for fault in check.faults(one) if fault.code == "NN133"]
    assert "needs several inputs in dataset.inputs" in fault.message


def test_a_recorded_spec_has_no_faults(tmp_path: Path, table: pd.DataFrame) -> None:
    """It has every key, with its default where the spec had none."""
    recorded = tmp_path / "spec.yaml"
    recorded.write_text(dump(load(written(tmp_path)).experiment), encoding="utf-8")

    assert load(recorded).experiment.dataset.inputs is not None
    assert not [fault for fault in check.faults(load(recorded)) if not fault.is_warning]


def test_warnings_of_each_input_are_at_its_place(tmp_path: Path, table: pd.DataFrame) -> None:
    dataset = with_inputs(**{**INPUTS, "numbers": {**NUMBERS, "prepare": [{"impute": "median"}]}})
    table["price"] *= 1000
    table.to_csv(tmp_path / "t.csv", index=False)

    faults = check.faults(load(written(tmp_path, dataset=dataset)))

    assert ("NN204", "dataset.inputs.numbers.prepare") in [(f.code, f.path) for f in faults]
    assert len({(fault.code, fault.path) for fault in faults}) == len(faults)


def test_rows_are_selected_in_every_input() -> None:
    x = NamedInputs({"a": np.arange(4), "b": np.arange(8).reshape(4, 2)})

    chosen = x[np.array([2, 0])]

    assert len(chosen) == 2
    assert chosen.parts["a"].tolist() == [2, 0]
    assert chosen.parts["b"].tolist() == [[4, 5], [0, 1]]
