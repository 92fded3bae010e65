"""`nnrun export`: the exported model says what the run's model says, or there is none."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from typer.testing import CliRunner, Result

from nnrun.analysis.predict import trained_run
from nnrun.cli.app import app
from nnrun.data import datasets
from nnrun.exporting import Format, flow, formats
from nnrun.runs import Run, layout
from nnrun.types import Sequences

Ask = Callable[..., Result]
RunOf = Callable[[str], Run]

TRAINING = "training: {optimizer: adam, loss: sparse_categorical_crossentropy, epochs: 1}\n"
DIGITS = "dataset: {name: digits, prepare: [{rescale: 16}]}\n"
SPECS = {
    "table": """\
dataset: {name: iris, prepare: [standardize]}
model: [Dense: {units: 8, activation: relu}, Dense: {units: 3, activation: softmax}]
""",
    # One that draws at random while it trains must not do so in an export.
    "pictures": DIGITS
    + """\
model:
  - Reshape: {target_shape: [8, 8, 1]}
  - RandomFlip
  - Conv2D: {filters: 4, kernel_size: 3, activation: relu}
  - MaxPooling2D
  - Dropout: 0.5
  - Flatten
  - Dense: {units: 10, activation: softmax}
""",
    "residual": DIGITS
    + """\
model:
  - Reshape: {target_shape: [8, 8, 1]}
  - Residual:
      main:
        - Conv2D: {filters: 4, kernel_size: 3, padding: same}
        - BatchNormalization
      shortcut: [Conv2D: {filters: 4, kernel_size: 1}]
  - ReLU
  - GlobalAveragePooling2D
  - Dense: {units: 10, activation: softmax}
""",
    "sequences": DIGITS + "model: [LSTM: 6, Dense: {units: 10, activation: softmax}]\n",
    "texts": """\
dataset: {name: reuters, num_words: 500, prepare: [{pad: 12}]}
model:
  - Embedding: {input_dim: 500, output_dim: 4, mask_zero: true}
  - LSTM: 6
  - Dense: {units: 46, activation: softmax}
""",
    "volumes": DIGITS
    + """\
model:
  - Reshape: {target_shape: [4, 4, 4, 1]}
  - MaxPooling3D
  - Flatten
  - Dense: {units: 10, activation: softmax}
""",
}
ONE_AT_A_TIME = [("sequences", Format.tflite), ("texts", Format.tflite)]
KINDS = ["table", "pictures", "residual", "sequences"]


@pytest.fixture(scope="module")
def ask() -> Ask:
    """Runs the command in this process, which loads TensorFlow once for all."""

    def run(*arguments: object) -> Result:
        found = CliRunner().invoke(app, [*map(str, arguments)])
        assert isinstance(found.exception, SystemExit | None), found.exc_info
        return found

    return run


@pytest.fixture(scope="module")
def run_of(ask: Ask, tmp_path_factory: pytest.TempPathFactory) -> RunOf:
    """The run of a spec above, trained when it is first asked for."""
    root = tmp_path_factory.mktemp("exported")
    known: dict[str, Run] = {}

    def trained(name: str) -> Run:
        if name not in known:
            spec, folder = root / f"{name}.yaml", root / name
            spec.write_text(SPECS[name] + TRAINING, "utf-8")
            assert ask("train", spec, "--runs", folder).exit_code == 0
            known[name] = Run(next(folder.iterdir()))
        return known[name]

    return trained


def prepared(about: dict[str, Any], x: Any) -> Any:
    """Rows of a data set as the description of an export says, by nobody's code but this."""
    for each in about["prepare"]:
        [(name, told)] = each["step"].items()
        if name == "standardize":
            x = (x - each["state"]["mean"]) / each["state"]["std"]
        elif name == "rescale":
            x = x / told["divisor"]
        else:
            x = keras.utils.pad_sequences(list(map(x.row, range(len(x)))), told["maxlen"])
    return np.asarray(x, about["input"]["dtype"])


