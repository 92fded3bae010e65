"""`nnrun new`: a spec to start from, for each shipped spec, data set and kind of user data."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nnrun import check
from nnrun.cli.app import app
from nnrun.cli.specs import shipped_folder, shipped_names
from nnrun.spec import keys, schema
from nnrun.spec.experiment import Experiment
from nnrun.spec.loading import load

DATASETS = [section.title for section in keys.datasets() if "." not in section.title]
EMBEDDED = [section.title for section in keys.datasets() if "No download." in section.meaning]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["new", *map(str, arguments)])


def written() -> Experiment:
    return load(Path("mine.yaml")).experiment


@pytest.mark.parametrize("source", shipped_names())
def test_a_shipped_spec_is_copied_under_another_name(source: str) -> None:
    answer = new("mine", "--from", source)
    shipped = load(shipped_folder() / f"{source}.yaml").experiment

    assert (answer.exit_code, answer.stdout) == (0, "")
    assert written() == shipped.model_copy(update={"name": "mine"})


@pytest.mark.parametrize("source", [*DATASETS, None])
def test_each_data_set_has_a_spec_to_start_from(source: str | None) -> None:
    """By default that of the digits, even if a folder has their name."""
    Path("digits").mkdir()
    answer = new("mine", *(["--from", source] if source else []))

    assert answer.exit_code == 0
    assert (written().name, written().dataset.name) == ("mine", source or "digits")


@pytest.mark.slow
def test_specs_without_a_download_can_be_trained(nnrun: Any, folder: Path) -> None:
    for source in EMBEDDED:
        new(f"my-{source}", "--from", source)
    specs = sorted(folder.glob("*.yaml"))
    short = ("--set", "training.epochs=1", "--runs", folder / "runs", "--json")
    answer = nnrun("train", *specs, *short, cwd=folder)

    assert answer.returncode == 0, answer.stderr
    trained = {run["name"]: run["status"] for run in json.loads(answer.stdout)["runs"]}
    assert trained == dict.fromkeys((f"my-{source}" for source in EMBEDDED), "finished")


def test_the_file_begins_with_a_description_and_the_command() -> None:
    Path("sub").mkdir()
    answer = new("sub/mine", "--from", "boston_housing")
    lines = Path("sub/mine.yaml").read_text(encoding="utf-8").splitlines()

    assert lines[0].startswith("# House prices from 13 features")
    assert "#   nnrun kfold sub/mine.yaml" in lines
    assert "configs/" not in "".join(lines)
    assert answer.stderr == "wrote sub/mine.yaml; now run\n  nnrun kfold sub/mine.yaml\n"


def test_a_file_beside_the_schema_begins_with_lines_for_editors() -> None:
    Path(schema.FILE).touch()
    new("mine")
    lines = Path("mine.yaml").read_text(encoding="utf-8").splitlines()

    assert tuple(lines[:2]) == schema.header()
    assert lines[2].startswith("# Handwritten digits")


@pytest.mark.parametrize(
    ("name", "file"),
    [("a", "a.yaml"), ("a.yaml", "a.yaml"), ("a.yml", "a.yml"), ("v1.2", "v1.2.yaml")],
)
def test_the_name_may_have_a_suffix(name: str, file: str) -> None:
    new(name)

    assert load(Path(file)).experiment.name == file.rpartition(".")[0]


def test_json_has_the_path_and_the_command() -> None:
    assert json.loads(new("mine", "--json").stdout) == {
        "schema_version": 1,
        "path": "mine.yaml",
        "command": "nnrun train mine.yaml",
    }


@pytest.mark.parametrize("name", ["my net", "", ".hidden", "-x-", "..", "x.", "ä", "n" * 81])
def test_a_name_that_is_no_run_name_is_refused(name: str, folder: Path) -> None:
    refusal = new("--", name)

    assert refusal.exit_code == 2
    assert refusal.stderr.startswith(
        "error: NAME must be 1 to 80 letters, digits, '_', '-' or '.', without '-' or '.' before"
    )
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("taken", "file 'taken.yaml' exists and is not changed; use another name"),
        ("no/mine", "there is no folder 'no' to write mine.yaml in"),
        ("file/mine", "'file/mine.yaml' cannot be written: Not a directory"),
    ],
)
def test_an_unwritable_file_is_an_error(name: str, message: str) -> None:
    Path("file").touch()
    Path("taken.yaml").write_text("precious", encoding="utf-8")
    refusal = new(name)

    assert (refusal.exit_code, refusal.stderr) == (2, f"error: {message}\n")
    assert Path("taken.yaml").read_text(encoding="utf-8") == "precious"


DATA = shipped_folder() / "own" / "data"
# The data set and the units of the last layer for each kind of user data.
OWN_DATA = {
    "cars.csv": ("csv", 1),
    "flowers.csv": ("csv", 3),
    "functions.csv": ("text", 8),
    "digits": ("images", 10),
    "wines.parquet": ("parquet", 3),
    "digits.npz": ("npz", 10),
}


@pytest.mark.parametrize("name", OWN_DATA)
def test_the_spec_for_user_data_passes_the_check(name: str) -> None:
    kind, units = OWN_DATA[name]
    Path(name).symlink_to(DATA / name)
    answer = new("mine", "--from", f"./{name}")

    assert answer.exit_code == 0, answer.stderr
    assert answer.stderr.endswith("wrote mine.yaml; now run\n  nnrun train mine.yaml\n")
    assert [fault.message for fault in check.faults(load(Path("mine.yaml")))] == []
    assert written().dataset.name == kind
    assert written().model[-1].arguments["units"] == units
    assert f"path: {name}" in Path("mine.yaml").read_text("utf-8")
    assert not written().expect


def test_every_kind_of_user_data_is_tested() -> None:
    shipped = (shipped_folder() / "own").glob("*.yaml")

    assert {kind for kind, *_ in OWN_DATA.values()} == {
        load(path).experiment.dataset.name for path in shipped
    }


def test_a_table_may_have_gaps_names_and_another_separator() -> None:
    """Columns of names are ignored, gaps are filled, and the user is told."""
    Path("sub").mkdir()
    rows = "".join(f"n{i};{i if i % 3 else ''};{i * i};{'ab'[i % 2]}\n" for i in range(30))
    Path("mine.csv").write_text(f"who;age;size;kind\n{rows}", "utf-8")
    answer = new("sub/mine", "--from", "mine.csv", "--target", "size")
    dataset = load(Path("sub/mine.yaml")).experiment.dataset

    assert answer.stderr.splitlines()[:2] == [
        "target: 'size', a number; --target selects another column",
        "ignored: 'who' has 30 different words in 30 rows, as names and ids have",
    ]
    assert (dataset.features, dataset.target, dataset.separator) == (("age", "kind"), "size", ";")
    assert [step.step for step in dataset.prepare] == ["impute", "standardize"]
    assert "path: ../mine.csv" in Path("sub/mine.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("folders", "path", "test"),
    [
        ("cat/a cat/b dog", "pets", None),
        ("train/cat train/dog test/cat test/dog", "pets/train", "pets/test"),
        ("inner/cat inner/dog", "pets/inner", None),
    ],
)
def test_images_may_be_one_level_deeper(folders: str, path: str, test: str | None) -> None:
    for folder in folders.split():
        Path("pets", folder).mkdir(parents=True)
        Path("pets", folder, "0.jfif").touch()
    answer = new("mine", "--from", "pets")
    dataset = load(Path("mine.yaml")).experiment.dataset

    assert answer.stderr.splitlines()[0] == "2 classes: cat and dog"
    assert dataset.name == "images"
    assert [dataset.path, dataset.test] == [
        str(Path(folder).absolute()) if folder else None for folder in (path, test)
    ]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("data.csv", "file 'data.csv' does not exist"),
        ("pipe.csv", "file 'pipe.csv' cannot be read: it is a pipe or a device"),
        ("pipe.npz", "file 'pipe.npz' cannot be read: it is a pipe or a device"),
        ("pipe.json", "file 'pipe.json' cannot be read: it is a pipe or a device"),
        ("model.keras", "file 'model.keras' does not exist"),
        ("model.h5", "'model.h5': save the model as a .keras file, or its to_json()"),
        ("Prices.XLSX", "'Prices.XLSX': xlsx is not supported; save it as csv, parquet or npz"),
        ("empty.csv", "'empty.csv' cannot be read: is empty; a table begins with its column names"),
        ("names.csv", "names.csv has no column to predict 'y' from"),
        ("same.csv", "'y' is 'a' in every row"),
        ("folder", "'folder' holds 0 folders, and needs at least two, one per class"),
        (
            "scans",
            "'scans' holds no images (PNG, JPEG, BMP, GIF or WebP) or .txt files in its class "
            "folders",
        ),
        ("minst", "there is no spec or data set 'minst'; did you mean 'mnist'?"),
        ("qqqqqq", "there is no spec or data set 'qqqqqq'; there are 'architectures/alexnet', "),
    ],
)
def test_an_unusable_source_is_refused(source: str, message: str) -> None:
    Path("empty.csv").touch()
    for name in ("pipe.csv", "pipe.npz", "pipe.json"):
        os.mkfifo(name)
    names = "".join(f"{row},n{row},m{row}\n" for row in range(20))
    Path("names.csv").write_text(f",b,y\n{names}".replace("m1", "m"), "utf-8")
    Path("same.csv").write_text("x,y\n" + "1,a\n" * 20, "utf-8")
    Path("folder").mkdir()
    for name in ("scans/a", "scans/b"):
        Path(name).mkdir(parents=True)
        Path(name, "1.tiff").touch()
    refusal = new("mine", "--from", source)

    assert refusal.exit_code == 2
    assert refusal.stderr.startswith(f"error: {message}")
    assert not Path("mine.yaml").exists()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (DATA / "flowers.csv", "flowers.csv has no column 'kind'; it has '"),
        ("iris", "only a table has a column to predict"),
        (DATA / "digits.npz", "only a table has a column to predict"),
        (DATA / "digits", "only a table has a column to predict"),
    ],
)
def test_a_target_must_be_a_column_of_a_table(source: object, message: str) -> None:
    refusal = new("mine", "--from", source, "--target", "kind")

    assert refusal.exit_code == 2
    assert refusal.stderr.startswith(f"error: --target: {message}")


def test_a_column_name_with_a_line_break_stays_in_the_comment() -> None:
    Path("t.csv").write_text('x,"y\nmodel: []"\n' + "1,a\n2,b\n" * 20, "utf-8")

    assert new("mine", "--from", "t.csv").exit_code == 0
    assert written().model


MODEL = {
    "class_name": "Sequential",
    "config": [
        {"class_name": "Conv2D", "config": {"filters": 4, "kernel_size": [3, 3],
                                            "batch_input_shape": [None, 8, None, 3]}},
        {"class_name": "GlobalAveragePooling2D", "config": {}},
        {"class_name": "Dense", "config": {"units": 5, "activation": "softmax"}},
    ],
}  # fmt: skip


def test_a_model_of_keras_becomes_the_layers_of_a_spec() -> None:
    """With images of its size, and a loss that suits its output."""
    Path("model.json").write_text(json.dumps(MODEL), "utf-8")
    answer = new("mine", "--from", "model.json")
    experiment = written()
    context = check.spec_context(experiment)

    assert (answer.exit_code, answer.stderr.splitlines()[0]) == (
        0,
        "3 layers, 137 parameters, for rows of shape (8, 224, 3)",
    )
    assert experiment.dataset.model_dump(include={"name", "image_size", "classes"}) == {
        "name": "images",
        "image_size": (8, 224),
        "classes": 5,
    }
    assert experiment.training.loss.name == "sparse_categorical_crossentropy"
    assert context.trace
    assert context.trace.parameters == 137


def test_a_model_is_read_without_tensorflow(probed: Any, folder: Path) -> None:
    (folder / "model.json").write_text(json.dumps(MODEL), "utf-8")
    answer, loaded = probed("new", "mine", "--from", "model.json", cwd=folder)

    assert (answer.returncode, loaded) == (0, set())


def test_a_json_file_that_is_no_model_is_refused() -> None:
    Path("model.json").write_text("{}", "utf-8")
    answer = new("mine", "--from", "model.json")

    assert answer.exit_code == 2
    assert "'model.json': it is not a Sequential or Functional model of Keras" in answer.stderr


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv"])
def test_a_file_is_described_as_it_is_written(name: str) -> None:
    """Its separator, its decimal mark and its compression."""
    separator = "\t" if "tsv" in name else ";"
    rows = "".join(f"{at},5{separator}{'ab'[at % 2]}\n" for at in range(30))
    content = f"size{separator}kind\n{rows}".encode()
    Path(name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)

    new("mine", "--from", name)
    dataset = load(Path("mine.yaml")).experiment.dataset

    assert (dataset.separator, dataset.decimal) == (separator, ",")
    assert dataset.profile().shape == (1,)
