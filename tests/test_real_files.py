"""Inputs as people have them: each is read right, or refused with what to write."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn import metrics as sk

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


def imbalanced(path: Path, positive: str, negative: str) -> None:
    """A table with a rare class that depends on the first column."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 3))
    rare = rng.random(600) < 1 / (1 + np.exp(-(2 * x[:, 0] - 1.5)))
    frame = pd.DataFrame(x, columns=list("abc"))
    frame.assign(y=np.where(rare, positive, negative)).to_csv(path, index=False)


def scored(folder: Path) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
    """The metrics of the test rows, and whether each is of class 1 and predicted so."""
    arrays = predictions(folder)
    metrics = json.loads((folder / "metrics.json").read_text())["test"]
    return metrics, arrays["target"], (arrays["output"][:, -1] > 0.5).astype(int)


def test_f1_of_one_unit_is_that_of_the_class(run, nnrun, tmp_path) -> None:
    imbalanced(tmp_path / "d.csv", "yes", "no")
    metrics = ["F1Score", {"FBetaScore": {"beta": 2.0}}, "Recall"]
    optimizer = {"Adam": {"learning_rate": 0.02}}
    training = {**BINARY, "metrics": metrics, "optimizer": optimizer, "epochs": 8}
    folder = run("train", spec(tmp_path, {}, [HIDDEN, SIGMOID], training))

    found, target, guess = scored(folder)

    assert 0 < guess.mean() < 0.5
    assert found["f1_score"] == pytest.approx(sk.f1_score(target, guess), abs=1e-4)
    assert found["fbeta_score"] == pytest.approx(sk.fbeta_score(target, guess, beta=2), abs=1e-4)


@pytest.mark.parametrize(
    ("output", "loss"),
    [
        (SIGMOID, "binary_crossentropy"),
        pytest.param(softmax(2), "categorical_crossentropy", marks=pytest.mark.slow),
    ],
)
def test_the_positive_class_is_chosen_and_named(run, nnrun, tmp_path, output, loss) -> None:
    imbalanced(tmp_path / "d.csv", "fraud", "legit")
    optimizer = {"Adam": {"learning_rate": 0.02}}
    training = {**BINARY, "metrics": ["Precision", "Recall"], "loss": loss, "epochs": 8}
    path = spec(
        tmp_path, {"positive": "fraud"}, [HIDDEN, output], {**training, "optimizer": optimizer}
    )
    folder = run("train", path)

    found, target, guess = scored(folder)
    report = json.loads((folder / "classification_report.json").read_text())

    assert target.mean() < 0.5
    assert found["precision"] == pytest.approx(sk.precision_score(target, guess), abs=1e-4)
    assert found["recall"] == pytest.approx(report["fraud"]["recall"], abs=1e-4)
    assert report["positive class"] == "fraud"
    for verb in ("show", "evaluate"):
        assert "positive class: fraud" in nnrun(verb, folder, cwd=tmp_path).stdout
    path.write_text(path.read_text().replace("positive: fraud", "positive: farud"))
    answer = nnrun("check", path, cwd=tmp_path)
    assert "there is no class 'farud'; did you mean 'fraud'?" in answer.stdout + answer.stderr


def test_weights_of_classes_that_are_numbers_go_by_name(run, nnrun, tmp_path) -> None:
    """The class 1 is the first of 1 and 2, and there is no class 0."""
    noise(60, "a").assign(y=[1, 2] * 30).to_csv(tmp_path / "d.csv", index=False)
    training = {**BINARY, "class_weight": {1: 1.0, 2: 3.0}, "epochs": 1}
    dataset = {"task": "classification", "positive": 1}
    path = spec(tmp_path, dataset, [SIGMOID], training)
    assert nnrun("check", path, cwd=tmp_path).returncode == 0
    path.write_text(path.read_text().replace("1: 1.0", "0: 1.0"))

    answer = nnrun("check", path, cwd=tmp_path)

    assert answer.returncode == 2
    assert "there is no class '0'; there are '1' and '2'" in answer.stdout + answer.stderr


def noise(rows: int, *names: str) -> pd.DataFrame:
    values = np.random.default_rng(0).normal(size=(rows, len(names)))
    return pd.DataFrame(values, columns=list(names))


