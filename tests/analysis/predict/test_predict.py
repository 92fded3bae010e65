"""`nnrun predict` and `nnrun evaluate`.

All in one file, because its tests share runs and a loaded TensorFlow.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
import shutil
import zlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import Result

from nnrun import runs
from nnrun.cli import specs
from nnrun.data import datasets
from nnrun.data.splits import draw
from nnrun.runs import Run, layout
from nnrun.spec.dataset import Digits, Iris, Mnist5k, Reuters
from nnrun.spec.loading import load
from nnrun.types import Array, Dataset, Sequences

Invoke = Callable[..., Result]
Predict = Callable[..., list[dict[str, Any]]]
Evaluate = Callable[..., dict[str, Any]]
RunOf = Callable[[str], Run]
OWN = specs.shipped_folder() / "own"


@pytest.fixture(scope="module")
def flowers() -> Dataset:
    return datasets.load(Iris(name="iris"))


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return datasets.load(Mnist5k(name="mnist_5k"))


@pytest.fixture(scope="module")
def cars() -> list[dict[str, str]]:
    with (OWN / "data" / "cars.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def probabilities(rows: list[dict[str, Any]]) -> Array:
    """The probability of each class, one row per prediction."""
    return np.array([[*row["probabilities"].values()] for row in rows])


def begun(root: Path, record: dict[str, Any]) -> Run:
    """A run that has just begun."""
    run = runs.create(root, "begun", now=datetime(2026, 1, 2), record=record)
    run.release()
    return run


def table(path: Path, header: list[str], rows: list[list[Any]]) -> Path:
    """A CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def as_table(path: Path, rows: list[dict[str, str]]) -> Path:
    return table(path, [*rows[0]], [[*row.values()] for row in rows])


@pytest.mark.parametrize("name", ["iris", "mnist-5k", "logits"])
def test_test_rows_get_the_recorded_probabilities(
    name: str, run_of: RunOf, predict: Predict, evaluate: Evaluate
) -> None:
    """Logits become probabilities, and the metrics are those of the run."""
    run = run_of(name)
    kept = run.read_arrays(layout.PREDICTIONS)
    names = list(run.read_json(layout.PREPARATION)["classes"])
    rows = predict(run.path, "--rows", "3:20")
    output = kept["output"][3:20]

    assert [row["name"] for row in rows] == [str(number) for number in range(3, 20)]
    assert [row["label"] for row in rows] == [names[label] for label in kept["target"][3:20]]
    np.testing.assert_allclose(probabilities(rows), output, atol=1e-6)
    assert [row["prediction"] for row in rows] == [names[n] for n in output.argmax(axis=1)]
    assert [row["probability"] for row in rows] == probabilities(rows).max(axis=1).tolist()
    evaluation = evaluate(run.path)
    assert evaluation["rows"] == len(kept["output"])
    assert evaluation["metrics"] == pytest.approx(run.metrics().test, rel=1e-5)


def test_a_regression_gives_values(run_of: RunOf, predict: Predict, evaluate: Evaluate) -> None:
    run = run_of("boston")
    kept = run.read_arrays(layout.PREDICTIONS)
    rows = predict(run.path)

    assert {*rows[0]} == {"name", "label", "prediction"}
    values = [row["prediction"] for row in rows]
    np.testing.assert_allclose(values, kept["output"][:10, 0], rtol=1e-5)
    assert evaluate(run.path)["metrics"] == pytest.approx(run.metrics().test, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ((), range(10)),
        (("--rows", "7"), range(7, 8)),
        (("--rows", ":2"), range(2)),
        (("--rows", "28:"), range(28, 30)),
        (("--rows", "25:999"), range(25, 30)),
    ],
    ids=str,
)
def test_rows_are_counted_as_in_python(
    options: tuple[str, ...], rows: range, run_of: RunOf, predict: Predict
) -> None:
    assert [row["name"] for row in predict(run_of("iris").path, *options)] == [*map(str, rows)]


def test_an_output_that_is_not_a_number_is_no_prediction(
    run_of: RunOf, invoke: Invoke, predict: Predict, tmp_path: Path
) -> None:
    """Of two rows, one overflows."""
    rows = [
        ["species", *FLOWERS.split(",")],
        ["setosa", 2.4e38, 1e38, 3e38, 2.4e38],
        ["setosa", 5, 3, 1, 0.2],
    ]
    path, run = table(tmp_path / "f.csv", rows[0], rows[1:]), run_of("iris")
    odd, usual = predict(run.path, path)
    shown = invoke("predict", run.path, path)
    evaluated = json.loads(invoke("evaluate", run.path, path, "--json").stdout)

    assert (odd["prediction"], usual["prediction"]) == (None, "setosa")
    assert "probability" not in odd
    assert "1 of 2 rows have no prediction: the output is not a finite number" in shown.stderr
    assert evaluated["metrics"] == {"accuracy": None, "loss": None}


