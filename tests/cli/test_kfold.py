"""`nnrun kfold`: a run per fold, metrics over all folds, and exit codes."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from sklearn import metrics as sk

from nnrun.analysis.compare import entries, facts
from nnrun.data import datasets
from nnrun.runs import Run, layout
from nnrun.spec.dataset import BostonHousing, Iris


def only(root: Path) -> Run:
    [path] = root.iterdir()
    return Run(path)


@pytest.fixture(scope="module")
def boston(nnrun: Any, configs: Path, tmp_path_factory: Any) -> tuple[Any, Run]:
    """Two folds and twelve epochs of the tutorial, smoothed, with a final model."""
    root = tmp_path_factory.mktemp("boston")
    smooth = ("--set", "validation.kfold.smooth={skip: 3}")
    short = ("--set", "training.epochs=12", "--set", "validation.kfold.folds=2")
    answer = nnrun("kfold", configs / "boston.yaml", "--final", *smooth, *short, "--runs", root)
    return answer, only(root)


@pytest.fixture(scope="module")
def iris(nnrun: Any, configs: Path, tmp_path_factory: Any) -> dict[int, tuple[Any, Run]]:
    """Two stratified folds of a classifier, by one worker and by two."""
    results = {}
    for workers in (1, 2):
        root = tmp_path_factory.mktemp("iris")
        short = ("--set", "training.epochs=4", "--set", "validation.kfold.folds=2")
        options = (*short, "--workers", workers, "--runs", root)
        answer = nnrun("kfold", configs / "iris.yaml", "--json", *options)
        results[workers] = answer, only(root)
    return results


def folds(run: Run) -> list[Run]:
    return [Run(run.path / layout.fold(number + 1)) for number in range(len(run.record().folds))]


def table(run: Run) -> list[dict[str, str]]:
    with (run.path / layout.FOLDS).open(newline="") as file:
        return list(csv.DictReader(file))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_cross_validation_writes_a_run_folder_per_fold(boston: tuple[Any, Run]) -> None:
    """Its own files, and a run folder for each fold and for the final model."""
    run = boston[1]
    of_classes = {layout.CONFUSION, layout.REPORT}
    own = set(layout.MEANING) - of_classes - {layout.MODEL, layout.PREPARATION}

    assert names(run.path) == {*own, layout.FOLDS, "fold-1", "fold-2", "final"}
    assert len(folds(run)) == 2
    assert all(names(fold.path) == set(layout.MEANING) - of_classes for fold in folds(run))
    assert names(run.path / layout.PLOTS) == {
        "predicted.png",
        "model.png",
        "model.svg",
        *(f"{metric}{kind}.png" for metric in ("loss", "mae") for kind in ("", "-smoothed")),
    }


def test_a_classifier_is_evaluated_on_out_of_fold_predictions(
    iris: dict[int, tuple[Any, Run]],
) -> None:
    """Every training row once, by the model that was not trained on it."""
    run = iris[1][1]
    predictions = run.read_arrays(layout.PREDICTIONS)
    dataset = datasets.load(Iris(name="iris"))
    classes = predictions["output"].argmax(axis=1)

    assert predictions["row"].tolist() == list(range(len(dataset.train)))
    assert np.array_equal(predictions["target"], dataset.train.y)
    with (run.path / layout.CONFUSION).open() as file:
        counts = [[int(cell) for cell in row[1:]] for row in list(csv.reader(file))[1:]]
    assert counts == sk.confusion_matrix(predictions["target"], classes).tolist()
    assert len(folds(run)) == 2
    for number, fold in enumerate(folds(run), start=1):
        own = fold.read_arrays(layout.PREDICTIONS)
        assert set(predictions["row"][predictions["fold"] == number]) == set(own["row"])
        assert np.array_equal(predictions["output"][own["row"]], own["output"])


def test_folds_are_ordinary_runs_without_test_metrics(boston: tuple[Any, Run], here: Any) -> None:
    """A model chosen by test metrics per fold would have seen the test rows."""
    for fold in folds(boston[1]):
        assert not fold.metrics().test
        assert fold.record().rows == {"train": 202, "validation": 202, "test": 0}
        assert f"{fold.metrics().validation['mae']:.4f}" in here("show", fold.path).stdout


def test_metrics_are_mean_spread_and_interval_over_folds(boston: tuple[Any, Run]) -> None:
    metrics = boston[1].metrics()
    values = [fold.metrics().validation["mae"] for fold in folds(boston[1])]
    spread = metrics.validation["mae"]

    assert spread.folds == values
    assert spread.mean == pytest.approx(np.mean(values), rel=1e-12)
    assert spread.std == pytest.approx(np.std(values, ddof=1), rel=1e-12)
    assert spread.low < np.mean(values) < spread.high
    assert (metrics.ddof, metrics.confidence) == (1, 0.95)


def test_history_and_best_epoch_are_those_of_the_smoothed_mean_curve(
    boston: tuple[Any, Run],
) -> None:
    """Three epochs are skipped, then each point is 0.9 of the one before and 0.1 of the epoch."""
    run = boston[1]
    history, metrics = run.read_json(layout.HISTORY), run.metrics()
    curves = [fold.history().epochs["val_mae"] for fold in folds(run)]
    points = history["val_loss"][3:4]
    for value in history["val_loss"][4:]:
        points.append(points[-1] * 0.9 + value * 0.1)

    assert history["val_mae"] == np.mean(curves, axis=0).tolist()
    assert run.history().epochs == history
    assert metrics.best_epoch == int(np.argmin(points)) + 4
    assert metrics.smoothed["val_loss"].lowest == pytest.approx(min(points), rel=1e-12)


def test_folds_csv_has_a_row_per_fold(boston: tuple[Any, Run]) -> None:
    rows = table(boston[1])

    assert [row["fold"] for row in rows] == ["1", "2"]
    assert {row["status"] for row in rows} == {"finished"}
    assert {row["validation_rows"] for row in rows} == {"202"}
    assert [float(row["val_mae"]) for row in rows] == boston[1].metrics().validation["mae"].folds


def test_the_final_model_is_trained_on_all_rows_for_the_best_number_of_epochs(
    boston: tuple[Any, Run], nnrun: Any, tmp_path: Path
) -> None:
    """`nnrun train` with its spec gives the same result."""
    run = boston[1]
    final = Run(run.path / layout.FINAL)
    answer = nnrun("train", final.path / layout.SPEC, "--runs", tmp_path)

    assert answer.returncode == 0
    assert final.metrics().epochs == run.metrics().best_epoch
    assert final.record().rows == {"train": 404, "validation": 0, "test": 102}
    assert run.metrics().test == final.metrics().test == only(tmp_path).metrics().test
    assert only(tmp_path).read_json(layout.HISTORY) == final.read_json(layout.HISTORY)


def test_the_mean_output_of_all_folds_is_tested(
    boston: tuple[Any, Run], nnrun: Any, here: Any
) -> None:
    """On the test rows, which no fold has seen; each model with the preparation of its fold."""
    run = boston[1]
    test = datasets.load(BostonHousing(name="boston_housing")).test
    outputs = []
    for fold in folds(run):
        [step] = fold.read_json(layout.PREPARATION)["steps"]
        model = keras.models.load_model(fold.path / layout.MODEL)
        x = (test.x - step["state"]["mean"]) / step["state"]["std"]
        outputs.append(model(x.astype("float32")).numpy())
    mean = np.mean(outputs, axis=0)[:, 0]
    tested = run.metrics().ensemble
    evaluated = json.loads(nnrun("evaluate", run.path, "--folds", "--json").stdout)

    assert (tested.models, tested.rows) == (2, 102)
    assert tested.test["loss"] == pytest.approx(sk.mean_squared_error(test.y, mean), rel=1e-5)
    assert tested.test["mae"] == pytest.approx(sk.mean_absolute_error(test.y, mean), rel=1e-5)
    assert evaluated["models"] == 2
    assert evaluated["metrics"] == pytest.approx(tested.test, rel=1e-6)
    assert json.loads(nnrun("evaluate", run.path, "--json").stdout)["metrics"] == pytest.approx(
        run.metrics().test, rel=1e-6
    )


def test_the_table_shows_folds_interval_and_test(boston: tuple[Any, Run], here: Any) -> None:
    answer, run = boston
    metrics = run.metrics()
    lines = [line for line in answer.stdout.splitlines() if line.startswith("│")]
    rows = {cells[1].strip(): cells[3].strip() for cells in (line.split("│") for line in lines)}
    mae = metrics.validation["mae"]

    assert answer.returncode == 0
    assert max(map(len, answer.stdout.splitlines()[:-1])) <= 80
    assert rows.pop("training").startswith(f"{metrics.train['mae'].mean:.4f} ± ")
    assert rows == {
        **{f"fold {n}": f"{value:.4f}" for n, value in enumerate(mae.folds, start=1)},
        "validation": f"{mae.mean:.4f} ± {mae.std:.4f}",
        "95 % interval": f"{mae.low:.4f} to {mae.high:.4f}",
        "test, mean of 2 models": f"{metrics.ensemble.test['mae']:.4f}",
        "test": f"{metrics.test['mae']:.4f}",
    }
    assert "the mean output of 2 models was tested on 102 rows that no fold used" in answer.stdout
    assert "± is the standard deviation (ddof 1)" in answer.stdout
    assert f"best epoch {metrics.best_epoch} of 12 by the smoothed mean curve" in answer.stdout
    listed = here("list", "--runs", run.path.parent).stdout
    assert len([line for line in listed.splitlines() if "boston" in line]) == 1


def test_an_interval_of_an_older_run_ends_at_the_bounds_of_its_metric(
    boston: tuple[Any, Run], here: Any, tmp_path: Path
) -> None:
    """Before 0.3 the interval of a mean absolute error could begin below 0."""
    run = Run(shutil.copytree(boston[1].path, tmp_path / "old"))
    metrics = run.read_json(layout.METRICS)
    metrics["validation"]["mae"]["low"] = -1.0
    run.write_json(layout.METRICS, metrics)

    shown = here("show", run.path).stdout

    assert f"0.0000 to {metrics['validation']['mae']['high']:.4f}" in shown
    [entry] = entries.grouped([facts.read(run)])
    assert entry.spread("validation", "mae")["low"] == 0.0


def test_off_a_terminal_there_is_a_line_per_fold_and_no_noise(boston: tuple[Any, Run]) -> None:
    answer = boston[0]
    parts = [line.split("  ")[0] for line in answer.stderr.splitlines() if line.startswith("f")]

    # A fold of more than ten seconds prints more lines.
    assert [*dict.fromkeys(parts)] == ["fold 1", "fold 2", "final"]
    assert "\x1b" not in answer.stderr + answer.stdout
    assert not re.search(r"tensorflow|cuda|^[IWE]0000", answer.stderr, re.MULTILINE)


def test_json_is_one_document(iris: dict[int, tuple[Any, Run]]) -> None:
    answer, run = iris[1]
    metrics = run.read_json(layout.METRICS)
    entry = {"path": str(run.path), "name": "iris", "status": "finished", "metrics": metrics}

    assert answer.returncode == 0
    assert json.loads(answer.stdout) == {"schema_version": 1, "runs": [entry]}


def test_two_workers_give_the_same_bytes_as_one(iris: dict[int, tuple[Any, Run]]) -> None:
    """The records of the folds name two processes."""
    for part in ("", *(layout.fold(number) for number in (1, 2))):
        for name in (layout.HISTORY, layout.SPEC, layout.CONFUSION, layout.REPORT):
            one, two = (run.path / part / name for _, run in iris.values())
            assert one.read_bytes() == two.read_bytes()
    assert len({fold.record().pid for fold in folds(iris[2][1])}) == 2


@pytest.mark.slow
def test_every_failed_fold_is_reported(nnrun: Any, configs: Path, tmp_path: Path) -> None:
    """The other folds are trained, and the run fails with exit code 1."""
    answer = nnrun(
        *("kfold", configs / "boston.yaml", "--final", "--runs", tmp_path),
        *("--set", "training.optimizer={SGD: {learning_rate: 1e30}}"),
        *("--set", "validation.kfold.folds=2"),
    )
    run = only(tmp_path)

    assert answer.returncode == 1
    assert run.status() == layout.FAILED
    assert {row["status"] for row in table(run)} == {"failed"}
    for part in ("fold 1", "fold 2"):
        assert re.search(
            f"^{part}  failed: the loss became (nan|inf) in epoch 1", answer.stderr, re.MULTILINE
        )
    assert "no final model: not every fold could be trained" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_spec_without_folds_is_refused(nnrun: Any, configs: Path, tmp_path: Path) -> None:
    answer = nnrun("kfold", configs / "digits.yaml", "--runs", tmp_path)

    assert answer.returncode == 2
    assert "NN102 validation.kfold: is missing, and `nnrun kfold` needs it" in answer.stderr
    assert not list(tmp_path.iterdir())


def test_a_stratified_regression_is_refused_before_anything_is_written(
    nnrun: Any, configs: Path, tmp_path: Path
) -> None:
    answer = nnrun(
        *("kfold", configs / "boston.yaml", "--runs", tmp_path),
        *("--set", "validation.kfold.stratify=true"),
    )

    assert answer.returncode == 2
    assert "NN126 validation.kfold.stratify: stratify needs one class per row" in answer.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_standardization_with_all_rows_is_reported_as_a_leak(
    nnrun: Any, configs: Path, tmp_path: Path
) -> None:
    """On screen, in the record, and when the run is shown."""
    answer = nnrun(
        *("kfold", configs / "boston.yaml", "--runs", tmp_path, "--set", "training.epochs=1"),
        *("--set", "dataset.prepare=[{standardize: {fit: all}}]"),
    )
    notice = "NN214 dataset.prepare[0]: leak: fit: all learns from the rows that validate too"

    assert answer.returncode == 0
    assert notice in answer.stderr
    assert notice in answer.stdout
    assert any(text.startswith("NN214") for text in only(tmp_path).record().notices)


@pytest.mark.slow
def test_folds_that_stop_early_are_averaged_up_to_the_shortest(
    nnrun: Any, configs: Path, tmp_path: Path
) -> None:
    """The best epoch is then the median over folds, not the minimum of the mean curve."""
    answer = nnrun(
        *("kfold", configs / "breast_cancer.yaml", "--runs", tmp_path, "--final"),
        *("--set", "validation.kfold.folds=3", "--set", "training.optimizer={Adam: 0.05}"),
    )
    run = only(tmp_path)
    metrics = run.metrics()
    trained = [len(fold.history()) for fold in folds(run)]
    best = [fold.metrics().best_epoch for fold in folds(run)]

    assert metrics.fold_epochs == trained
    assert metrics.epochs == len(run.history()) == min(trained) < max(trained)
    assert metrics.best_epoch == sorted(best)[1]
    assert f"3 folds of {min(trained)} to {max(trained)} epochs" in answer.stdout
    assert f"best epoch {sorted(best)[1]} of {max(trained)} by the median of folds" in answer.stdout
    assert f"for {sorted(best)[1]} epochs" in answer.stdout
    assert "note: EarlyStopping chooses each fold's epoch by the rows that judge" in answer.stderr
    assert "final model: EarlyStopping disabled: there are no validation rows" in answer.stderr


@pytest.mark.slow
def test_a_curve_shorter_than_skip_is_not_smoothed(
    nnrun: Any, configs: Path, tmp_path: Path
) -> None:
    short = ("--set", "training.epochs=2")
    answer = nnrun("kfold", configs / "boston-500.yaml", *short, "--runs", tmp_path)

    assert answer.returncode == 0
    assert "note: not smoothed: skip: 10 leaves none of 2 epochs" in answer.stderr
    assert "of 2 by the mean curve: val_loss " in answer.stdout
    assert not only(tmp_path).metrics().smoothed


@pytest.mark.slow
def test_verify_repeats_all_folds_and_the_final_model(boston: tuple[Any, Run], nnrun: Any) -> None:
    run = boston[1]
    answer = nnrun("verify", run.path, "--json")
    [entry] = json.loads(answer.stdout)["runs"]
    models = [each["part"] for each in entry["comparisons"] if each["what"] == "weights"]

    assert (answer.returncode, entry["verdict"], entry["damaged"]) == (0, "identical", [])
    assert models == ["final", *(fold.path.name for fold in folds(run))]
    assert {each["what"] for each in entry["comparisons"] if not each["part"]} == {
        "history",
        "metrics",
        "predictions",
    }
