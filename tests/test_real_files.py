"""Inputs as people have them: each is read right, or refused with what to write."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

HIDDEN = {"Dense": {"units": 8, "activation": "relu"}}
REGRESSION = {"optimizer": "adam", "loss": "mse", "metrics": ["mae"], "epochs": 2}
BINARY = {"optimizer": "adam", "loss": "binary_crossentropy", "metrics": ["accuracy"], "epochs": 2}
SPARSE = {**BINARY, "loss": "sparse_categorical_crossentropy"}
SIGMOID = {"Dense": {"units": 1, "activation": "sigmoid"}}
HOLDOUT = {"holdout": {"size": 0.2}}

Command = Callable[..., object]


def softmax(units: int) -> dict[str, object]:
    return {"Dense": {"units": units, "activation": "softmax"}}


def spec(
    folder: Path, dataset: dict, model: list, training: dict, validation: dict = HOLDOUT
) -> Path:
    path = folder / "s.yaml"
    content = {"dataset": {"name": "csv", "path": "d.csv", "target": "y", **dataset}}
    content |= {"seed": 1, "model": model, "training": training, "validation": validation}
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture
def run(nnrun, tmp_path):
    """Runs a command, which must end well, and returns the new run folder."""

    def start(verb: str, path: Path, *more: object) -> Path:
        answer = nnrun(verb, path, "--runs", tmp_path / "runs", *more, cwd=tmp_path)
        assert answer.returncode == 0, answer.stderr
        return max((tmp_path / "runs").iterdir())

    return start


def predictions(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "predictions.npz") as arrays:
        return dict(arrays)


def noise(rows: int, *names: str) -> pd.DataFrame:
    values = np.random.default_rng(0).normal(size=(rows, len(names)))
    return pd.DataFrame(values, columns=list(names))


@pytest.mark.parametrize("engine", ["auto", "xla", "graph", "fit"])
def test_fewer_rows_than_a_batch_are_one_step(engine: str, run, tmp_path) -> None:
    """In every engine: 15 rows train, and a batch has 32."""
    frame = noise(24, "a", "b", "c")
    frame.assign(y=np.where(frame.a > 0, "p", "q")).to_csv(tmp_path / "d.csv", index=False)
    path = spec(
        tmp_path, {"prepare": ["standardize"]}, [HIDDEN, softmax(2)], {**SPARSE, "engine": engine}
    )

    folder = run("train", path)

    assert len(json.loads((folder / "history.json").read_text())["loss"]) == 2


@pytest.fixture
def days(tmp_path: Path) -> Path:
    """200 days in order; the target is the number of the day."""
    frame = pd.DataFrame({"day": range(200), "y": np.arange(200.0)})
    frame.to_csv(tmp_path / "d.csv", index=False)
    return tmp_path


def test_a_time_series_never_trains_on_the_future(days: Path, run) -> None:
    """Each fold validates rows of the file after all rows that it trains on."""
    validation = {"kfold": {"folds": 4, "time_series": True}}
    path = spec(days, {"prepare": ["standardize"]}, [{"Dense": 1}], REGRESSION, validation)

    folder = run("kfold", path)

    blocks = [predictions(part)["row"] for part in sorted(folder.glob("fold-*"))]
    assert all(np.array_equal(block, np.sort(block)) for block in blocks)
    assert all(before.max() < after.min() for before, after in pairwise(blocks))
    assert all(
        np.array_equal(predictions(part)["target"], predictions(part)["row"])
        for part in folder.glob("fold-*")
    )


def test_the_last_rows_of_a_file_are_held_out(days: Path, run) -> None:
    """`take: last` means the file, and the row numbers of predictions are the file's."""
    dataset = {"prepare": ["standardize"], "test_split": 0.25}
    validation = {"holdout": {"size": 30, "take": "last"}}

    got = predictions(run("train", spec(days, dataset, [{"Dense": 1}], REGRESSION, validation)))

    assert got["row"].tolist() == list(range(150, 200))
    assert got["target"].tolist() == list(range(150, 200))


