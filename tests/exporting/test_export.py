"""`nnrun export`: the exported model has the outputs of the run's model, or is not written."""

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
from typer.testing import Result

from nnrun.analysis.predict import trained_run
from nnrun.data import datasets
from nnrun.exporting import Format, flow
from nnrun.runs import Run, layout
from nnrun.types import Sequences

Invoke = Callable[..., Result]
RunOf = Callable[[str], Run]

TRAINING = "training: {optimizer: adam, loss: sparse_categorical_crossentropy, epochs: 1}\n"
DIGITS = "dataset: {name: digits, prepare: [{rescale: 16}]}\n"
SPECS = {
    "table": """\
dataset: {name: iris, prepare: [standardize]}
model: [Dense: {units: 8, activation: relu}, Dense: {units: 3, activation: softmax}]
""",
    # A layer that is random in training must not be random in an export.
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
# One of each kind and format; others take seconds.
QUICK = {
    ("table", Format.saved_model),
    ("table", Format.onnx),
    ("pictures", Format.onnx),
    ("residual", Format.onnx),
}


@pytest.fixture(scope="module")
def run_of(invoke: Invoke, tmp_path_factory: pytest.TempPathFactory) -> RunOf:
    """The run of a spec above, trained once."""
    root = tmp_path_factory.mktemp("exported")
    runs: dict[str, Run] = {}

    def trained(name: str) -> Run:
        if name not in runs:
            spec, folder = root / f"{name}.yaml", root / name
            spec.write_text(SPECS[name] + TRAINING, "utf-8")
            assert invoke("train", spec, "--runs", folder).exit_code == 0
            runs[name] = Run(next(folder.iterdir()))
        return runs[name]

    return trained


def prepared(description: dict[str, Any], x: Any) -> Any:
    """Rows of a data set, prepared as by the description of an export, without nnrun."""
    for entry in description["prepare"]:
        [(name, arguments)] = entry["step"].items()
        if name == "standardize":
            x = (x - entry["state"]["mean"]) / entry["state"]["std"]
        elif name == "rescale":
            x = x / arguments["divisor"]
        else:
            x = keras.utils.pad_sequences(list(map(x.row, range(len(x)))), arguments["maxlen"])
    return np.asarray(x, description["input"]["dtype"])


def outputs(path: Path, x: Any) -> Any:
    """The outputs of an export for rows, one at a time, as another program computes them."""
    if path.suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path))
        [source] = session.get_inputs()
        return np.concatenate([session.run(None, {source.name: row[None]})[0] for row in x])
    if path.suffix == ".tflite":
        run = tf.lite.Interpreter(str(path)).get_signature_runner()
        [name] = run.get_input_details()
        return np.concatenate([next(iter(run(**{name: row[None]}).values())) for row in x])
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    return np.concatenate([next(iter(serve(input=tf.constant(row[None])).values())) for row in x])


def exported(invoke: Invoke, run: Run, format_: Format, path: Path) -> dict[str, Any]:
    """Exports a run, and returns its JSON."""
    result = invoke("export", run.path, "--format", format_, "--output", path, "--json")
    assert result.exit_code == 0, result.stderr
    return dict(json.loads(result.stdout))


def check_export(invoke: Invoke, run: Run, format_: Format, path: Path) -> dict[str, Any]:
    """Compares an export with the recorded outputs, and returns its description."""
    result = exported(invoke, run, format_, path)
    description = json.loads(Path(result["description"]).read_text("utf-8"))
    kept = run.read_arrays(layout.PREDICTIONS)["output"][:20]
    test = datasets.load(trained_run(run.path).spec.dataset).test.x
    x = test[:20] if not isinstance(test, Sequences) else _first(test, 20)

    np.testing.assert_allclose(outputs(path, prepared(description, x)), kept, atol=1e-5)
    assert result["source"] == description["compared"]["source"] == flow.TEST
    assert 0 <= result["largest_difference"] < 1e-5
    assert description["input"]["shape"] == [result["batch"], *result["shape"]]
    assert description["output"]["holds"] == "probabilities"
    assert description["output"]["classes"] == run.read_json(layout.PREPARATION)["classes"]
    return dict(description)


def _first(x: Sequences, count: int) -> Sequences:
    offsets = x.offsets[: count + 1]
    return Sequences(x.values[: offsets[-1]], offsets)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(
    ("kind", "format_"),
    [
        pytest.param(kind, format_, marks=() if (kind, format_) in QUICK else pytest.mark.slow)
        for kind in KINDS
        for format_ in Format
    ],
)
def test_an_export_has_the_recorded_outputs(
    kind: str, format_: Format, invoke: Invoke, run_of: RunOf, tmp_path: Path
) -> None:
    path = tmp_path / f"model.{format_}"
    description = check_export(invoke, run_of(kind), format_, path)

    assert description["input"]["shape"][0] == (1 if (kind, format_) in ONE_AT_A_TIME else None)