def outputs(path: Path, x: Any) -> Any:
    """What an export says of rows, one at a time, as another program would ask it."""
    if path.suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path))
        [given] = session.get_inputs()
        return np.concatenate([session.run(None, {given.name: row[None]})[0] for row in x])
    if path.suffix == ".tflite":
        run = tf.lite.Interpreter(str(path)).get_signature_runner()
        [name] = run.get_input_details()
        return np.concatenate([next(iter(run(**{name: row[None]}).values())) for row in x])
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    return np.concatenate([next(iter(serve(input=tf.constant(row[None])).values())) for row in x])


def exported(ask: Ask, run: Run, format_: Format, path: Path) -> dict[str, Any]:
    """Exports a run, and gives what is said in JSON."""
    answer = ask("export", run.path, "--format", format_, "--output", path, "--json")
    assert answer.exit_code == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def holds_what_was_trained(ask: Ask, run: Run, format_: Format, path: Path) -> None:
    found = exported(ask, run, format_, path)
    about = json.loads(Path(found["description"]).read_text("utf-8"))
    kept = run.read_arrays(layout.PREDICTIONS)["output"][:20]
    test = datasets.load(trained_run(run.path).spec.dataset).test.x
    few = test[:20] if not isinstance(test, Sequences) else _first(test, 20)

    np.testing.assert_allclose(outputs(path, prepared(about, few)), kept, atol=1e-5)
    assert found["source"] == about["compared"]["source"] == flow.TEST
    assert 0 <= found["largest_difference"] < 1e-5
    assert about["input"]["shape"] == [found["batch"], *found["shape"]]
    assert about["output"]["holds"] == "probabilities"
    assert about["output"]["classes"] == run.read_json(layout.PREPARATION)["classes"]


def _first(x: Sequences, count: int) -> Sequences:
    offsets = x.offsets[: count + 1]
    return Sequences(x.values[: offsets[-1]], offsets)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(
    ("kind", "format_"),
    [
        # A SavedModel takes seconds.
        pytest.param(kind, format_, marks=pytest.mark.slow if is_long else ())
        for kind in KINDS
        for format_ in Format
        for is_long in [format_ == "saved_model" and kind != "pictures"]
    ],
)
def test_an_export_says_of_test_rows_what_the_run_has_kept(
    kind: str, format_: Format, ask: Ask, run_of: RunOf, tmp_path: Path
) -> None:
    """To whoever prepares rows as its description says, without nnrun."""
    path = tmp_path / f"model.{format_}"
    holds_what_was_trained(ask, run_of(kind), format_, path)

    batch = json.loads(formats.description_path(path, format_).read_text())["input"]["shape"][0]
    assert batch == (1 if (kind, format_) in ONE_AT_A_TIME else None)


@pytest.mark.usefixtures("full_data")
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("format_", Format)
def test_texts_are_exported_with_their_words(
    format_: Format, ask: Ask, run_of: RunOf, tmp_path: Path
) -> None:
    run, path = run_of("texts"), tmp_path / f"model.{format_}"
    holds_what_was_trained(ask, run, format_, path)

    about = json.loads(formats.description_path(path, format_).read_text("utf-8"))
    assert about["words"] == run.read_json(layout.WORDS)
    assert about["output"]["classes"][:4] == ["cocoa", "grain", "veg-oil", "earn"]


