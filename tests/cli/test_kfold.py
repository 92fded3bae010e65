"""`nnrun kfold`: a run per fold, what they say together, and an exit code that means something."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from nnrun.data import datasets
from nnrun.runs import Run, layout
from nnrun.spec.dataset import Iris


def only(root: Path) -> Run:
    [path] = root.iterdir()
    return Run(path)


@pytest.fixture(scope="module")
def boston(nnrun: Any, configs: Path, tmp_path_factory: Any) -> tuple[Any, Run]:
    """The tutorial's K-fold, twelve epochs, smoothed, with a final model."""
    root = tmp_path_factory.mktemp("boston")
    smooth = ("--set", "validation.kfold.smooth={skip: 3}")
    epochs = ("--set", "training.epochs=12")
    answer = nnrun("kfold", configs / "boston.yaml", "--final", *smooth, *epochs, "--runs", root)
    return answer, only(root)


def iris(nnrun: Any, configs: Path, root: Path, workers: int) -> tuple[Any, Run]:
    answer = nnrun(
        *("kfold", configs / "iris.yaml", "--set", "training.epochs=4", "--json"),
        *("--workers", workers, "--runs", root),
    )
    return answer, only(root)


@pytest.fixture(scope="module")
def alone(nnrun: Any, configs: Path, tmp_path_factory: Any) -> tuple[Any, Run]:
    """Five stratified folds of a classifier, one after the other."""
    return iris(nnrun, configs, tmp_path_factory.mktemp("alone"), workers=1)


@pytest.fixture(scope="module")
def in_pairs(nnrun: Any, configs: Path, tmp_path_factory: Any) -> tuple[Any, Run]:
    """The same, two at a time."""
    return iris(nnrun, configs, tmp_path_factory.mktemp("pairs"), workers=2)


def folds(run: Run) -> list[Run]:
    return [Run(run.path / layout.fold(number + 1)) for number in range(len(run.record().folds))]


def table(run: Run) -> list[dict[str, str]]:
    with (run.path / layout.FOLDS).open(newline="") as file:
        return list(csv.DictReader(file))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_cross_validation_leaves_every_file_and_no_other(boston: tuple[Any, Run]) -> None:
    """Its own, and a run folder for each fold and for the model on all rows."""
    run = boston[1]
    about_classes = {layout.CONFUSION, layout.REPORT}
    of_one_model = {layout.MODEL, layout.PREPARATION}
    own = set(layout.MEANING) - about_classes - of_one_model

    assert names(run.path) == {*own, layout.FOLDS, "fold-1", "fold-2", "fold-3", "fold-4", "final"}
    for fold in folds(run):
        assert names(fold.path) == set(layout.MEANING) - about_classes
    assert names(run.path / layout.PLOTS) == {
        "predicted.png",
        "model.png",
        "model.svg",
        *(f"{metric}{kind}.png" for metric in ("loss", "mae") for kind in ("", "-smoothed")),
    }


def test_a_classifier_is_judged_by_its_predictions_out_of_fold(alone: tuple[Any, Run]) -> None:
    """Every training row once, by the model that has not seen it."""
    run = alone[1]
    found = run.read_arrays(layout.PREDICTIONS)
    dataset = datasets.load(Iris(name="iris"))
    guess = found["output"].argmax(axis=1)

    assert found["row"].tolist() == list(range(len(dataset.train)))
    assert np.array_equal(found["target"], dataset.train.y)
    with (run.path / layout.CONFUSION).open() as file:
        counts = [[int(cell) for cell in row[1:]] for row in list(csv.reader(file))[1:]]
    assert counts == sk.confusion_matrix(found["target"], guess).tolist()
    for number, fold in enumerate(folds(run), start=1):
        own = fold.read_arrays(layout.PREDICTIONS)
        assert set(found["row"][found["fold"] == number]) == set(own["row"])
        assert np.array_equal(found["output"][own["row"]], own["output"])


def test_a_fold_says_nothing_of_the_test_rows(boston: tuple[Any, Run]) -> None:
    """Whoever looks at them once per fold ends up choosing by them."""
    for fold in folds(boston[1]):
        assert not fold.metrics().test
        assert fold.record().rows == {"train": 303, "validation": 101, "test": 0}