@pytest.mark.slow
@pytest.mark.usefixtures("full_data")
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("format_", [*Format])
def test_texts_are_exported_with_their_words(
    format_: Format, invoke: Invoke, run_of: RunOf, tmp_path: Path
) -> None:
    run = run_of("texts")
    description = check_export(invoke, run, format_, tmp_path / f"model.{format_}")

    assert description["words"] == run.read_json(layout.WORDS)
    assert description["output"]["classes"][:4] == ["cocoa", "grain", "veg-oil", "earn"]


def test_an_unsupported_layer_is_named_and_nothing_is_left(
    invoke: Invoke, run_of: RunOf, tmp_path: Path
) -> None:
    result = invoke(
        "export", run_of("volumes").path, "--format", "tflite", "--output", tmp_path / "a"
    )

    assert result.exit_code == 1
    assert (
        "error: tflite cannot hold this model: the layer max_pooling3d needs MaxPool3D, which the "
        "format lacks; try another one" in result.stderr.replace("\n", " ")
    )
    assert list(tmp_path.iterdir()) == []


def test_an_export_with_other_outputs_is_not_written(
    invoke: Invoke, run_of: RunOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(flow.TOLERANCE, "float32", -1.0)
    result = invoke("export", run_of("table").path, "--format", "onnx", "--output", tmp_path / "a")

    assert result.exit_code == 1
    assert "a was not written: its output differs from Keras by " in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_export_works_in_a_process_of_its_own(
    run_of: RunOf, nnrun: Callable[..., Any], tmp_path: Path
) -> None:
    """There TensorFlow loads `tf.lite` only when it is used."""
    path = tmp_path / "a.tflite"
    options = ("--format", "tflite", "--output", path)
    result = nnrun("export", run_of("table").path, *options)

    assert result.returncode == 0, result.stderr
    assert path.is_file()


@pytest.mark.parametrize("taken", ["a", "a.json"])
def test_existing_files_stay(taken: str, invoke: Invoke, run_of: RunOf, tmp_path: Path) -> None:
    """Also a file with the name of the description."""
    (tmp_path / taken).write_text("mine")
    result = invoke("export", run_of("table").path, "--format", "onnx", "--output", tmp_path / "a")

    assert result.exit_code == 2
    assert f"{taken} exists already; choose another name" in result.stderr
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {taken: "mine"}


def test_the_folder_must_exist(invoke: Invoke, run_of: RunOf, tmp_path: Path) -> None:
    target = tmp_path / "gone" / "a.onnx"
    result = invoke("export", run_of("table").path, "--format", "onnx", "--output", target)

    assert result.exit_code == 2
    assert f"there is no folder {target.parent} to write a.onnx in" in result.stderr


@pytest.mark.parametrize("absent", ["tf2onnx", "onnx", "onnxruntime"])
def test_a_missing_extra_is_reported_with_the_command_to_install_it(
    absent: str, invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the run is read."""
    monkeypatch.setitem(sys.modules, absent, None)
    result = invoke("export", tmp_path, "--format", "onnx")

    assert result.exit_code == 2
    assert result.stderr == f"error: onnx needs {absent}: pip install 'nnrun[onnx]'\n"


def test_the_default_name_is_that_of_the_run(
    invoke: Invoke, run_of: RunOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of("table")
    monkeypatch.chdir(tmp_path)
    result = invoke("export", run.path, "--format", "saved_model")
    name = f"{run.path.name}-saved_model"

    assert [file.name for file in tmp_path.iterdir()] == [name]
    first, second, third = result.stdout.splitlines()
    assert first.endswith("; takes any number of rows of shape (4,), float32")
    assert second == f"{name}/rows.json: how input rows are prepared, and what the model returns"
    assert third.startswith("compared with Keras on 30 rows of the test set: largest difference ")


@pytest.mark.slow
def test_the_final_model_of_a_cross_validation_has_the_name_of_both(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, folds = tmp_path / "a.yaml", "validation: {kfold: {folds: 2}}\n"
    spec.write_text(SPECS["table"] + TRAINING + folds)
    assert invoke("kfold", spec, "--final", "--runs", tmp_path / "runs").exit_code == 0
    [run] = (tmp_path / "runs").iterdir()
    monkeypatch.chdir(tmp_path)

    assert invoke("export", run, "--format", "tflite").exit_code == 0
    assert (tmp_path / f"{run.name}-final.tflite").is_file()
    assert "is a fold, whose model" in invoke("export", run / "fold-1", "--format", "tflite").stderr


@pytest.mark.parametrize("kind", KINDS[:2])
def test_without_the_data_random_rows_are_compared(
    kind: str, invoke: Invoke, run_of: RunOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is downloaded for the comparison."""
    monkeypatch.setattr(datasets, "missing", lambda _: (Path("gone"),))
    result = exported(invoke, run_of(kind), Format.onnx, tmp_path / "a")

    assert (result["source"], result["rows"]) == (flow.RANDOM, flow.MOST)


@pytest.mark.usefixtures("full_data")
def test_random_texts_have_words_of_the_vocabulary(
    run_of: RunOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "missing", lambda _: (Path("gone"),))
    rows = flow.compared_rows(trained_run(run_of("texts").path))

    assert (rows.x.shape, rows.x.dtype, rows.source) == ((100, 12), np.int32, flow.RANDOM)
    assert 0 < rows.x.min() <= rows.x.max() < 500