def test_columns_are_found_by_name(
    flowers: Dataset, run_of: RunOf, invoke: Invoke, predict: Predict, tmp_path: Path
) -> None:
    """In any order; the target's column is the label, and others are not used."""
    run, x, y = run_of("iris").path, np.asarray(flowers.test.x), flowers.test.y
    header = ["id", *flowers.features[::-1], "species"]
    cells = [[n, *x[n, ::-1].tolist(), flowers.classes[y[n]]] for n in range(5)]
    path = table(tmp_path / "flowers.csv", header, cells)
    rows, expected = predict(run, path), predict(run, "--rows", "0:5")

    assert invoke("predict", run, path).stderr == f"note: {path}: not used: 'id'\n"
    np.testing.assert_allclose(probabilities(rows), probabilities(expected), atol=1e-6)
    assert [row["label"] for row in rows] == [row["label"] for row in expected]
    assert rows[0]["name"] == f"{path}:2"


def test_columns_that_the_model_does_not_use_are_carried_into_the_answer(
    run_of: RunOf, invoke: Invoke, predict: Predict, tmp_path: Path
) -> None:
    """As they are written, so that predictions can be joined with the file by its ids."""
    header, rows = ["id", *FLOWERS.split(","), "prediction", "note"], tmp_path / "new.csv"
    cells = [
        ["007", 5, 3, 1, 0.2, "old", " TRUE"],
        ["-1", 6, 3, 5, 2, "", "=2+2"],
        ["", 6, 3, 5, 2, "true", "NA"],
    ]
    path, run = table(rows, header, cells), run_of("iris").path

    lines = [*csv.reader(invoke("predict", run, path, "--format", "csv").stdout.splitlines())]

    assert lines[0][:5] == ["row", "id", "prediction (input)", "note", "text"]
    assert [line[1:4] for line in lines[1:]] == [
        ["007", "old", "TRUE"],
        ["-1", "", "'=2+2"],
        ["", "true", ""],
    ]
    assert predict(run, path)[1]["others"] == {"id": "-1", "prediction": None, "note": "=2+2"}
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    frame = pd.DataFrame({name: [5.0, 6.0] for name in FLOWERS.split(",")})
    frame.assign(id=pd.array([7, None], "Int64"), xs=[[1], [2]]).to_parquet(tmp_path / "n.parquet")
    rows = predict(run, tmp_path / "n.parquet")
    assert [row["others"] for row in rows] == [{"id": "7"}, {"id": None}]


def test_columns_without_names_are_taken_in_order(
    digits: Dataset, run_of: RunOf, predict: Predict, tmp_path: Path
) -> None:
    """Pixels have none; a header is needed only for a label."""
    run, pixels = run_of("mnist-5k").path, np.asarray(digits.test.x[:4]).reshape(4, -1)
    bare = tmp_path / "bare.csv"
    np.savetxt(bare, pixels, "%d", delimiter=",")
    cells = [[label, *row] for label, row in zip(digits.test.y, pixels.tolist(), strict=False)]
    labelled = table(tmp_path / "named.csv", ["digit", *map(str, range(784))], cells)
    expected, rows = predict(run, "--rows", "0:4"), predict(run, bare)

    assert "label" not in rows[0]
    np.testing.assert_allclose(probabilities(rows), probabilities(expected), atol=1e-6)
    labels = [row["label"] for row in predict(run, labelled)]
    assert labels == [row["label"] for row in expected]


def test_an_archive_gives_arrays(
    digits: Dataset, run_of: RunOf, predict: Predict, tmp_path: Path
) -> None:
    """As bytes, or as floats of another byte order; without labels in a file of one array."""
    run, path = run_of("mnist-5k").path, tmp_path / "rows.npz"
    expected = predict(run, "--rows", "0:6")
    for dtype in ("u1", ">f8", "<i2"):
        np.savez(path, x=np.asarray(digits.test.x[:6]).astype(dtype), y=digits.test.y[:6])
        rows = predict(run, path)

        np.testing.assert_allclose(probabilities(rows), probabilities(expected), atol=1e-6)
        assert [row["label"] for row in rows] == [row["label"] for row in expected]
        np.save(path.with_suffix(".npy"), np.asarray(digits.test.x[:6]).astype(dtype))
        alone = predict(run, path.with_suffix(".npy"))
        np.testing.assert_array_equal(probabilities(alone), probabilities(rows))