def test_metrics_are_mean_spread_and_interval_over_folds(boston: tuple[Any, Run]) -> None:
    run = boston[1]
    metrics = run.metrics()
    values = [fold.metrics().validation["mae"] for fold in folds(run)]

    assert metrics.validation["mae"].folds == values
    assert metrics.validation["mae"].mean == pytest.approx(np.mean(values), rel=1e-12)
    assert metrics.validation["mae"].std == pytest.approx(np.std(values, ddof=1), rel=1e-12)
    assert metrics.ddof == 1
    assert metrics.confidence == 0.95
    assert metrics.validation["mae"].low < np.mean(values) < metrics.validation["mae"].high


def test_the_history_is_the_mean_over_folds(boston: tuple[Any, Run]) -> None:
    run = boston[1]
    histories = [fold.history().epochs["val_mae"] for fold in folds(run)]

    assert run.read_json(layout.HISTORY)["val_mae"] == np.mean(histories, axis=0).tolist()
    assert run.history().epochs == run.read_json(layout.HISTORY)


def test_the_best_epoch_is_that_of_the_smoothed_curve(boston: tuple[Any, Run]) -> None:
    """Three epochs left out, then 0.9 of the curve so far and 0.1 of the epoch."""
    run = boston[1]
    curve = run.read_json(layout.HISTORY)["val_loss"][3:]
    points = curve[:1]
    for value in curve[1:]:
        points.append(points[-1] * 0.9 + value * 0.1)
    metrics = run.metrics()

    assert metrics.best_epoch == int(np.argmin(points)) + 4
    assert metrics.smoothed["val_loss"].lowest == pytest.approx(min(points), rel=1e-12)


def test_folds_csv_has_a_row_per_fold(boston: tuple[Any, Run]) -> None:
    rows = table(boston[1])

    assert [row["fold"] for row in rows] == ["1", "2", "3", "4"]
    assert {row["status"] for row in rows} == {"finished"}
    assert {row["validation_rows"] for row in rows} == {"101"}
    assert [float(row["val_mae"]) for row in rows] == boston[1].metrics().validation["mae"].folds


def test_the_final_model_learns_from_all_rows_for_the_best_epochs(
    boston: tuple[Any, Run], nnrun: Any, tmp_path: Path
) -> None:
    """And is tested once; its own spec says the same to `nnrun train`."""
    run = boston[1]
    final = Run(run.path / layout.FINAL)
    answer = nnrun("train", final.path / layout.SPEC, "--runs", tmp_path)
    alone = only(tmp_path)

    assert answer.returncode == 0
    assert final.metrics().epochs == run.metrics().best_epoch
    assert final.record().rows == {"train": 404, "validation": 0, "test": 102}
    assert run.metrics().test == final.metrics().test
    assert alone.read_json(layout.HISTORY) == final.read_json(layout.HISTORY)
    assert alone.metrics().test == final.metrics().test


def test_the_table_shows_folds_interval_and_test(boston: tuple[Any, Run]) -> None:
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
        "test": f"{metrics.test['mae']:.4f}",
    }
    assert "± is the standard deviation (ddof 1)" in answer.stdout
    assert f"best epoch {metrics.best_epoch} of 12 by the smoothed mean curve" in answer.stdout


def test_off_a_terminal_there_is_a_line_per_fold_and_no_noise(boston: tuple[Any, Run]) -> None:
    lines = boston[0].stderr.splitlines()

    assert [line.split("  ")[0] for line in lines if line.startswith("f")] == [
        *("fold 1", "fold 2", "fold 3", "fold 4"),
        "final",
    ]
    assert "\x1b" not in boston[0].stderr + boston[0].stdout
    assert not re.search(r"tensorflow|cuda|^[IWE]0000", boston[0].stderr, re.MULTILINE)


def test_every_fold_is_an_ordinary_run(boston: tuple[Any, Run], nnrun: Any) -> None:
    """What reads runs reads them too."""
    for fold in folds(boston[1]):
        shown = nnrun("show", fold.path)

        assert shown.returncode == 0
        assert f"{fold.metrics().validation['mae']:.4f}" in shown.stdout


def test_a_cross_validation_is_listed_with_mean_and_spread(
    boston: tuple[Any, Run], nnrun: Callable[..., Any]
) -> None:
    listed = nnrun("list", "--runs", boston[1].path.parent).stdout

    assert "finished" in listed
    assert len([line for line in listed.splitlines() if "boston" in line]) == 1


