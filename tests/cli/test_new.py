"""`nnrun new`: a spec to start from, out of any shipped one and for any data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nnrun import check
from nnrun.cli.app import app
from nnrun.cli.specs import shipped_folder, shipped_names
from nnrun.spec import keys, schema
from nnrun.spec.loading import load

DATASETS = [section.title for section in keys.datasets()]
EMBEDDED = [section.title for section in keys.datasets() if "No download." in section.meaning]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answer(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["new", *map(str, arguments)])


@pytest.mark.parametrize("source", shipped_names())
def test_a_shipped_spec_is_written_out_under_another_name(source: str) -> None:
    told = answer("mine", "--from", source)
    start = load(shipped_folder() / f"{source}.yaml").experiment

    assert (told.exit_code, told.stdout) == (0, "")
    assert load(Path("mine.yaml")).experiment == start.model_copy(update={"name": "mine"})


@pytest.mark.parametrize("source", DATASETS)
def test_a_data_set_has_a_spec_to_start_from(source: str) -> None:
    told = answer("mine", "--from", source)
    experiment = load(Path("mine.yaml")).experiment

    assert told.exit_code == 0
    assert (experiment.name, experiment.dataset.name) == ("mine", source)


@pytest.mark.slow
def test_what_needs_no_download_trains_as_it_is_written(nnrun: Any, folder: Path) -> None:
    for source in EMBEDDED:
        answer(f"my-{source}", "--from", source)
    specs = sorted(folder.glob("*.yaml"))
    short = ("--set", "training.epochs=1", "--runs", folder / "runs", "--json")
    told = nnrun("train", *specs, *short, cwd=folder)

    assert told.returncode == 0, told.stderr
    trained = {run["name"]: run["status"] for run in json.loads(told.stdout)["runs"]}
    assert trained == dict.fromkeys((f"my-{source}" for source in EMBEDDED), "finished")


def test_digits_are_what_one_starts_from_otherwise() -> None:
    answer("mine")

    assert load(Path("mine.yaml")).experiment.dataset.name == "digits"


def test_the_file_opens_with_what_it_is_and_how_to_run_it() -> None:
    told = answer("sub/mine", "--from", "boston_housing")
    assert told.exit_code == 2

    Path("sub").mkdir()
    told = answer("sub/mine", "--from", "boston_housing")
    lines = Path("sub/mine.yaml").read_text(encoding="utf-8").splitlines()

    assert lines[0].startswith("# House prices from 13 features")
    assert "#   nnrun kfold sub/mine.yaml" in lines
    assert "configs/" not in "".join(lines)
    assert told.stderr == "wrote sub/mine.yaml; now run\n  nnrun kfold sub/mine.yaml\n"


def test_a_file_beside_the_schema_begins_with_the_lines_that_editors_look_for() -> None:
    Path(schema.FILE).touch()
    answer("mine")
    lines = Path("mine.yaml").read_text(encoding="utf-8").splitlines()

    assert tuple(lines[:2]) == schema.header()
    assert lines[2].startswith("# Handwritten digits")


@pytest.mark.parametrize(
    ("name", "file"),
    [("a", "a.yaml"), ("a.yaml", "a.yaml"), ("a.yml", "a.yml"), ("v1.2", "v1.2.yaml")],
)
def test_the_name_may_be_the_file(name: str, file: str) -> None:
    answer(name)

    assert load(Path(file)).experiment.name == file.rpartition(".")[0]


def test_json_says_where_it_is_and_what_runs_it() -> None:
    assert json.loads(answer("mine", "--json").stdout) == {
        "schema_version": 1,
        "path": "mine.yaml",
        "command": "nnrun train mine.yaml",
    }


@pytest.mark.parametrize("name", ["my net", "", ".hidden", "-x-", "..", "x.", "ä", "n" * 81])
def test_a_name_that_no_run_can_have_is_refused(name: str, folder: Path) -> None:
    refusal = answer("--", name)

    assert refusal.exit_code == 2
    assert refusal.stderr.startswith(
        "error: NAME must be 1 to 80 letters, digits, '_', '-' or '.', without '-' or '.' before"
    )
    assert list(folder.iterdir()) == []


def test_a_file_that_is_there_is_left_as_it_is() -> None:
    Path("mine.yaml").write_text("precious", encoding="utf-8")
    refusal = answer("mine")

    assert refusal.exit_code == 2
    assert Path("mine.yaml").read_text(encoding="utf-8") == "precious"
    assert refusal.stderr == (
        "error: file 'mine.yaml' exists and is not changed; use another name\n"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no/mine", "there is no folder 'no' to write mine.yaml in"),
        ("file/mine", "'file/mine.yaml' cannot be written: Not a directory"),
    ],
)
def test_a_folder_that_cannot_be_written_is_named(name: str, message: str) -> None:
    Path("file").touch()
    refusal = answer(name)

    assert (refusal.exit_code, refusal.stderr) == (2, f"error: {message}\n")


DATA = shipped_folder() / "own" / "data"
# By what a person has: the data set that reads it, and the width of the output.
OWN_DATA = {
    "cars.csv": ("csv", 1),
    "flowers.csv": ("csv", 3),
    "functions.csv": ("text", 8),
    "digits": ("images", 10),
    "wines.parquet": ("parquet", 3),
    "digits.npz": ("npz", 10),
}


@pytest.mark.parametrize("name", OWN_DATA)
def test_data_of_ones_own_have_a_spec_that_fits_them(name: str) -> None:
    """Without a word changed it passes the check; the path is as it was typed."""
    kind, width = OWN_DATA[name]
    Path(name).symlink_to(DATA / name)
    told = answer("mine", "--from", f"./{name}")
    loaded = load(Path("mine.yaml"))
    experiment = loaded.experiment

    assert told.exit_code == 0, told.stderr
    assert told.stderr.endswith("wrote mine.yaml; now run\n  nnrun train mine.yaml\n")
    assert [fault.message for fault in check.faults(loaded)] == []
    assert experiment.dataset.name == kind
    assert experiment.model[-1].arguments["units"] == width
    assert f"path: {name}" in Path("mine.yaml").read_text("utf-8")
    assert not experiment.expect


def test_every_kind_of_own_data_can_be_started_from() -> None:
    kinds = {
        load(path).experiment.dataset.name for path in (shipped_folder() / "own").glob("*.yaml")
    }

    assert {kind for kind, *_ in OWN_DATA.values()} == kinds


def test_a_table_may_have_holes_names_and_another_separator() -> None:
    """A column that names the rows is left out, holes are filled, and all of it is said."""
    Path("sub").mkdir()
    rows = "".join(f"n{i};{i if i % 3 else ''};{i * i};{'ab'[i % 2]}\n" for i in range(30))
    Path("mine.csv").write_text(f"who;age;size;kind\n{rows}", "utf-8")
    told = answer("sub/mine", "--from", "mine.csv", "--target", "size")
    dataset = load(Path("sub/mine.yaml")).experiment.dataset

    assert told.stderr.splitlines()[:2] == [
        "target: 'size', a number; --target selects another column",
        "ignored, almost every value is unique: who",
    ]
    assert dataset.model_dump(include={"features", "target", "separator"}) == {
        "features": ("age", "kind"),
        "target": "size",
        "separator": ";",
    }
    assert [step.step for step in dataset.prepare] == ["impute", "standardize"]
    assert "path: ../mine.csv" in Path("sub/mine.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("data.csv", "file 'data.csv' does not exist"),
        ("Prices.XLSX", "'Prices.XLSX': xlsx is not supported; save it as csv, parquet or npz"),
        ("empty.csv", "'empty.csv' cannot be read: is empty; a table begins with its column names"),
        ("names.csv", "names.csv has no column to predict 'y' from"),
        ("same.csv", "'y' is 'a' in every row"),
        ("folder", "'folder' must contain one folder per class, at least two"),
    ],
)  # fmt: skip
def test_data_that_nothing_can_start_from_are_refused(source: str, told: str) -> None:
    Path("empty.csv").touch()
    names = "".join(f"{row},n{row},m{row}\n" for row in range(20))
    Path("names.csv").write_text(f",b,y\n{names}".replace("m1", "m"), "utf-8")
    Path("same.csv").write_text("x,y\n" + "1,a\n" * 20, "utf-8")
    Path("folder").mkdir()
    refusal = answer("mine", "--from", source)

    assert (refusal.exit_code, refusal.stderr) == (2, f"error: {told}\n")
    assert not Path("mine.yaml").exists()


def test_a_column_that_is_not_there_is_refused_with_those_that_are() -> None:
    refusal = answer("mine", "--from", DATA / "flowers.csv", "--target", "kind")

    assert refusal.exit_code == 2
    assert refusal.stderr.startswith("error: --target: flowers.csv has no column 'kind'; it has '")


@pytest.mark.parametrize("source", ["iris", DATA / "digits.npz", DATA / "digits"])
def test_a_target_is_refused_where_there_are_no_columns(source: object) -> None:
    refusal = answer("mine", "--from", source, "--target", "species")

    assert refusal.exit_code == 2
    assert "only a table has a column to predict" in refusal.stderr


def test_names_that_break_the_line_stay_in_the_comment() -> None:
    Path("t.csv").write_text('x,"y\nmodel: []"\n' + "1,a\n2,b\n" * 20, "utf-8")

    assert answer("mine", "--from", "t.csv").exit_code == 0
    assert load(Path("mine.yaml")).experiment.model


def test_a_folder_does_not_stand_in_the_way_of_a_shipped_spec() -> None:
    Path("digits").mkdir()

    assert answer("mine").exit_code == 0


@pytest.mark.parametrize(
    ("source", "hint"),
    [("minst", "did you mean 'mnist'?"), ("qqqqqq", "there are architectures/alexnet, ")],
)
def test_an_unknown_start_is_refused_with_the_nearest(source: str, hint: str) -> None:
    refusal = answer("mine", "--from", source)

    assert refusal.exit_code == 2
    assert refusal.stderr.startswith(f"error: there is no spec or data set '{source}'; {hint}")


def test_nothing_heavy_is_loaded_for_it(probed: Any, folder: Path) -> None:
    told, loaded = probed("new", "mine", "--from", "mnist_5k", cwd=folder)

    assert (told.returncode, loaded) == (0, set())
