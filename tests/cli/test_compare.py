"""`nnrun compare`: tables, formats, selection of runs, plots and exit codes."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from matplotlib import image

from nnrun.runs import Run, layout


@pytest.fixture(scope="module")
def root(nnrun: Any, seeds: tuple[Any, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seeds of iris, and iris with a third of the epochs."""
    root = Path(shutil.copytree(seeds[1], tmp_path_factory.mktemp("compared") / "runs"))
    changes = ("validation.holdout=null", "training.epochs=1", "name=iris-short", "seed=5")
    options = [word for change in changes for word in ("--set", change)]
    assert nnrun("train", "iris", *options, "--runs", root).returncode == 0
    return root


@pytest.fixture(scope="module")
def pair(root: Path) -> tuple[Path, Path]:
    return min(root.glob("*-iris")), next(root.glob("*-iris-short"))


def accuracy(path: Path) -> float:
    return Run(path).metrics().test["accuracy"]


def cells(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_the_table_shows_differences_and_the_better_run(pair: tuple[Path, Path], here: Any) -> None:
    answer = here("compare", *pair)
    shown = {cell.rstrip("*") for row in cells(answer.stdout) for cell in row}

    assert (answer.returncode, answer.stderr) == (0, "")
    assert {row[0] for row in cells(answer.stdout)} == {"iris", "iris-short"}
    assert {f"{accuracy(path):.4f}" for path in pair} <= shown
    assert " epochs " in answer.stdout
    assert "in common: seed 5; dataset.name iris" in answer.stdout
    assert re.search(r"^(no difference shown between|iris is better)", answer.stdout, re.MULTILINE)


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_width(root: Path, here: Any, width: int) -> None:
    answer = here("compare", "--runs", root, env={"COLUMNS": str(width)})
    drawn = [line for line in answer.stdout.splitlines() if line[:1] in "│┏┃┡└"]

    assert max(map(len, drawn)) <= width


def test_seeds_are_combined(root: Path, here: Any) -> None:
    """Without names, all runs are compared."""
    values = [accuracy(path) for path in sorted(root.glob("*-iris"))]
    answer = here("compare", *root.glob("*-iris"))
    rows = json.loads(here("compare", "--runs", root, "--json").stdout)["rows"]

    assert f"3 seeds of iris: test accuracy {sum(values) / 3:.4f} ± " in answer.stdout
    assert "(ddof 1), 95 % interval" in answer.stdout
    assert {row["name"]: len(row["runs"]) for row in rows} == {"iris": 3, "iris-short": 1}
    assert {row["status"] for row in rows} == {"3 seeds", "finished"}


def test_json_is_one_document(pair: tuple[Path, Path], here: Any) -> None:
    answer = here("compare", *pair, "--json")
    document = json.loads(answer.stdout)
    [verdict] = document["verdicts"]

    assert document["schema_version"] == 1
    assert document["comparable"] is True
    assert document["shared"]["dataset.name"] == "iris"
    assert {row["training.epochs"] for row in document["rows"]} == {3, 1}
    assert set(verdict["estimate"]) == {"effect", "low", "high", "p", "test", "level"}


def test_csv_has_a_row_per_experiment_and_exact_numbers(
    root: Path, pair: tuple[Path, Path], here: Any
) -> None:
    text = here("compare", "--runs", root, "--format", "csv").stdout
    rows = list(csv.DictReader(text.splitlines()))
    short = next(row for row in rows if row["name"] == "iris-short")

    assert len(rows) == 2
    assert float(short["test_accuracy"]) == accuracy(pair[1])
    assert {"test_accuracy_std", "test_accuracy_low", "test_accuracy_high"} <= set(short)


def test_markdown_is_a_table(pair: tuple[Path, Path], here: Any) -> None:
    lines = here("compare", *pair, "--format", "md").stdout.splitlines()
    table = [line for line in lines if line.startswith("|")]

    assert len(table) == 4
    assert len({line.count("|") for line in table}) == 1
    assert table[1].startswith("| --- | --- |")
    assert lines[0].startswith("In common: ")


def test_html_is_a_complete_page(pair: tuple[Path, Path], here: Any) -> None:
    page = here("compare", *pair, "--format", "html").stdout

    assert page.startswith("<!doctype html>")
    assert page.count("<tr>") == 3
    assert "src=" not in page
    assert "href=" not in page


@pytest.mark.parametrize("name", ["table", "json", "csv", "md", "html"])
def test_the_result_can_be_written_to_a_file(
    name: str, pair: tuple[Path, Path], here: Any, tmp_path: Path
) -> None:
    """The suffix of the file selects the format."""
    printed = here("compare", *pair, "--format", name).stdout
    path = tmp_path / f"out.{name}"
    answer = here("compare", *pair, "--output", path)

    assert (answer.returncode, answer.stdout) == (0, "")
    assert path.read_text() == printed
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["plot", "plot.pdf", "plot.png"])
def test_curves_and_intervals_are_drawn(name: str, root: Path, here: Any, tmp_path: Path) -> None:
    answer = here("compare", "--runs", root, "--plot", tmp_path / name)

    assert answer.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == [name]
    if name.endswith("png"):
        pixels = image.imread(tmp_path / name)
        assert min(pixels.shape[:2]) > 300
        assert pixels.std() > 0.01