def test_row_numbers_join_predictions_with_the_file(run, tmp_path) -> None:
    """Whatever rows were drawn for testing."""
    frame = noise(100, "a", "b").assign(y=np.arange(100) * 1.5)
    frame.to_csv(tmp_path / "d.csv", index=False)

    got = predictions(run("train", spec(tmp_path, {}, [{"Dense": 1}], REGRESSION)))

    assert len(got["row"]) == 20
    np.testing.assert_array_equal(got["target"], frame.y[got["row"]])


def test_classes_of_seven_digits_stay_apart(run, nnrun, tmp_path) -> None:
    """`1234560` to `1234562` are three classes, and `evaluate` takes the file of the training."""
    kinds = np.random.default_rng(0).integers(0, 3, 300)
    frame = noise(300, "a", "b", "c") + np.eye(3)[kinds] * 3
    frame.assign(y=kinds + 1234560).to_csv(tmp_path / "d.csv", index=False)
    dataset = {"task": "classification", "prepare": ["standardize"]}

    folder = run("train", spec(tmp_path, dataset, [softmax(3)], {**SPARSE, "epochs": 20}))
    answer = nnrun("evaluate", folder, tmp_path / "d.csv", "--json", cwd=tmp_path)

    report = json.loads((folder / "classification_report.json").read_text())
    assert {"1234560", "1234561", "1234562"} <= report.keys()
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("rows", [2000, 150_000])
def test_a_comma_after_every_row_is_refused_at_any_size(rows: int, nnrun, tmp_path) -> None:
    """Pandas would take the first column for an index, and every name would move by one."""
    values = np.random.default_rng(0).normal(size=(rows, 3)).round(6)
    lines = (f"{a},{b},{c},x,\n" for a, b, c in values)
    (tmp_path / "d.csv").write_text("a,b,y,note\n" + "".join(lines), encoding="utf-8")
    path = spec(tmp_path, {"features": ["a"]}, [{"Dense": 1}], REGRESSION)

    for verb in ("check", "train"):
        answer = nnrun(verb, path, cwd=tmp_path)
        assert answer.returncode == 2
        assert "line 2 has 5 cells, but the header has 4" in answer.stdout + answer.stderr


def test_groups_are_kept_together_and_are_no_feature(run, tmp_path) -> None:
    """Any column may name the groups; test rows keep them together too."""
    patients = np.random.default_rng(0).integers(0, 30, 300)
    frame = noise(300, "a", "b").assign(
        patient=[f"P{at:02d}" for at in patients], y=np.where(patients % 2, "sick", "well")
    )
    frame.to_csv(tmp_path / "d.csv", index=False)
    validation = {"kfold": {"folds": 3, "groups": "patient"}}
    path = spec(tmp_path, {"prepare": ["standardize"]}, [HIDDEN, SIGMOID], BINARY, validation)

    folder = run("kfold", path, "--final")

    parts = [predictions(part)["row"] for part in (*folder.glob("fold-*"), folder / "final")]
    groups = [set(patients[rows]) for rows in parts]
    assert sum(map(len, groups)) == len(set(patients))
    record = json.loads((folder / "fold-1" / "run.json").read_text())
    assert record["parameters"] == 2 * 8 + 8 + 8 + 1


def test_an_npz_keeps_its_digits(run, nnrun, tmp_path) -> None:
    """Seconds since 1970 differ in their last digits: float32 has none of them."""
    seconds = 1.7e9 + np.arange(400.0)
    x = np.stack([seconds, np.random.default_rng(0).normal(size=400)], axis=1)
    np.savez(tmp_path / "d.npz", x=x, y=np.arange(400) / 100)
    dataset = {"name": "npz", "path": "d.npz", "prepare": ["standardize"]}
    path = spec(
        tmp_path,
        dataset,
        [{"Dense": 1}],
        {**REGRESSION, "optimizer": {"Adam": {"learning_rate": 0.05}}, "epochs": 40},
    )
    content = yaml.safe_load(path.read_text())
    del content["dataset"]["target"]
    path.write_text(yaml.safe_dump(content))

    folder = run("train", path)

    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["test"]["mae"] < 0.1