def test_what_a_format_lacks_is_said_and_nothing_is_left(
    ask: Ask, run_of: RunOf, tmp_path: Path
) -> None:
    answer = ask("export", run_of("volumes").path, "--format", "tflite", "--output", tmp_path / "a")

    assert answer.exit_code == 1
    assert (
        "error: tflite cannot hold this model: the layer max_pooling3d needs MaxPool3D, which the "
        "format lacks; try another one" in answer.stderr.replace("\n", " ")
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format_", Format)
def test_an_export_that_says_something_else_is_not_kept(
    format_: Format, ask: Ask, run_of: RunOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here because nothing is near enough."""
    monkeypatch.setitem(flow.TOLERANCE, "float32", -1.0)
    answer = ask("export", run_of("table").path, "--format", format_, "--output", tmp_path / "a")

    assert answer.exit_code == 1
    assert "a was not written: its output differs from Keras by " in answer.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("taken", ["a", "a.json"])
def test_what_is_there_stays(taken: str, ask: Ask, run_of: RunOf, tmp_path: Path) -> None:
    """Also the description that would come beside it."""
    (tmp_path / taken).write_text("mine")
    answer = ask("export", run_of("table").path, "--format", "onnx", "--output", tmp_path / "a")

    assert answer.exit_code == 2
    assert f"{taken} exists already; choose another name" in answer.stderr
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {taken: "mine"}


def test_there_must_be_a_folder_to_write_in(ask: Ask, run_of: RunOf, tmp_path: Path) -> None:
    target = tmp_path / "gone" / "a.onnx"
    answer = ask("export", run_of("table").path, "--format", "onnx", "--output", target)

    assert answer.exit_code == 2
    assert f"there is no folder {target.parent} to write a.onnx in" in answer.stderr


@pytest.mark.parametrize("absent", ["tf2onnx", "onnx", "onnxruntime"])
def test_a_missing_extra_is_answered_with_what_installs_it(
    absent: str, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the run is even looked at."""
    monkeypatch.setitem(sys.modules, absent, None)
    answer = ask("export", tmp_path, "--format", "onnx")

    assert answer.exit_code == 2
    assert answer.stderr == f"error: onnx needs {absent}: pip install 'nnrun[onnx]'\n"


def test_it_is_written_under_the_name_of_the_run_and_said(
    ask: Ask, run_of: RunOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of("table")
    monkeypatch.chdir(tmp_path)
    answer = ask("export", run.path, "--format", "saved_model")
    name = f"{run.path.name}-saved_model"

    assert [each.name for each in tmp_path.iterdir()] == [name]
    first, second, third = answer.stdout.splitlines()
    assert first.endswith("; takes any number of rows of shape (4,), float32")
    assert second == f"{name}/rows.json: how input rows are prepared, and what the model returns"
    assert third.startswith("compared with Keras on 30 rows of the test set: largest difference ")


@pytest.mark.slow
def test_the_model_on_all_rows_of_a_cross_validation_has_the_name_of_both(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is none, `export` says so as `predict` does."""
    spec, folds = tmp_path / "a.yaml", "validation: {kfold: {folds: 2}}\n"
    spec.write_text(SPECS["table"] + TRAINING + folds)
    assert ask("kfold", spec, "--final", "--runs", tmp_path / "runs").exit_code == 0
    [run] = (tmp_path / "runs").iterdir()
    monkeypatch.chdir(tmp_path)

    assert ask("export", run, "--format", "tflite").exit_code == 0
    assert (tmp_path / f"{run.name}-final.tflite").is_file()
    assert "is a fold, whose model" in ask("export", run / "fold-1", "--format", "tflite").stderr


@pytest.mark.parametrize("kind", KINDS[:2])
def test_without_the_data_random_rows_are_compared(
    kind: str, ask: Ask, run_of: RunOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is downloaded only to be compared."""
    monkeypatch.setattr(datasets, "missing", lambda _: (Path("gone"),))
    found = exported(ask, run_of(kind), Format.saved_model, tmp_path / "a")

    assert (found["source"], found["rows"]) == (flow.RANDOM, flow.MOST)


@pytest.mark.usefixtures("full_data")
def test_random_texts_hold_words_that_the_model_knows(
    run_of: RunOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "missing", lambda _: (Path("gone"),))
    found = flow.compared_rows(trained_run(run_of("texts").path))

    assert (found.x.shape, found.x.dtype, found.source) == ((100, 12), np.int32, flow.RANDOM)
    assert 0 < found.x.min() <= found.x.max() < 500
