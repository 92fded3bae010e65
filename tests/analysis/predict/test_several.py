"""Runs with several labels or values per row, from the table to predictions."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import datasets, metrics
from typer.testing import Result

from nnrun.runs import Run, layout
from nnrun.types import Array

SPEC = """\
dataset: {{name: csv, path: wines.csv, features: [{features}], target: {target},
  prepare: [standardize]}}
model: [{{Dense: {{units: 8, activation: relu}}}}, {{Dense: {{units: 2, activation: {activation}}}}}]
training: {{optimizer: {{Adam: 0.03}}, loss: {loss}, metrics: [{metric}], epochs: 8}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wines with the columns `strong` and `dark`, the same as `tags`, and three measures."""
    folder = tmp_path_factory.mktemp("wines")
    wine = datasets.load_wine()
    columns = dict(zip(wine.feature_names, wine.data.T, strict=True))
    strong, dark = columns["alcohol"] > 13, columns["color_intensity"] > 5
    names = ["alcohol", "color_intensity", "hue", "proline"]
    tags = [
        "; ".join(["strong"] * int(s) + ["dark"] * int(d))
        for s, d in zip(strong, dark, strict=True)
    ]
    rows = zip(*(columns[name] for name in names), strong * 1, dark * 1, tags, strict=True)
    with (folder / "wines.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[*names, "strong", "dark", "tags"], *rows])
    return folder


@pytest.fixture(scope="module")
def trained(invoke: Callable[..., Result], folder: Path) -> Callable[..., Run]:
    """Trains a spec on the wines."""

    def train(name: str, **keys: str) -> Run:
        path = folder / f"{name}.yaml"
        path.write_text(SPEC.format(**keys))
        answer = invoke("train", path, "--json", "--runs", folder / "runs")
        return Run(Path(json.loads(answer.stdout)["runs"][0]["path"]))

    return train


LABELS = {
    "features": "alcohol, color_intensity, hue",
    "activation": "sigmoid",
    "loss": "binary_crossentropy",
    "metric": "binary_accuracy, Precision",
}


@pytest.fixture(scope="module")
def tagged(trained: Callable[..., Run]) -> Run:
    return trained("tags", target='{column: tags, separator: ";"}', **LABELS)


def predict(invoke: Callable[..., Result], *arguments: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(invoke("predict", *arguments, "--json").stdout)["rows"]
    return rows


def test_the_report_and_the_counts_are_those_of_scikit_learn(tagged: Run) -> None:
    arrays = tagged.read_arrays(layout.PREDICTIONS)
    target, guess = arrays["target"], (arrays["output"] > 0.5).astype(int)
    lines = tagged.read_bytes(layout.CONFUSION).decode().splitlines()
    counts = metrics.multilabel_confusion_matrix(target, guess).reshape(2, 4)
    expected = metrics.classification_report(
        target, guess, target_names=["dark", "strong"], output_dict=True, zero_division=0
    )
    scores = tagged.metrics().test

    assert tagged.read_json(layout.REPORT) == expected
    assert lines[1:] == [
        ",".join(map(str, [name, *row]))
        for name, row in zip(["dark", "strong"], counts, strict=True)
    ]
    assert scores["binary_accuracy"] == pytest.approx((target == guess).mean())
    assert scores["precision"] == pytest.approx(
        metrics.precision_score(target, guess, average="micro")
    )


def test_a_column_of_labels_trains_as_columns_of_0_and_1(
    tagged: Run, trained: Callable[..., Run], invoke: Callable[..., Result]
) -> None:
    """To the bit, and `compare` tests both by rows."""
    again = trained("columns", target="[dark, strong]", **LABELS)
    text = (
        invoke("compare", tagged.path, again.path).stdout
        + invoke("compare", tagged.path, again.path, "--json").stdout
    )

    assert again.read_json(layout.HISTORY) == tagged.read_json(layout.HISTORY)
    assert "no difference shown" in text


def test_predictions_name_the_labels_above_the_threshold(
    tagged: Run, invoke: Callable[..., Result], folder: Path
) -> None:
    rows = predict(invoke, tagged.path, folder / "wines.csv")
    lines = [
        line.split() for line in invoke("predict", tagged.path, "--rows", "0:3").stdout.splitlines()
    ]

    for row in rows:
        chosen = [name for name, value in row["probabilities"].items() if value > 0.5]
        assert row["prediction"] == chosen
    assert rows[0]["label"] == ["dark", "strong"]
    assert any("dark" in line for line in lines)


def test_evaluate_repeats_the_metrics_and_refuses_an_unknown_label(
    tagged: Run, invoke: Callable[..., Result], folder: Path
) -> None:
    found = json.loads(invoke("evaluate", tagged.path, "--json").stdout)["metrics"]
    other = folder / "other.csv"
    other.write_text("alcohol,color_intensity,hue,tags\n13,4,1,dark; sweet\n")
    answer = invoke("evaluate", tagged.path, other)

    assert found == pytest.approx(tagged.metrics().test, rel=1e-5)
    assert answer.exit_code == 2
    assert "'sweet' on line 2 is no label of the training file" in answer.stderr


def test_each_of_several_values_has_its_own_metrics(
    trained: Callable[..., Run], invoke: Callable[..., Result], folder: Path
) -> None:
    """The reported metric is the mean over the values."""
    keys = {"features": "alcohol, strong, dark", "activation": "linear", "loss": "mse"}
    run = trained("values", target="[color_intensity, hue]", metric="mae", **keys)
    report = run.read_json(layout.VALUES)
    arrays = run.read_arrays(layout.PREDICTIONS)
    error = np.abs(arrays["target"] - arrays["output"])
    row = predict(invoke, run.path, folder / "wines.csv")[0]

    assert [*report] == ["color_intensity", "hue"]
    assert [report[name]["mae"] for name in report] == pytest.approx(error.mean(axis=0).tolist())
    assert report["hue"]["r2"] == pytest.approx(
        metrics.r2_score(arrays["target"][:, 1], arrays["output"][:, 1])
    )
    assert run.metrics().test["mae"] == pytest.approx(error.mean(), rel=1e-5)
    assert row["prediction"].keys() == row["label"].keys() == report.keys()


MASKS = """\
dataset: {{name: npz, path: {path}, prepare: [{{rescale: 16}}]}}
model:
  - Conv2D: {{filters: 6, kernel_size: 3, padding: same, activation: relu}}
  - Conv2D: {{filters: {filters}, kernel_size: 1, activation: {activation}}}
training: {{optimizer: {{Adam: 0.02}}, loss: {loss}, metrics: [{metrics}], epochs: 4}}
"""


def save(path: Path, labels: Array) -> Path:
    images = datasets.load_digits().images[: len(labels)].astype(np.uint8)
    np.savez(path, x=images[..., None], y=labels)
    return path


PIXELS = datasets.load_digits().images[:200]


def test_a_mask_has_a_class_for_each_pixel(invoke: Callable[..., Result], tmp_path: Path) -> None:
    """Metrics and report are those of scikit-learn over all pixels."""
    masks = (PIXELS > 6).astype(int) + (PIXELS > 12)
    keys = {"path": save(tmp_path / "m.npz", masks), "filters": 3, "activation": "softmax"}
    loss = "sparse_categorical_crossentropy"
    (tmp_path / "m.yaml").write_text(
        MASKS.format(loss=loss, metrics="accuracy, MeanIoU: {num_classes: 3}", **keys)
    )
    answer = invoke("train", tmp_path / "m.yaml", "--json", "--runs", tmp_path / "runs")
    run = Run(Path(json.loads(answer.stdout)["runs"][0]["path"]))
    arrays, test = run.read_arrays(layout.PREDICTIONS), run.metrics().test
    true, guess = arrays["target"].ravel(), arrays["output"].argmax(axis=-1).ravel()
    expected = metrics.classification_report(true, guess, output_dict=True, zero_division=0)
    report = run.read_json(layout.REPORT)
    row = predict(invoke, run.path, tmp_path / "m.npz")[0]
    found = json.loads(invoke("evaluate", run.path, "--json").stdout)["metrics"]

    assert arrays["target"].shape == (40, 8, 8)
    assert (arrays["target"].dtype, arrays["output"].dtype) == ("uint8", "float16")
    assert test["accuracy"] == pytest.approx((true == guess).mean(), abs=2e-3)
    assert test["mean_io_u"] == pytest.approx(
        metrics.jaccard_score(true, guess, average="macro"), abs=5e-3
    )
    for name in "012":
        kept = {key: value for key, value in report[name].items() if key != "iou"}
        assert kept == pytest.approx(expected[name], abs=1e-6)
    assert found == pytest.approx(test, rel=1e-5)
    assert np.shape(row["prediction"]) == np.shape(row["label"]) == (8, 8)
    assert "0 " in invoke("predict", run.path, "--rows", "0:2").stdout
    assert run.holds(layout.plot("gallery"))


def test_a_picture_is_predicted_from_a_picture(
    invoke: Callable[..., Result], tmp_path: Path
) -> None:
    keys = {"path": save(tmp_path / "p.npz", 1 - PIXELS / 16), "filters": 1}
    (tmp_path / "p.yaml").write_text(
        MASKS.format(loss="mse", metrics="mae", activation="linear", **keys)
    )
    answer = invoke("train", tmp_path / "p.yaml", "--json", "--runs", tmp_path / "runs")
    run = Run(Path(json.loads(answer.stdout)["runs"][0]["path"]))
    arrays = run.read_arrays(layout.PREDICTIONS)
    error = np.abs(arrays["target"] - arrays["output"][..., 0])
    row = predict(invoke, run.path, "--rows", "0")[0]

    assert run.metrics().test["mae"] == pytest.approx(error.mean(), abs=1e-3)
    np.testing.assert_allclose(row["prediction"], arrays["output"][0, ..., 0], atol=1e-2)
    assert "mean " in invoke("predict", run.path, "--rows", "0").stdout


AUTOENCODER = """\
dataset: {{{data}, target: inputs, prepare: [{prepare}]}}
model: [{{GaussianNoise: 0.1}}, {{Dense: {{units: 8}}}}, {{Dense: {units}}}]
training: {{optimizer: {{Adam: 0.01}}, loss: mse, metrics: [mae], epochs: 2}}
validation: {{kfold: {{folds: 2, final: true}}}}
"""


@pytest.mark.parametrize(
    ("data", "prepare", "units"),
    [
        ("name: digits", "{rescale: 16}, flatten", 64),
        ("name: npz, path: only.npz", "{rescale: 16}, flatten", 64),
        ("name: csv, path: wines.csv, features: [alcohol, hue]", "standardize", 2),
    ],
)
def test_the_inputs_are_the_labels_of_an_autoencoder(
    invoke: Callable[..., Result], folder: Path, data: str, prepare: str, units: int
) -> None:
    """No labels are needed or stored, and each row has its error."""
    np.savez(folder / "only.npz", x=PIXELS)
    path = folder / "auto.yaml"
    path.write_text(AUTOENCODER.format(data=data, prepare=prepare, units=units))
    answer = invoke("train", path, "--json", "--runs", folder / "auto")
    run = Run(Path(json.loads(answer.stdout)["runs"][0]["path"]))
    arrays, test = run.read_arrays(layout.PREDICTIONS), run.metrics().test
    rows = predict(invoke, run.path, "--rows", "0:")
    found = json.loads(invoke("evaluate", run.path, "--json").stdout)["metrics"]
    squares = np.square(arrays["output"].astype(float) - arrays["target"]).mean(axis=1)

    assert arrays["target"].shape == arrays["output"].shape == (len(rows), units)
    np.testing.assert_allclose(arrays["error"], squares, rtol=2e-2, atol=1e-5)
    assert test["loss"] == pytest.approx(arrays["error"].mean(), rel=1e-3)
    assert found == pytest.approx(test, rel=1e-4)
    assert [row["error"] for row in rows] == pytest.approx(arrays["error"].tolist(), rel=1e-3)
    assert run.holds(layout.VALUES) == (units == 2)
    refused = invoke("predict", run.path, "--mc-dropout", "3")
    assert "reconstructions are not averaged" in refused.stderr