@pytest.mark.parametrize(
    "engine", ["auto", *(pytest.param(name, marks=pytest.mark.slow) for name in ("graph", "fit"))]
)
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
    validation = {"kfold": {"folds": 3, "time_series": True}}
    path = spec(days, {"prepare": ["standardize"]}, [{"Dense": 1}], REGRESSION, validation)

    folder = run("kfold", path)

    parts = sorted(folder.glob("fold-*"))
    blocks = [predictions(part) for part in parts]
    trained = [json.loads((part / "run.json").read_text())["rows"]["train"] for part in parts]
    assert len(parts) == 3
    # The target of a row is its number: all rows before a block train, and only they.
    assert trained == [block["row"].min() for block in blocks]
    for block in blocks:
        np.testing.assert_array_equal(block["row"], np.arange(*block["row"][[0, -1]] + [0, 1]))
        np.testing.assert_array_equal(block["target"], block["row"])


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
    validation = {"kfold": {"folds": 2, "groups": "patient"}}
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


def test_a_column_divides_the_rows_and_another_weights_them(run, tmp_path) -> None:
    """`split` names the rows that train, validate and test; a weight of 0 trains nothing."""
    frame = noise(90, "a", "b")
    parts = np.array(["train", "Validation", "test"])[np.arange(90) % 3]
    weights = np.where(np.arange(90) < 45, 1.0, 0.0)
    frame = frame.assign(part=parts, importance=weights, y=np.where(np.arange(90) < 45, 1.0, 100))
    frame.to_csv(tmp_path / "d.csv", index=False)
    dataset = {"split": "part", "weight": "importance"}
    training = {**REGRESSION, "optimizer": {"Adam": {"learning_rate": 0.1}}, "epochs": 150}

    folder = run("train", spec(tmp_path, dataset, [{"Dense": 1}], training, {}))

    got = predictions(folder)
    record = json.loads((folder / "run.json").read_text())
    assert got["row"].tolist() == list(range(2, 90, 3))
    assert record["rows"] == {"train": 30, "validation": 30, "test": 30}
    assert record["parameters"] == 3
    assert abs(np.median(got["output"]) - 1) < 1


def test_a_column_that_numbers_the_rows_is_warned_of(nnrun, tmp_path) -> None:
    """By `check` and by `train`, with what to write."""
    frame = noise(60, "b").assign(y=np.where(np.arange(60) < 30, "lo", "hi"))
    frame.to_csv(tmp_path / "d.csv")
    path = spec(tmp_path, {"prepare": ["standardize"]}, [SIGMOID], BINARY)

    for verb in ("check", "train"):
        answer = nnrun(verb, path, cwd=tmp_path)
        text = answer.stdout + answer.stderr
        assert "NN229" in text
        assert "types: {'Unnamed: 0': drop}" in text


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["n.a."], "is 'n.a.' on line 9"),
        (["?", "?"], "na_values: ['?']"),
        (["1,5"], "is '1,5' on line 9"),
        (["45%"], "is '45%' on line 9"),
    ],
)
def test_one_odd_cell_makes_no_categories(cells: list[str], message: str, nnrun, tmp_path) -> None:
    """A column of numbers with a word in it is refused by `check` and by `train`."""
    frame = noise(200, "a").round(3).astype(object)
    frame.loc[[7, 9][: len(cells)], "a"] = cells
    frame.assign(y=np.arange(200.0)).to_csv(tmp_path / "d.csv", index=False)
    path = spec(tmp_path, {"prepare": ["standardize"]}, [{"Dense": 1}], REGRESSION)

    for verb in ("check", "train"):
        answer = nnrun(verb, path, cwd=tmp_path)
        assert answer.returncode == 2
        assert message in answer.stdout + answer.stderr


@pytest.mark.parametrize(("units", "code"), [(2, 0), (5, 2)])
def test_check_and_train_count_the_same_classes(units: int, code: int, nnrun, tmp_path) -> None:
    """TRUE, True and true are one class."""
    frame = noise(200, "a", "b")
    words = np.where(frame.a > 0, "TRUE", "false")
    words[::3] = np.where(frame.a[::3] > 0, "True", "FALSE")
    frame.assign(y=words).to_csv(tmp_path / "d.csv", index=False)
    path = spec(tmp_path, {}, [softmax(units)], SPARSE)

    assert nnrun("check", path, cwd=tmp_path).returncode == code
    assert nnrun("train", path, cwd=tmp_path).returncode == code