@pytest.mark.parametrize("option", ["--output", "--plot"])
def test_an_unwritable_file_is_reported(
    option: str, pair: tuple[Path, Path], here: Any, tmp_path: Path
) -> None:
    answer = here("compare", *pair, option, tmp_path / "missing" / "out.png")

    assert answer.returncode == 1
    assert "out.png: cannot be written: No such file or directory" in answer.stderr


def test_other_files_and_damaged_runs_are_skipped(
    pair: tuple[Path, Path], here: Any, tmp_path: Path
) -> None:
    """A run that is named twice is compared once."""
    (tmp_path / "notes.txt").write_text("mine")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / layout.RUN).write_text("{")
    others = (tmp_path / "notes.txt", broken, tmp_path / "gone")
    answer = here("compare", *pair, pair[0], *others)
    lines = answer.stderr.splitlines()

    assert answer.returncode == 0
    assert len(lines) == 3
    assert all(line.startswith("skipped: ") for line in lines)
    assert [row[0] for row in cells(answer.stdout)].count("iris") == 1


def test_one_run_is_shown_without_a_comparison(pair: tuple[Path, Path], here: Any) -> None:
    answer = here("compare", pair[0])

    assert answer.returncode == 0
    assert answer.stdout.splitlines()[-1] == "only one run: nothing to compare"


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--where", "name=iris-*"], ["iris-short"]),
        (["--where", "training.epochs=3"], ["iris"] * 3),
        (["--where", "epochs=3"], ["iris"] * 3),
        (["--where", "training.epochs=3", "--where", "seed=6"], ["iris"]),
        (["--status", "finished", "--last", "1"], ["iris-short"]),
        (["--last", "2"], ["iris", "iris-short"]),
    ],
    ids=str,
)
def test_runs_are_selected_by_conditions(
    options: list[str], names: list[str], root: Path, here: Any
) -> None:
    rows = json.loads(here("compare", "--runs", root, "--json", *options).stdout)["rows"]

    assert sorted(Run(Path(path)).record().name for row in rows for path in row["runs"]) == names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--where", "iris"], "--where iris: must be KEY=VALUE, such as name=iris"),
        (["--status", "crashed"], "no run is left to compare"),
        (["--where", "nonsense=3"], "no run is left to compare; no run has a key nonsense"),
        (["--metric", "f1"], "--metric f1: no run reports it; there is accuracy, loss"),
        (["--sort", "size"], "--sort size: there is no such column; there is name, status"),
        (["--runs", "missing"], "error: no run found to compare"),
    ],
    ids=str,
)
def test_a_selection_without_a_result_is_an_error(
    options: list[str], message: str, root: Path, here: Any
) -> None:
    answer = here("compare", "--runs", root, *options)

    assert answer.returncode == 2
    assert message in answer.stderr
    assert answer.stdout == ""


def test_strict_fails_for_runs_that_cannot_be_compared(
    pair: tuple[Path, Path], here: Any, tmp_path: Path
) -> None:
    other = Run(shutil.copytree(pair[1], tmp_path / "other"))
    other.update(data_digest="another")
    runs = (pair[0], other.path)
    strict, lenient = here("compare", *runs, "--strict"), here("compare", *runs)

    assert (strict.returncode, lenient.returncode) == (4, 0)
    assert strict.stdout == lenient.stdout
    assert "are not comparable: the data differ (data_digest)" in strict.stdout
    assert here("compare", *pair, "--strict").returncode == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_run_folders_may_be_read_only(pair: tuple[Path, Path], here: Any) -> None:
    modes = {path: path.stat().st_mode for path in pair}
    try:
        for path in pair:
            path.chmod(0o500)
        assert here("compare", *pair).returncode == 0
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