def test_an_image_of_a_test_row_gets_its_probabilities(
    digits: Dataset, run_of: RunOf, invoke: Invoke, predict: Predict, tmp_path: Path
) -> None:
    """Light on dark as the training rows, so there is no notice."""
    run, paths = run_of("mnist-5k").path, [tmp_path / f"{row}.png" for row in range(4)]
    for row, path in enumerate(paths):
        Image.fromarray(np.asarray(digits.test.x[row])).save(path)

    assert invoke("predict", run, *paths).stderr == ""
    expected = probabilities(predict(run, "--rows", "0:4"))
    np.testing.assert_allclose(probabilities(predict(run, *paths)), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("mode", "ending"), [("L", "png"), ("RGBA", "png"), ("P", "png"), ("RGB", "jpg")]
)
def test_dark_on_light_images_are_inverted_with_a_notice(
    mode: str, ending: str, digits: Dataset, run_of: RunOf, invoke: Invoke, tmp_path: Path
) -> None:
    """Of any size and mode."""
    run, path = run_of("mnist-5k"), tmp_path / f"drawn.{ending}"
    row = int(np.flatnonzero(run.read_arrays(layout.PREDICTIONS)["output"][:, 0] > 0.99)[0])
    ink = Image.fromarray(255 - np.asarray(digits.test.x[row]))
    ink.resize((301, 290), Image.Resampling.BICUBIC).convert(mode).save(path)
    result = invoke("predict", run.path, path, "--json")
    document = json.loads(result.stdout)
    notice = (
        f"inverted {path}: the training images have dark edges, not light ones; "
        "--no-invert leaves images as they are"
    )

    assert document["rows"][0]["prediction"] == "0"
    assert result.stderr == f"note: {notice}\n"
    assert document["notices"] == [notice]


def test_the_user_decides_on_inverting(
    digits: Dataset, run_of: RunOf, invoke: Invoke, predict: Predict, tmp_path: Path
) -> None:
    run, ink, light = run_of("mnist-5k").path, tmp_path / "ink.png", tmp_path / "light.png"
    Image.fromarray(255 - np.asarray(digits.test.x[0])).save(ink)
    Image.fromarray(np.asarray(digits.test.x[0])).save(light)
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(tmp_path / "transparent.png")
    expected = probabilities(predict(run, light))
    inverted, kept = (
        probabilities(predict(run, ink, option)) for option in ("--invert", "--no-invert")
    )

    np.testing.assert_allclose(inverted, expected, atol=1e-5)
    assert np.abs(kept - expected).max() > 0.05
    assert invoke("predict", run, ink, "--no-invert").stderr == ""
    # Transparent pixels are white.
    assert invoke("predict", run, tmp_path / "transparent.png").stderr.startswith("note: inverted ")


def test_columns_of_a_user_table_are_found_by_name(
    cars: list[dict[str, str]], run_of: RunOf, predict: Predict, tmp_path: Path
) -> None:
    """Columns of words too; the target and other columns may be missing or added."""
    rows = cars[:5]
    turned = [{**dict(reversed(row.items())), "note": "x"} for row in rows]
    for row in turned:
        del row["mpg"]
    run = run_of("cars").path
    given = predict(run, as_table(tmp_path / "as-is.csv", rows))
    other = predict(run, as_table(tmp_path / "turned.csv", turned))

    assert [row["prediction"] for row in given] == [row["prediction"] for row in other]
    assert [row["label"] for row in given] == [float(row["mpg"]) for row in rows]


def test_a_user_table_of_test_rows_gives_the_metrics_of_the_run(
    cars: list[dict[str, str]], run_of: RunOf, evaluate: Evaluate, tmp_path: Path
) -> None:
    run, y = run_of("cars"), np.array([float(row["mpg"]) for row in cars])
    _, test = draw(y, load(OWN / "cars.yaml").experiment.dataset, classes=())
    held = as_table(tmp_path / "test.csv", [cars[row] for row in np.sort(test)])

    assert evaluate(run.path, held)["metrics"] == pytest.approx(run.metrics().test, rel=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": ""}, ":3: 'weight' is missing"),
        ({"weight": "heavy"}, ": 'weight' is 'heavy' on line 3, and must be a number"),
    ],
)
def test_a_wrong_cell_of_a_user_table_is_named_with_its_line(
    change: dict[str, str],
    message: str,
    cars: list[dict[str, str]],
    run_of: RunOf,
    invoke: Invoke,
    tmp_path: Path,
) -> None:
    path = as_table(tmp_path / "odd.csv", [cars[0], {**cars[1], **change}, cars[2]])
    result = invoke("predict", run_of("cars").path, path)

    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {path}{message}")


def test_texts_may_come_from_options_files_stdin_or_a_table(
    run_of: RunOf, predict: Predict, evaluate: Evaluate, tmp_path: Path
) -> None:
    texts = ["Compute the inverse Fourier transform of an image.", "A normal continuous variable."]
    run = run_of("functions").path
    (tmp_path / "lines.txt").write_text("\r\n".join(texts) + "\r\n", "utf-8", newline="")
    labelled = table(
        tmp_path / "t.csv", ["sentence", "module"], [[text, "stats"] for text in texts]
    )
    typed = predict(run, "--text", texts[0], "--text", texts[1])
    for rows in (
        predict(run, "--text-file", tmp_path / "lines.txt"),
        predict(run, "--text-file", "-", input="\n".join(texts)),
        predict(run, labelled),
    ):
        assert [row["text"] for row in rows] == texts
        np.testing.assert_allclose(probabilities(rows), probabilities(typed), atol=1e-6)

    assert [row["label"] for row in predict(run, labelled)] == ["stats", "stats"]
    assert typed[1]["prediction"] == "stats"
    assert evaluate(run, labelled)["rows"] == 2


