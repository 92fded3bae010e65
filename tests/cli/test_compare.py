"""`nnrun compare`: a table that fits, an answer for machines, and an exit code that means something."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matplotlib import image

from nnrun.runs import Run, layout


@pytest.fixture(scope="module")
def root(nnrun: Callable[..., Any], tmp_path_factory: Any) -> Path:
    """Two seeds of iris, and iris with a quarter of the epochs; the same rows held out for none."""
    root = tmp_path_factory.mktemp("runs")
    common = ("--set", "validation.holdout=null", "--set", "training.epochs=12", "--runs", root)
    short = ("--set", "training.epochs=3", "--set", "name=iris-short")
    assert nnrun("train", "iris", *common, "--seeds", 2).returncode == 0
    assert nnrun("train", "iris", *common, *short).returncode == 0
    return root


@pytest.fixture(scope="module")
def pair(root: Path) -> tuple[Path, Path]:
    return min(root.glob("*-iris")), next(root.glob("*-iris-short"))


def cells(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_the_table_shows_what_differs_and_who_is_better(
    pair: tuple[Path, Path], nnrun: Callable[..., Any]
) -> None:
    answer = nnrun("compare", *pair)
    test = [f"{Run(path).metrics().test['accuracy']:.4f}" for path in pair]

    assert answer.returncode == 0
    assert answer.stderr == ""
    assert {row[0] for row in cells(answer.stdout)} == {"iris", "iris-short"}
    assert all(
        any(cell.rstrip("*") == value for row in cells(answer.stdout) for cell in row)
        for value in test
    )
    assert " epochs " in answer.stdout
    assert "in common: seed 0; dataset.name iris" in answer.stdout
    assert re.search(r"^(no difference shown between|iris is better)", answer.stdout, re.MULTILINE)


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_width(root: Path, here: Callable[..., Any], width: int) -> None:
    """In as many pieces as it takes, each with the names."""
    answer = here("compare", "--runs", root, env={"COLUMNS": str(width)})
    drawn = [line for line in answer.stdout.splitlines() if line[:1] in "│┏┃┡└"]

    assert max(map(len, drawn)) <= width


def test_all_runs_are_compared_where_none_is_named(root: Path, here: Callable[..., Any]) -> None:
    answer = here("compare", "--runs", root, "--json")
    document = json.loads(answer.stdout)

    assert {row["name"]: len(row["runs"]) for row in document["rows"]} == {
        "iris": 2,
        "iris-short": 1,
    }
    assert {row["status"] for row in document["rows"]} == {"2 seeds", "finished"}


def test_seeds_are_summed_up(root: Path, here: Callable[..., Any]) -> None:
    found = [Run(path).metrics().test["accuracy"] for path in sorted(root.glob("*-iris"))]
    answer = here("compare", *root.glob("*-iris"))

    assert f"2 seeds of iris: test accuracy {sum(found) / 2:.4f} ± " in answer.stdout
    assert "(ddof 1), 95 % interval" in answer.stdout


def test_json_is_one_document(pair: tuple[Path, Path], here: Callable[..., Any]) -> None:
    """The same with `--json`, as every verb has it, and with `--format json`."""
    answer = here("compare", *pair, "--json")
    document = json.loads(answer.stdout)
    [verdict] = document["verdicts"]

    assert document["schema_version"] == 1
    assert document["comparable"] is True
    assert document["shared"]["dataset.name"] == "iris"
    assert {row["training.epochs"] for row in document["rows"]} == {12, 3}
    assert set(verdict["estimate"]) == {"effect", "low", "high", "p", "test", "level"}
    assert here("compare", *pair, "--format", "json").stdout == answer.stdout


def test_csv_has_a_row_per_entry_and_numbers_in_full(root: Path, here: Callable[..., Any]) -> None:
    rows = list(
        csv.DictReader(here("compare", "--runs", root, "--format", "csv").stdout.splitlines())
    )
    short = next(row for row in rows if row["name"] == "iris-short")
    accuracy = Run(next(root.glob("*-iris-short"))).metrics().test["accuracy"]

    assert len(rows) == 2
    assert float(short["test_accuracy"]) == accuracy
    assert {"test_accuracy_std", "test_accuracy_low", "test_accuracy_high"} <= set(short)


def test_markdown_is_a_table(pair: tuple[Path, Path], here: Callable[..., Any]) -> None:
    lines = here("compare", *pair, "--format", "md").stdout.splitlines()
    table = [line for line in lines if line.startswith("|")]

    assert len(table) == 4
    assert len({line.count("|") for line in table}) == 1
    assert table[1].startswith("| --- | --- |")
    assert lines[0].startswith("In common: ")


def test_html_is_a_page_that_needs_nothing_else(
    pair: tuple[Path, Path], here: Callable[..., Any]
) -> None:
    page = here("compare", *pair, "--format", "html").stdout

    assert page.startswith("<!doctype html>")
    assert page.count("<tr>") == 3
    assert "src=" not in page
    assert "href=" not in page


@pytest.mark.parametrize("name", ["table", "json", "csv", "md", "html"])
def test_an_answer_can_go_to_a_file(
    name: str, pair: tuple[Path, Path], here: Callable[..., Any], tmp_path: Path
) -> None:
    """What is printed otherwise, and nothing printed then."""
    printed = here("compare", *pair, "--format", name).stdout
    answer = here("compare", *pair, "--format", name, "--output", tmp_path / "out")

    assert (answer.returncode, answer.stdout) == (0, "")
    assert (tmp_path / "out").read_text() == printed
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_end_of_a_files_name_says_what_is_written(
    pair: tuple[Path, Path], here: Callable[..., Any], tmp_path: Path
) -> None:
    here("compare", *pair, "--output", tmp_path / "out.csv")
    here("compare", *pair, "--output", tmp_path / "out.html")

    assert (tmp_path / "out.csv").read_text().startswith("name,status,")
    assert (tmp_path / "out.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("name", ["plot", "plot.pdf"])
def test_a_plot_may_have_any_name(
    name: str, pair: tuple[Path, Path], here: Callable[..., Any], tmp_path: Path
) -> None:
    answer = here("compare", *pair, "--plot", tmp_path / name)

    assert answer.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_curves_and_intervals_are_drawn(
    root: Path, here: Callable[..., Any], tmp_path: Path
) -> None:
    answer = here("compare", "--runs", root, "--plot", tmp_path / "compared.png")
    pixels = image.imread(tmp_path / "compared.png")

    assert answer.returncode == 0
    assert min(pixels.shape[:2]) > 300
    assert pixels.std() > 0.01


@pytest.mark.parametrize("option", ["--output", "--plot"])
def test_a_file_that_cannot_be_written_is_named(
    option: str, pair: tuple[Path, Path], here: Callable[..., Any], tmp_path: Path
) -> None:
    answer = here("compare", *pair, option, tmp_path / "missing" / "out.png")

    assert answer.returncode == 1
    assert "out.png: cannot be written: No such file or directory" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_what_is_no_run_is_named_and_skipped(
    pair: tuple[Path, Path], here: Callable[..., Any], tmp_path: Path
) -> None:
    """A glob catches more than runs."""
    (tmp_path / "notes.txt").write_text("mine")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / layout.RUN).write_text("{")
    answer = here("compare", *pair, tmp_path / "notes.txt", broken, tmp_path / "gone")
    lines = answer.stderr.splitlines()

    assert answer.returncode == 0
    assert len(lines) == 3
    assert all(line.startswith("skipped: ") for line in lines)
    assert {row[0] for row in cells(answer.stdout)} == {"iris", "iris-short"}


def test_a_run_named_twice_is_there_once(pair: tuple[Path, Path], here: Callable[..., Any]) -> None:
    answer = here("compare", pair[0], pair[0], "--json")

    assert len(json.loads(answer.stdout)["rows"]) == 1


def test_one_run_has_nothing_to_be_compared_with(
    pair: tuple[Path, Path], here: Callable[..., Any]
) -> None:
    answer = here("compare", pair[0])

    assert answer.returncode == 0
    assert answer.stdout.splitlines()[-1] == "one run has nothing to be compared with"


def test_without_any_run_there_is_an_error(here: Callable[..., Any], tmp_path: Path) -> None:
    answer = here("compare", "--runs", tmp_path)

    assert answer.returncode == 2
    assert answer.stderr.strip() == "error: no run found to compare"


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--where", "name=iris-*"], ["iris-short"]),
        (["--where", "training.epochs=12"], ["iris", "iris"]),
        (["--where", "epochs=12"], ["iris", "iris"]),
        (["--where", "training.epochs=12", "--where", "seed=1"], ["iris"]),
        (["--status", "finished", "--last", "1"], ["iris-short"]),
        (["--last", "2"], ["iris", "iris-short"]),
    ],
    ids=str,
)
def test_runs_can_be_chosen(
    options: list[str], names: list[str], root: Path, here: Callable[..., Any]
) -> None:
    rows = json.loads(here("compare", "--runs", root, "--json", *options).stdout)["rows"]
    found = [Run(Path(path)).record().name for row in rows for path in row["runs"]]

    assert sorted(found) == names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--where", "iris"], "--where iris: must be KEY=VALUE, such as name=iris"),
        (["--status", "crashed"], "no run is left to compare"),
        (["--where", "nonsense=3"], "no run is left to compare; no run has a key nonsense"),
        (["--metric", "f1"], "--metric f1: no run reports it; there is accuracy, loss"),
        (["--sort", "size"], "--sort size: there is no such column; there is name, status"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_said(
    options: list[str], message: str, root: Path, here: Callable[..., Any]
) -> None:
    answer = here("compare", "--runs", root, *options)

    assert answer.returncode == 2
    assert message in answer.stderr
    assert answer.stdout == ""


def test_strict_fails_where_runs_cannot_be_compared(
    pair: tuple[Path, Path], trained: tuple[Any, Path], here: Callable[..., Any]
) -> None:
    """For a script; the answer is the same."""
    runs = (pair[0], trained[1])
    strict, lenient = here("compare", *runs, "--strict"), here("compare", *runs)

    assert (strict.returncode, lenient.returncode) == (4, 0)
    assert strict.stdout == lenient.stdout
    assert "are not comparable: the data differ (data_digest)" in strict.stdout
    assert here("compare", *pair, "--strict").returncode == 0


def test_nothing_heavy_is_loaded(
    root: Path, probed: Callable[..., tuple[Any, set[str]]], tmp_path: Path
) -> None:
    """A thousand runs are read in the time that TensorFlow takes to load."""
    answer, loaded = probed("compare", "--runs", root, cwd=tmp_path)

    assert answer.returncode == 0
    assert loaded == set()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_runs_may_lie_where_nothing_can_be_written(
    pair: tuple[Path, Path], here: Callable[..., Any]
) -> None:
    modes = {path: path.stat().st_mode for path in pair}
    try:
        for path in pair:
            path.chmod(0o500)
        assert here("compare", *pair).returncode == 0
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