def test_a_category_per_row_is_refused(nnrun, tmp_path) -> None:
    """20,000 customer numbers would be 20,000 columns."""
    ids = [f"C{at:05d}" for at in range(20_000)]
    noise(20_000, "a").assign(id=ids, y=1.5).to_csv(tmp_path / "d.csv", index=False)
    path = spec(tmp_path, {}, [{"Dense": 1}], REGRESSION)

    for verb in ("check", "train"):
        answer = nnrun(verb, path, cwd=tmp_path)
        assert answer.returncode == 2
        assert "different words in" in answer.stdout + answer.stderr
        assert "types: {id: drop}" in answer.stdout + answer.stderr


def test_parquet_types_are_read_or_refused_by_name(nnrun, run, tmp_path) -> None:
    """A DECIMAL is a number; lists and columns without values are refused."""
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    values = noise(200, "a").a
    prices = [Decimal(str(round(value, 2))) for value in values]
    pd.DataFrame({"area": prices, "y": 2 * values}).to_parquet(tmp_path / "d.parquet")
    dataset = {"name": "parquet", "path": "d.parquet"}
    path = spec(tmp_path, dataset, [{"Dense": 1}], REGRESSION)

    record = json.loads((run("train", path) / "run.json").read_text())

    assert record["parameters"] == 2
    for name, cells in (("emb", [np.zeros(4)] * 200), ("gone", [None] * 200)):
        frame = pd.DataFrame({"a": values, name: cells, "y": values})
        frame.to_parquet(tmp_path / "d.parquet")
        for verb in ("check", "train"):
            answer = nnrun(verb, path, cwd=tmp_path)
            assert answer.returncode == 2
            assert f"'{name}'" in answer.stdout + answer.stderr


def test_unknown_categories_are_counted_and_do_not_refuse_a_file(run, nnrun, tmp_path) -> None:
    """Each category has a column; one that training did not know has none."""
    frame = noise(60, "a").assign(city=["rome", "oslo", "bonn"] * 20, y=np.arange(60.0))
    frame.to_csv(tmp_path / "d.csv", index=False)
    folder = run("train", spec(tmp_path, {}, [{"Dense": 1}], REGRESSION))
    (tmp_path / "new.csv").write_text("a,city\n0.5,lima\n0.5,rome\n", encoding="utf-8")

    answer = nnrun("predict", folder, tmp_path / "new.csv", "--json", cwd=tmp_path)

    assert answer.returncode == 0, answer.stderr
    assert (
        "'city' has values that training did not know, in 1 row: 'lima'"
        in answer.stdout + answer.stderr
    )


def test_an_unknown_category_gets_a_code_of_its_own_if_there_is_a_row_for_it(
    run, nnrun, tmp_path
) -> None:
    """Two columns of 3 and 2 categories have the codes 0 to 4; no row trains code 5."""
    frame = noise(60).assign(city=["rome", "oslo", "bonn"] * 20, size=["S", "L"] * 30)
    frame.assign(y=np.arange(60.0)).to_csv(tmp_path / "d.csv", index=False)
    (tmp_path / "new.csv").write_text("size,city\nS,lima\nXL,rome\nL,oslo\n", encoding="utf-8")
    layers = ["Flatten", {"Dense": 1}]
    for rows, code in ((5, 2), (6, 0)):
        model = [{"Embedding": {"input_dim": rows, "output_dim": 2}}, *layers]
        folder = run("train", spec(tmp_path, {"categories": "codes"}, model, REGRESSION))

        answer = nnrun("predict", folder, tmp_path / "new.csv", cwd=tmp_path)

        assert answer.returncode == code, answer.stderr
        assert ("input_dim: 6 or more takes unknown values" in answer.stderr) is bool(code)
    assert (
        "training did not know, in 1 row: 'lima'; their code, 5, was not trained" in answer.stderr
    )
    assert "training did not know, in 1 row: 'XL'" in answer.stderr