def test_unknown_and_unprintable_texts_are_shown_safely(run_of: RunOf, invoke: Invoke) -> None:
    result = invoke("predict", run_of("functions").path, "--text", "\x1b[31m\u202exqzzy")

    assert "␛[31m\N{REPLACEMENT CHARACTER}xqzzy" in result.stdout
    assert "\x1b" not in result.stdout + result.stderr
    assert "note: text 1 has no word that the model knows" in result.stderr


def test_a_csv_file_is_read_as_the_training_file(
    invoke: Invoke, predict: Predict, tmp_path: Path
) -> None:
    """Its separator, truth values in any case, a column without a name, spaces."""
    lines = [f"{row};{'true' if row % 2 else 'FALSE'}; kg;{row % 2 == 0}" for row in range(40)]
    (tmp_path / "t.csv").write_text("\n".join([";odd; unit;even", *lines, ""]), "utf-8")
    assert invoke("new", tmp_path / "t", "--from", tmp_path / "t.csv").exit_code == 0
    features = "dataset.features=['Unnamed: 0', odd, unit]"
    options = ("--set", features, "--set", "training.epochs=2", "--runs", tmp_path / "runs")
    result = invoke("train", tmp_path / "t.yaml", *options)
    assert result.exit_code == 0, result.stderr
    rows = predict(next((tmp_path / "runs").iterdir()), tmp_path / "t.csv")

    assert [row["label"] for row in rows[:3]] == ["True", "False", "True"]


