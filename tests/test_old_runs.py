"""Runs that version 0.1 wrote can still be listed, shown, compared and asked for predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from typer.testing import CliRunner

from nnrun.cli.app import app

TRAIN, KFOLD = "20261129-061222-iris", "20261129-061228-iris"


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of 3 epochs, and a cross-validation of 2 folds, without their plots and logs."""
    root = tmp_path_factory.mktemp("old")
    with ZipFile(Path(__file__).with_name("runs-0.1.zip")) as archive:
        archive.extractall(root)
    return root


def ask(*arguments: object) -> Any:
    answer = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def test_list_shows_them_with_their_metrics(old: Path) -> None:
    runs = ask("list", "--runs", old)["runs"]

    assert [(run["name"], run["status"]) for run in runs] == [("iris", "finished")] * 2
    assert runs[0]["metrics"]["test"]["accuracy"] == pytest.approx(28 / 30)


@pytest.mark.parametrize(("name", "verb"), [(TRAIN, "train"), (KFOLD, "kfold")])
def test_show_reads_the_record(old: Path, name: str, verb: str) -> None:
    assert ask("show", old / name)["record"]["verb"] == verb


def test_compare_puts_them_side_by_side(old: Path) -> None:
    rows = ask("compare", old / TRAIN, old / KFOLD)["rows"]

    assert [row["name"] for row in rows] == [TRAIN, KFOLD]


def test_predict_asks_the_model(old: Path, tmp_path: Path) -> None:
    """The first of Fisher's flowers is a setosa, and three epochs are enough to learn that."""
    flowers = tmp_path / "flowers.csv"
    names = "sepal length (cm),sepal width (cm),petal length (cm),petal width (cm)"
    flowers.write_text(f"{names}\n5.1,3.5,1.4,0.2\n")

    [row] = ask("predict", old / TRAIN, flowers)["rows"]
    assert row["prediction"] == "setosa"