def test_json_is_one_document(alone: tuple[Any, Run]) -> None:
    answer, run = alone

    assert answer.returncode == 0
    assert json.loads(answer.stdout) == {
        "schema_version": 1,
        "runs": [
            {
                "path": str(run.path),
                "name": "iris",
                "status": "finished",
                "metrics": run.read_json(layout.METRICS),
            }
        ],
    }


@pytest.mark.parametrize("name", [layout.HISTORY, layout.SPEC, layout.CONFUSION, layout.REPORT])
def test_folds_side_by_side_give_the_same_bytes(
    alone: tuple[Any, Run], in_pairs: tuple[Any, Run], name: str
) -> None:
    """How many work at once is a matter of time only."""
    for part in ("", *(layout.fold(number) for number in range(1, 6))):
        one, other = (run.path / part / name for run in (alone[1], in_pairs[1]))

        assert one.read_bytes() == other.read_bytes()


def test_folds_side_by_side_are_trained_at_the_same_time(in_pairs: tuple[Any, Run]) -> None:
    """Two processes, named in the records of their folds."""
    processes = {fold.record().pid for fold in folds(in_pairs[1])}

    assert len(processes) == 2


@pytest.mark.slow
def test_every_fold_that_fails_is_reported(nnrun: Any, configs: Path, tmp_path: Path) -> None:
    """The next is tried all the same; the run says `failed`, and so does the exit code."""
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


def test_a_spec_without_folds_is_told_how_to_ask_for_them(
    nnrun: Any, configs: Path, tmp_path: Path
) -> None:
    answer = nnrun("kfold", configs / "digits.yaml", "--runs", tmp_path)

    assert answer.returncode == 2
    assert "NN102 validation.kfold: is missing, and `nnrun kfold` needs it" in answer.stderr
    assert not list(tmp_path.iterdir())


def test_what_no_fold_can_be_made_of_is_refused_at_its_place(
    nnrun: Any, configs: Path, tmp_path: Path
) -> None:
    """Before anything is written."""
    answer = nnrun(
        *("kfold", configs / "boston.yaml", "--runs", tmp_path),
        *("--set", "validation.kfold.stratify=true"),
    )

    assert answer.returncode == 2
    assert "NN126 validation.kfold.stratify: stratify needs classes" in answer.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_way_of_the_tutorial_is_reported_as_leaking(
    nnrun: Any, configs: Path, tmp_path: Path
) -> None:
    """On screen, in the record, and when the run is shown."""
    answer = nnrun(
        *("kfold", configs / "boston.yaml", "--runs", tmp_path, "--set", "training.epochs=1"),
        *("--set", "dataset.prepare=[{standardize: {fit: all}}]"),
    )
    told = "NN214 dataset.prepare[0]: leak: fit: all learns from the rows that validate too"

    assert answer.returncode == 0
    assert told in answer.stderr
    assert told in answer.stdout
    assert any(notice.startswith("NN214") for notice in only(tmp_path).record().notices)


@pytest.mark.slow
def test_folds_that_stop_early_are_averaged_as_far_as_all_of_them_come(
    nnrun: Any, configs: Path, tmp_path: Path
) -> None:
    """Beyond the first that stopped, the mean of the others would jump.

    A mean curve that was cut says nothing of the best epoch; the folds by themselves do.
    """
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
def test_a_curve_of_which_smoothing_leaves_nothing_is_not_smoothed(
    nnrun: Any, configs: Path, tmp_path: Path
) -> None:
    """A smoke run of two epochs, ten of which are to be left out."""
    short = ("--set", "training.epochs=2")
    answer = nnrun("kfold", configs / "boston-500.yaml", *short, "--runs", tmp_path)

    assert answer.returncode == 0
    assert "note: not smoothed: skip: 10 leaves none of 2 epochs" in answer.stderr
    assert "of 2 by the mean curve: val_loss " in answer.stdout
    assert not only(tmp_path).metrics().smoothed


@pytest.mark.slow
def test_a_cross_validation_is_verified_with_every_fold(
    boston: tuple[Any, Run], nnrun: Callable[..., Any]
) -> None:
    """Whole, folds and the model on all rows, each to the bit; a fold alone is not asked for."""
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