@pytest.mark.slow
@pytest.mark.usefixtures("full_data")
def test_a_decoded_newswire_is_classified_as_its_row(
    run_of: RunOf, predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the data set; classes and labels have their names everywhere."""
    run = run_of("reuters")
    expected = predict(run.path, "--rows", "0:3")
    whole = datasets.load(Reuters(name="reuters"))
    assert isinstance(whole.test.x, Sequences)
    texts = [text[8:] for text in datasets.decoded(whole, whole.test.x, np.arange(3))]
    assert not [text for text in texts if "<unknown>" in text]
    names = list(keras.datasets.reuters.get_label_names())
    confusion = list(csv.reader((run.path / layout.CONFUSION).read_text("utf-8").splitlines()))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "nothing"))
    rows = predict(run.path, *[word for text in texts for word in ("--text", text)])

    np.testing.assert_allclose(probabilities(rows), probabilities(expected), atol=1e-6)
    assert confusion[0][1:] == [line[0] for line in confusion[1:]] == names
    assert [*run.read_json(layout.REPORT)][: len(names)] == names
    assert [*expected[0]["probabilities"]] == names
    assert expected[0]["label"] == names[run.read_arrays(layout.PREDICTIONS)["target"][0]]


def test_all_formats_have_the_same_content(
    run_of: RunOf, invoke: Invoke, predict: Predict, tmp_path: Path
) -> None:
    run = run_of("iris").path
    expected = predict(run, "--rows", "0:30")
    text = invoke("predict", run, "--rows", "0:30", "--format", "csv").stdout
    lines = list(csv.DictReader(io.StringIO(text)))
    shown = invoke("predict", run, "--rows", "0:30").stdout

    assert [line["prediction"] for line in lines] == [row["prediction"] for row in expected]
    assert [float(line["p(setosa)"]) for line in lines] == probabilities(expected)[:, 0].tolist()
    assert shown.count("✗") == sum(row["prediction"] != row["label"] for row in expected)
    assert len(re.findall(r"│ \d+ ", shown)) == 30
    for name, beginning in (("a.csv", "row,text,label"), ("a.json", "{\n"), ("a.txt", "iris: ")):
        result = invoke("predict", run, "--output", tmp_path / name)
        assert (result.exit_code, result.stdout) == (0, "")
        assert (tmp_path / name).read_text("utf-8").startswith(beginning)


@pytest.mark.slow
def test_a_cross_validation_predicts_with_its_final_model(
    invoke: Invoke, predict: Predict, tmp_path: Path
) -> None:
    options = ("--set", "training.epochs=1", "--set", "validation.kfold.folds=2")
    assert invoke("kfold", "iris", *options, "--final", "--runs", tmp_path).exit_code == 0
    [run] = tmp_path.iterdir()
    kept = Run(run / layout.FINAL).read_arrays(layout.PREDICTIONS)["output"]

    np.testing.assert_allclose(probabilities(predict(run)), kept[:10], atol=1e-6)
    assert "is a fold" in invoke("predict", run / "fold-1").stderr


@pytest.fixture(scope="module")
def seeds(run_of: RunOf, invoke: Invoke, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Two runs of one experiment, in a folder of their own."""
    first, root = run_of("iris").path, tmp_path_factory.mktemp("seeds")
    options = ("--set", "seed=7", "--set", "training.epochs=30")
    assert invoke("train", "iris", *options, "--runs", root).exit_code == 0
    shutil.copytree(first, root / f"{first.name}-1")
    return [Run(path) for path in sorted(root.iterdir())]


def cross_validation(root: Path, runs: list[Run]) -> Path:
    """A cross-validation with these folds."""
    numbers = range(1, len(runs) + 1)
    folds = [{"number": number, "train": 8, "validation": 2} for number in numbers]
    whole = begun(root, {"verb": "kfold", "folds": folds})
    for number, run in zip(numbers, runs, strict=True):
        shutil.copytree(run.path, whole.path / layout.fold(number))
    whole.update(status="finished")
    return whole.path


def test_several_seeds_are_averaged(
    seeds: list[Run], flowers: Dataset, invoke: Invoke, predict: Predict, evaluate: Evaluate
) -> None:
    """Probabilities with their standard deviation; the class is that of the mean."""
    root = seeds[0].path.parent
    each = np.array([probabilities(predict(run.path, "--rows", "0:30")) for run in seeds])
    rows = predict(root, "--rows", "0:30")
    mean, y = each.mean(axis=0), flowers.test.y
    classes = mean.argmax(axis=1)

    np.testing.assert_allclose(probabilities(rows), mean, atol=1e-6)
    assert [row["prediction"] for row in rows] == [flowers.classes[number] for number in classes]
    std = each.std(axis=0, ddof=1)[range(30), classes]
    np.testing.assert_allclose([row["std"] for row in rows], std, atol=1e-6)
    evaluation = evaluate(root)
    assert (evaluation["path"], evaluation["models"]) == (str(root), 2)
    expected = {"loss": -np.log(mean[range(30), y]).mean(), "accuracy": np.mean(classes == y)}
    assert evaluation["metrics"] == pytest.approx(expected, rel=1e-5)
    shown = invoke("predict", root, "--rows", "3", "--format", "table").stdout
    assert shown.startswith("iris: species, mean of 2 models")
    header, line = invoke("predict", root, "--rows", "3", "--format", "csv").stdout.splitlines()
    assert (
        float(dict(zip(header.split(","), line.split(","), strict=True))["std"]) == rows[3]["std"]
    )


def test_a_cross_validation_averages_its_folds_or_asks_the_final_model(
    seeds: list[Run], invoke: Invoke, predict: Predict, tmp_path: Path
) -> None:
    whole = cross_validation(tmp_path, seeds)
    mean = predict(seeds[0].path.parent)

    assert predict(whole) == mean
    refused = invoke("export", whole, "--format", "tflite").stderr
    assert refused == (
        f"error: {whole} has a model per fold and none on all training rows; "
        f"`nnrun kfold {whole}/spec.yaml --final` trains one\n"
    )
    shutil.copytree(seeds[0].path, whole / layout.FINAL)
    assert predict(whole) == predict(seeds[0].path)
    assert predict(whole, "--folds") == mean


@pytest.mark.parametrize(
    ("option", "active"), [("--augment", "RandomTranslation"), ("--mc-dropout", "Dropout")]
)
def test_passes_with_active_random_layers_are_averaged(
    option: str, active: str, run_of: RunOf, invoke: Invoke, predict: Predict, evaluate: Evaluate
) -> None:
    """Only the layers of that kind are active; the mean and the spread are those of Keras."""
    run = run_of("random")
    rows, usual = predict(run.path, option, "400"), predict(run.path)
    model = keras.models.load_model(run.path / layout.MODEL)
    test = datasets.load(Digits(name="digits")).test

    def one_pass() -> Array:
        x = keras.ops.convert_to_tensor(np.asarray(test.x[:10]) / 16, "float32")
        for layer in model.layers[1:]:
            name = type(layer).__name__
            is_random = name in ("RandomTranslation", "Dropout")
            x = layer(x, training=name == active) if is_random else layer(x)
        return np.asarray(x)

    each = np.array([one_pass() for _ in range(400)])
    np.testing.assert_allclose(probabilities(rows), each.mean(axis=0), atol=0.03)
    assert abs(probabilities(rows) - probabilities(usual)).max() > 0.001
    place = each.mean(axis=0).argmax(axis=1)
    stds = each.std(axis=0, ddof=1)[range(10), place]
    is_same = [row["prediction"] == str(number) for row, number in zip(rows, place, strict=True)]
    pairs = [(row["std"], std) for row, std, same in zip(rows, stds, is_same, strict=True) if same]
    np.testing.assert_allclose(*zip(*pairs, strict=True), rtol=0.3)
    assert predict(run.path, option, "400") == rows
    assert evaluate(run.path, option, "3")["metrics"] != evaluate(run.path)["metrics"]


def test_passes_need_random_layers(run_of: RunOf, invoke: Invoke) -> None:
    path = run_of("iris").path
    answers = [
        invoke("predict", path, option, "3").stderr for option in ("--augment", "--mc-dropout")
    ]

    assert answers == [
        f"error: --augment: the model of {path} has no augmentation layer such as RandomFlip\n",
        f"error: --mc-dropout: the model of {path} has no dropout\n",
    ]
    both = invoke("predict", path, "--augment", "3", "--mc-dropout", "3")
    assert both.stderr == "error: --augment and --mc-dropout exclude each other\n"


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_models_that_cannot_be_averaged_are_refused(
    verb: str, seeds: list[Run], run_of: RunOf, invoke: Invoke, tmp_path: Path
) -> None:
    whole = cross_validation(tmp_path, seeds)
    fold = begun(tmp_path, {"verb": "kfold", "fold": 1}).path
    assert invoke(verb, fold).stderr == (
        f"error: {fold} is a fold, whose model is trained on a part of the training rows; "
        f"`nnrun predict {tmp_path}` averages the models of all folds\n"
    )
    shutil.rmtree(whole / "fold-2")
    assert f"note: {whole}: 1 of 2 folds have a model\n" in invoke(verb, whole).stderr
    shutil.rmtree(whole / "fold-1")
    assert invoke(verb, whole).stderr == (
        f"error: {whole}: none of its 2 folds has a model; `nnrun kfold {whole}/spec.yaml` trains "
        "it again and keeps them\n"
    )
    shutil.copytree(run_of("boston").path, tmp_path / "mixed" / "boston")
    shutil.copytree(seeds[0].path, tmp_path / "mixed" / "iris")
    assert (
        "has runs of several experiments or specs (boston, iris)"
        in invoke(verb, tmp_path / "mixed").stderr
    )


def test_files_of_validation_and_of_test_rows_give_their_metrics(
    invoke: Invoke, cars: list[dict[str, str]], evaluate: Evaluate, tmp_path: Path
) -> None:
    """In the metrics, the table, gates and predictions."""
    path = as_table(tmp_path / "val.csv", cars[:40])
    tests = {"old": cars[40:60], "new": cars[60:90]}
    files = {name: as_table(tmp_path / f"{name}.csv", rows) for name, rows in tests.items()}
    as_table(tmp_path / "train.csv", cars)
    text = (OWN / "cars.yaml").read_text("utf-8").partition("validation:")[0]
    (tmp_path / "cars.yaml").write_text(
        text.replace(
            "data/cars.csv",
            "train.csv\n  validation: val.csv\n  test: {old: old.csv, new: new.csv}",
        ),
        "utf-8",
    )
    options = ("--set", "training.epochs=2", "--runs", tmp_path / "runs")
    gate = ("--expect", "test_new_mae <= 1000")
    result = invoke("train", tmp_path / "cars.yaml", *options, *gate)
    [path_of_run] = (tmp_path / "runs").iterdir()
    run = Run(path_of_run)
    metrics, predictions = run.metrics(), run.read_arrays(layout.PREDICTIONS)

    assert result.exit_code == 0, result.stderr
    rows = {"train": 392, "validation": 40, "test": 50, "test_old": 20, "test_new": 30}
    assert run.record().rows == rows
    assert len(run.history().epochs["val_loss"]) == 2
    assert evaluate(run.path, path)["metrics"] == pytest.approx(metrics.validation, rel=1e-5)
    for name, file in files.items():
        assert evaluate(run.path, file)["metrics"] == pytest.approx(metrics.tests[name], rel=1e-5)
        assert f"test {name}" in result.stdout
    evaluated = evaluate(run.path)
    assert evaluated["metrics"] == pytest.approx(metrics.test, rel=1e-5)
    assert evaluated["tests"]["new"] == pytest.approx(metrics.tests["new"], rel=1e-5)
    assert predictions["test_set"].tolist() == ["old"] * 20 + ["new"] * 30
    assert predictions["row"].tolist() == [*range(20), *range(30)]


def test_a_run_without_a_model_is_refused(invoke: Invoke, tmp_path: Path) -> None:
    run = runs.create(tmp_path, "begun", now=datetime(2026, 1, 2), record={"verb": "train"})
    reason = "has no model yet"

    assert (
        invoke("predict", run.path).stderr == f"error: {run.path} is running and {reason}; wait\n"
    )
    run.release()
    assert invoke("predict", run.path).stderr == (
        f"error: {run.path} is crashed and {reason}; `nnrun resume {run.path}` continues it\n"
    )


def test_a_stopped_run_predicts_with_a_notice_and_changed_data_are_refused(
    run_of: RunOf, invoke: Invoke, tmp_path: Path
) -> None:
    run = Run(shutil.copytree(run_of("iris").path, tmp_path / "stopped"))
    run.update(status=layout.INTERRUPTED)
    notice = f"note: {run.path} was interrupted; its model is the one of that moment\n"
    result = invoke("predict", run.path)

    assert (result.exit_code, result.stderr) == (0, notice)
    run.update(data_digest="0" * 64)
    assert invoke("evaluate", run.path).exit_code == 2
    assert invoke("predict", run.path).stderr == (
        f"error: iris: its rows are not those that {run.path} was trained and tested on\n"
    )


FLOWERS = "sepal length (cm),sepal width (cm),petal length (cm),petal width (cm)"
REFUSED: dict[str, tuple[str, str, bytes, str]] = {
    "not an image": (
        "mnist-5k",
        "a.png",
        b"text",
        ": is not a PNG, JPEG, BMP, GIF or WebP image, despite its name",
    ),
    "not an archive": ("iris", "a.npz", b"PK", ": cannot be read: File is not a zip file"),
    "unknown kind": (
        "iris",
        "a.tiff",
        b"",
        ": the name must end in .bmp, .gif, .jfif, .jpeg, .jpg, .png, .webp, .csv, .tsv, .parquet, "
        ".npz or .npy",
    ),
    "no rows": ("iris", "a.csv", b"", ": is empty; a table begins with its column names"),
    "only a header": ("iris", "a.csv", b"a,b\n", ": holds no rows"),
    "other columns": (
        "mnist-5k",
        "a.csv",
        b"a,b\n1,2\n",
        ": has 2 columns, and the run takes rows of 784 numbers; labels belong in a column 'digit'",
    ),
    "a short line": ("iris", "a.csv", b"a,b\n1\n", ": line 2 has 1 cells, but the header has 2"),
    "equal names": ("iris", "a.csv", b"a,a\n1,2\n", ": has two columns 'a'"),
    "not UTF-8": (
        "iris",
        "a.csv",
        b"a,b\n\xff,1\n",
        ": is not UTF-8 text; give its encoding, such as cp1252",
    ),
    "an open quote": (
        "iris",
        "a.csv",
        b'a,b\n"1,2\n',
        ": line 2 is not CSV: unexpected end of data",
    ),
    "a word": (
        "iris",
        "a.csv",
        f"{FLOWERS}\n1,2,3,four\n".encode(),
        ": 'petal width (cm)' is 'four' on line 2, and must be a number",
    ),
    "an empty cell": (
        "iris",
        "a.csv",
        f"{FLOWERS}\n1,2,,4\n".encode(),
        ":2: 'petal length (cm)' is missing",
    ),
    "not finite": (
        "iris",
        "a.csv",
        f"{FLOWERS}\n1,nan,3,4\n".encode(),
        ":2: 'sepal width (cm)' is missing",
    ),
    "a missing column": (
        "iris",
        "a.csv",
        FLOWERS.rpartition(",")[0].encode() + b"\n1,2,3\n",
        ": lacks the column 'petal width (cm)'",
    ),
    "an unknown class": (
        "iris",
        "a.csv",
        f"{FLOWERS},species\n1,2,3,4,tulip\n".encode(),
        ":2: 'tulip' is none of the classes: setosa, versicolor, virginica",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_cannot_be_used_is_refused(
    case: str, run_of: RunOf, invoke: Invoke, tmp_path: Path
) -> None:
    run, name, content, reason = REFUSED[case]
    (tmp_path / name).write_bytes(content)
    result = invoke("predict", run_of(run).path, tmp_path / name)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"error: {tmp_path / name}{reason}\n"


ROWS = np.zeros((2, 4))
ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "a pickle": (
        {"x": np.array([{}], dtype=object)},
        "cannot be read: x holds objects, which would be code",
    ),
    "no x": ({"a": ROWS}, "holds no array `x`, but a"),
    "another shape": ({"x": ROWS[:, :3]}, "x has the shape (2, 3), and must have (rows, 4)"),
    "words": ({"x": np.full((2, 4), "a")}, "x has values that are not finite numbers"),
    "NaN": ({"x": ROWS * np.nan}, "x has values that are not finite numbers"),
    "too few labels": ({"x": ROWS, "y": ROWS[0, :1]}, "y has the shape (1,), and must have (2,)"),
    "a label too high": (
        {"x": ROWS, "y": np.array([0, 3])},
        "y holds other numbers than those of the classes, 0 to 2",
    ),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_an_archive_of_other_arrays_is_refused(
    case: str, run_of: RunOf, invoke: Invoke, tmp_path: Path
) -> None:
    """A pickle in it is never loaded."""
    values, reason = ARRAYS[case]
    path = tmp_path / "a.npz"
    np.savez(path, **values)

    assert invoke("predict", run_of("iris").path, path).stderr == f"error: {path}: {reason}\n"


def test_an_image_that_would_fill_the_memory_is_refused(
    run_of: RunOf, invoke: Invoke, tmp_path: Path
) -> None:
    """Its size is checked before it is decoded."""
    path = tmp_path / "a.png"
    Image.new("1", (10, 10)).save(path)
    content = bytearray(path.read_bytes())
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    path.write_bytes(content)

    assert invoke("predict", run_of("mnist-5k").path, path).stderr == (
        f"error: {path}: has more pixels than any camera's image\n"
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--rows", "0:2", "--text", "a"], "--rows and --text exclude each other"),
        (["--text-file", "a", "a.png"], "--text-file and files exclude each other"),
        (["--rows", "3:3"], "--rows '3:3': holds no row, as the first comes after the last"),
        (["--rows", "-1"], "--rows '-1': must look like 0:20, or 7 for one row"),
        (["--rows", "30"], "the test set ends with row 29"),
        (["--invert"], "--invert is for images, and no image is given"),
        (["--text", "a"], "RUN was trained on iris, which has no texts"),
        (["a.png"], "RUN was trained on iris, which has no images"),
        (
            ["a.csv", "b.csv"],
            "only images can be given as several files; give one file or folder",
        ),
        (["a.csv"], "a.csv: cannot be read: No such file or directory"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(
    options: list[str], reason: str, run_of: RunOf, invoke: Invoke
) -> None:
    run = run_of("iris").path
    result = invoke("predict", run, *options)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"error: {reason.replace('RUN', str(run))}\n"


def test_wrong_arguments_are_refused_before_tensorflow_is_loaded(
    run_of: RunOf, probed: Callable[..., tuple[Any, set[str]]], tmp_path: Path
) -> None:
    result, loaded = probed("predict", run_of("iris").path, "--text", "a", cwd=tmp_path)

    assert (result.returncode, loaded) == (2, set())


@pytest.mark.slow
def test_a_script_reads_only_json(
    run_of: RunOf, nnrun: Callable[..., Any], flowers: Dataset, tmp_path: Path
) -> None:
    """Messages of TensorFlow are hidden."""
    path = table(tmp_path / "a.csv", [*flowers.features], [[5.1, 3.5, 1.4, 0.2]])
    result = nnrun("predict", run_of("iris").path, path, "--json")

    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout)["rows"][0]["prediction"] == "setosa"


def test_a_file_of_the_test_rows_gives_the_metrics_of_the_run(
    flowers: Dataset, run_of: RunOf, invoke: Invoke, evaluate: Evaluate, tmp_path: Path
) -> None:
    """Classes by number or by name; without labels there are no metrics."""
    run, x, y = run_of("iris"), np.asarray(flowers.test.x), flowers.test.y
    names = [flowers.classes[label] for label in y]
    for suffix, labels in (("numbers", y.tolist()), ("names", names)):
        cells = [[*row, label] for row, label in zip(x.tolist(), labels, strict=True)]
        csv_file = table(tmp_path / f"{suffix}.csv", [*flowers.features, "species"], cells)
        np.savez(tmp_path / f"{suffix}.npz", x=x, y=np.array(labels)[:, None])
        for path in (csv_file, tmp_path / f"{suffix}.npz"):
            result = evaluate(run.path, path)
            assert (result["source"], result["rows"]) == (str(path), 30)
            assert result["metrics"] == pytest.approx(run.metrics().test, rel=1e-4)

    np.savez(tmp_path / "a.npz", x=x)
    refused = invoke("evaluate", run.path, tmp_path / "a.npz")
    assert refused.exit_code == 2
    assert refused.stderr == (
        f"error: {tmp_path}/a.npz: the rows have no labels; a table needs a column `species`, "
        "an npz file an array `y`, and images one folder per class\n"
    )


@pytest.mark.parametrize(
    "seeds", [range(40), pytest.param(range(40, 1000), marks=pytest.mark.slow)], ids=["some", "many"]
)  # fmt: skip
def test_a_damaged_preparation_is_refused_or_used(
    seeds: range, run_of: RunOf, invoke: Invoke, flowers: Dataset, tmp_path: Path
) -> None:
    """Without a traceback, although its checksum is right."""
    files = {"iris": tmp_path / "a.csv", "mnist-5k": tmp_path / "a.png"}
    table(files["iris"], [*flowers.features], [[1, 2, 3, 4]])
    Image.new("L", (9, 9)).save(files["mnist-5k"])
    for seed in seeds:
        rng = random.Random(seed)
        name = rng.choice([*files])
        run = Run(shutil.copytree(run_of(name).path, tmp_path / str(seed)))
        content = run.read_json(layout.PREPARATION)
        damage(rng, content)
        run.write_json(layout.PREPARATION, content)
        result = invoke("predict", run.path, files[name])

        assert (result.exit_code == 0) == bool(result.stdout), seed
        assert result.stderr.startswith("error: ") or result.exit_code == 0, seed


def damage(rng: random.Random, tree: Any) -> None:
    """Replaces or removes a value somewhere in a tree."""
    odd = [None, True, -1, 2**40, 1e300, "", "x", [], {}, [None], [[1, 2]], "\x1b[31m", 0]
    places = [(tree, key) for key in tree]
    for holder, key in places:
        value = holder[key]
        # Only the first few of a long list of means.
        keys = (
            value
            if isinstance(value, dict)
            else range(min(len(value), 3))
            if isinstance(value, list)
            else ()
        )
        places += [(value, each) for each in keys]
    holder, key = rng.choice(places)
    if rng.random() < 0.2:
        del holder[key]
    else:
        holder[key] = rng.choice(odd)
