"""`nnrun predict` and `nnrun evaluate`: a run says of rows what its model says of them.

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
import pytest
from PIL import Image
from typer.testing import Result

from nnrun import runs
from nnrun.data import datasets
from nnrun.runs import Run, layout
from nnrun.spec.dataset import Iris, Mnist5k, Reuters
from nnrun.types import Dataset, Sequences

Ask = Callable[..., Result]
Answers = Callable[..., list[dict[str, Any]]]
RunOf = Callable[[str], Run]


@pytest.fixture(scope="module")
def flowers() -> Dataset:
    return datasets.load(Iris(name="iris"))


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return datasets.load(Mnist5k(name="mnist_5k"))


def shares(rows: list[dict[str, Any]]) -> np.ndarray[Any, Any]:
    """The probability of each class, a row each."""
    return np.array([[*row["probabilities"].values()] for row in rows])


def made(root: Path, record: dict[str, Any]) -> Run:
    """A run that has just begun."""
    run = runs.create(root, "begun", now=datetime(2026, 1, 2), record=record)
    run.release()
    return run


def table(path: Path, header: list[str], rows: list[list[Any]]) -> Path:
    """A file of CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.mark.parametrize("name", ["iris", "mnist-5k", "logits"])
def test_test_rows_get_the_probabilities_that_the_run_has_kept(
    name: str, run_of: RunOf, answers: Answers
) -> None:
    """Logits become probabilities."""
    run = run_of(name)
    kept = run.read_arrays(layout.PREDICTIONS)
    names = list(run.read_json(layout.PREPARATION)["classes"])
    found = answers(run.path, "--rows", "3:20")

    assert [row["name"] for row in found] == [str(number) for number in range(3, 20)]
    assert [row["label"] for row in found] == [names[label] for label in kept["target"][3:20]]
    np.testing.assert_allclose(shares(found), kept["output"][3:20], atol=1e-6)
    assert [row["prediction"] for row in found] == [
        names[number] for number in kept["output"][3:20].argmax(axis=1)
    ]
    assert [row["probability"] for row in found] == shares(found).max(axis=1).tolist()


def test_a_regression_gives_a_value(run_of: RunOf, answers: Answers) -> None:
    """Which is no probability of anything."""
    run = run_of("boston")
    kept = run.read_arrays(layout.PREDICTIONS)
    found = answers(run.path)

    assert {*found[0]} == {"name", "label", "prediction"}
    values = [row["prediction"] for row in found]
    np.testing.assert_allclose(values, kept["output"][:10, 0], rtol=1e-5)


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        ((), range(10)),
        (("--rows", "7"), range(7, 8)),
        (("--rows", ":2"), range(2)),
        (("--rows", "28:"), range(28, 30)),
        (("--rows", "25:999"), range(25, 30)),
    ],
    ids=str,
)
def test_rows_are_counted_as_python_counts_them(
    words: tuple[str, ...], rows: range, run_of: RunOf, answers: Answers
) -> None:
    found = answers(run_of("iris").path, *words)

    assert [row["name"] for row in found] == [*map(str, rows)]


def test_columns_are_found_by_name(
    flowers: Dataset, run_of: RunOf, ask: Ask, answers: Answers, tmp_path: Path
) -> None:
    """In any order, with others between them; the target's column is the label."""
    run, x, y = run_of("iris").path, np.asarray(flowers.test.x), flowers.test.y
    header = ["id", *flowers.features[::-1], "species"]
    rows = [[n, *x[n, ::-1].tolist(), flowers.classes[y[n]]] for n in range(5)]
    path = table(tmp_path / "flowers.csv", header, rows)
    found, expected = answers(run, path), answers(run, "--rows", "0:5")

    assert ask("predict", run, path).stderr == f"note: {path}: not used: 'id'\n"
    np.testing.assert_allclose(shares(found), shares(expected), atol=1e-6)
    assert [row["label"] for row in found] == [row["label"] for row in expected]
    assert found[0]["name"] == f"{path}:2"


def test_columns_without_names_are_taken_in_order(
    digits: Dataset, run_of: RunOf, answers: Answers, tmp_path: Path
) -> None:
    """Pixels have none; a header is needed only to tell the label."""
    run, pixels = run_of("mnist-5k").path, np.asarray(digits.test.x[:4]).reshape(4, -1)
    bare = tmp_path / "bare.csv"
    np.savetxt(bare, pixels, "%d", delimiter=",")
    rows = [[label, *row] for label, row in zip(digits.test.y, pixels.tolist(), strict=False)]
    labelled = table(tmp_path / "named.csv", ["digit", *map(str, range(784))], rows)
    expected = answers(run, "--rows", "0:4")

    assert "label" not in answers(run, bare)[0]
    np.testing.assert_allclose(shares(answers(run, bare)), shares(expected), atol=1e-6)
    for got, wanted in zip(answers(run, labelled), expected, strict=True):
        assert got["label"] == wanted["label"]


def test_an_archive_gives_arrays(
    digits: Dataset, run_of: RunOf, answers: Answers, tmp_path: Path
) -> None:
    """As bytes, or as floats of another byte order."""
    run, path = run_of("mnist-5k").path, tmp_path / "rows.npz"
    expected = answers(run, "--rows", "0:6")
    for dtype in ("u1", "<f4", ">f8", "<i2"):
        np.savez(path, x=np.asarray(digits.test.x[:6]).astype(dtype), y=digits.test.y[:6])
        found = answers(run, path)

        np.testing.assert_allclose(shares(found), shares(expected), atol=1e-6)
        assert [row["label"] for row in found] == [row["label"] for row in expected]


def test_a_picture_of_a_test_row_gets_its_probabilities(
    digits: Dataset, run_of: RunOf, ask: Ask, answers: Answers, tmp_path: Path
) -> None:
    """Light on dark as the training rows are, so nothing is said."""
    run, paths = run_of("mnist-5k").path, [tmp_path / f"{row}.png" for row in range(4)]
    for row, path in enumerate(paths):
        Image.fromarray(np.asarray(digits.test.x[row])).save(path)

    assert ask("predict", run, *paths).stderr == ""
    expected = shares(answers(run, "--rows", "0:4"))
    np.testing.assert_allclose(shares(answers(run, *paths)), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("mode", "ending"), [("L", "png"), ("RGBA", "png"), ("P", "png"), ("RGB", "jpg")]
)
def test_ink_on_paper_of_any_size_is_told_and_inverted(
    mode: str, ending: str, digits: Dataset, run_of: RunOf, ask: Ask, tmp_path: Path
) -> None:
    run, path = run_of("mnist-5k").path, tmp_path / f"drawn.{ending}"
    row = int(
        np.flatnonzero(run_of("mnist-5k").read_arrays("predictions.npz")["output"][:, 0] > 0.99)[0]
    )
    ink = Image.fromarray(255 - np.asarray(digits.test.x[row]))
    ink.resize((301, 290), Image.Resampling.BICUBIC).convert(mode).save(path)
    found = ask("predict", run, path, "--json")
    [answer] = json.loads(found.stdout)["rows"]
    notice = (
        f"inverted {path}: the training pictures have dark edges, not light ones; "
        "--no-invert leaves pictures as they are"
    )

    assert answer["prediction"] == "0"
    assert found.stderr == f"note: {notice}\n"
    assert json.loads(found.stdout)["notices"] == [notice]


def test_a_person_decides_on_inverting(
    digits: Dataset, run_of: RunOf, ask: Ask, answers: Answers, tmp_path: Path
) -> None:
    run, ink, light = run_of("mnist-5k").path, tmp_path / "ink.png", tmp_path / "light.png"
    Image.fromarray(255 - np.asarray(digits.test.x[0])).save(ink)
    Image.fromarray(np.asarray(digits.test.x[0])).save(light)
    same = shares(answers(run, light))

    np.testing.assert_allclose(shares(answers(run, ink, "--invert")), same, atol=1e-5)
    assert np.abs(shares(answers(run, ink, "--no-invert")) - same).max() > 0.05
    assert ask("predict", run, ink, "--no-invert").stderr == ""


def test_transparent_paper_is_white(run_of: RunOf, ask: Ask, tmp_path: Path) -> None:
    """Whatever colour its pixels would have had."""
    path = tmp_path / "drawn.png"
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(path)

    assert ask("predict", run_of("mnist-5k").path, path).stderr.startswith("note: inverted ")


@pytest.mark.slow
@pytest.mark.usefixtures("full_data")
def test_a_newswire_in_words_is_classified_as_the_row_was(
    run_of: RunOf, answers: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed, on lines of a file or in a table; the folder of the data is not needed for it."""
    run = run_of("reuters").path
    expected = answers(run, "--rows", "0:3")
    whole = datasets.load(Reuters(name="reuters"))
    assert isinstance(whole.test.x, Sequences)
    said = [text[8:] for text in datasets.decoded(whole, whole.test.x, np.arange(3))]
    assert not [text for text in said if "<unknown>" in text]
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "nothing"))
    lines, labelled = tmp_path / "lines.txt", tmp_path / "newswires.csv"
    lines.write_text("\r\n".join(said) + "\r\n", "utf-8", newline="")
    rows = [[row["label"], text] for row, text in zip(expected, said, strict=True)]
    table(labelled, ["topic", "text"], rows)
    for words in (
        [word for text in said for word in ("--text", text)],
        ["--text-file", lines],
        [labelled],
    ):
        found = answers(run, *words)
        np.testing.assert_allclose(shares(found), shares(expected), atol=1e-6)
        assert [row["text"] for row in found] == said
    piped = answers(run, "--text-file", "-", input="\n".join(said))
    np.testing.assert_allclose(shares(piped), shares(expected), atol=1e-6)


@pytest.mark.usefixtures("full_data")
def test_a_text_does_not_steer_the_terminal(run_of: RunOf, ask: Ask) -> None:
    """And where the model knows no word of it, that is said."""
    found = ask("predict", run_of("reuters").path, "--text", "\x1b[31m\u202exqzzy")

    assert "␛[31m\N{REPLACEMENT CHARACTER}xqzzy" in found.stdout
    assert "\x1b" not in found.stdout + found.stderr
    assert "note: text 1 has no word that the model knows" in found.stderr


@pytest.mark.usefixtures("full_data")
def test_topics_have_their_names_wherever_they_show(run_of: RunOf, answers: Answers) -> None:
    """In the order of the labels, as Keras names them."""
    run = run_of("reuters")
    names = list(keras.datasets.reuters.get_label_names())
    confusion = list(csv.reader((run.path / layout.CONFUSION).read_text("utf-8").splitlines()))
    [row] = answers(run.path, "--rows", "0")

    assert confusion[0][1:] == [line[0] for line in confusion[1:]] == names
    assert [*run.read_json(layout.REPORT)][: len(names)] == names
    assert [*row["probabilities"]] == names
    assert row["label"] == names[run.read_arrays(layout.PREDICTIONS)["target"][0]]


def test_every_format_says_the_same(run_of: RunOf, ask: Ask, answers: Answers) -> None:
    run = run_of("iris").path
    expected = answers(run, "--rows", "0:30")
    lines = list(
        csv.DictReader(io.StringIO(ask("predict", run, "--rows", "0:30", "--format", "csv").stdout))
    )
    shown = ask("predict", run, "--rows", "0:30").stdout

    assert [line["prediction"] for line in lines] == [row["prediction"] for row in expected]
    assert [float(line["p(setosa)"]) for line in lines] == shares(expected)[:, 0].tolist()
    wrong = sum(row["prediction"] != row["label"] for row in expected)
    assert shown.count("✗") == wrong
    assert len(re.findall(r"│ \d+ ", shown)) == 30


def test_the_name_of_a_file_says_its_format(run_of: RunOf, ask: Ask, tmp_path: Path) -> None:
    run = run_of("iris").path
    for name, begins in (("a.csv", "row,text,label"), ("a.json", "{\n"), ("a.txt", "iris: ")):
        found = ask("predict", run, "--output", tmp_path / name)

        assert (found.exit_code, found.stdout) == (0, "")
        assert (tmp_path / name).read_text("utf-8").startswith(begins)


@pytest.mark.slow
def test_a_cross_validation_answers_with_its_final_model(
    ask: Ask, answers: Answers, tmp_path: Path
) -> None:
    words = ("--set", "training.epochs=1", "--set", "validation.kfold.folds=2")
    assert ask("kfold", "iris", *words, "--final", "--runs", tmp_path).exit_code == 0
    [run] = tmp_path.iterdir()
    kept = Run(run / layout.FINAL).read_arrays(layout.PREDICTIONS)["output"]

    np.testing.assert_allclose(shares(answers(run)), kept[:10], atol=1e-6)
    assert "is a fold" in ask("predict", run / "fold-1").stderr


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_a_cross_validation_needs_a_final_model(
    verb: str, run_of: RunOf, ask: Ask, tmp_path: Path
) -> None:
    """A model per fold is none to predict with; it says how to get one."""
    parts = {"folds": [{"number": 1, "train": 8, "validation": 2}]}
    whole = made(tmp_path, {"verb": "kfold", **parts})
    fold = made(tmp_path, {"verb": "kfold", "fold": 1})
    remedy = f"`nnrun kfold {whole.path}/spec.yaml --final` trains one"

    found = ask(verb, whole.path)
    assert found.exit_code == 2
    assert found.stderr == (
        f"error: {whole.path} has a model per fold and none on all training rows; {remedy}\n"
    )
    assert f"error: {fold.path} is a fold, whose model is trained" in ask(verb, fold.path).stderr
    shutil.copytree(run_of("iris").path, whole.path / layout.FINAL)
    assert ask(verb, whole.path).stdout == ask(verb, run_of("iris").path).stdout


def test_a_run_without_a_model_says_what_to_do(ask: Ask, tmp_path: Path) -> None:
    run = runs.create(tmp_path, "begun", now=datetime(2026, 1, 2), record={"verb": "train"})
    assert ask("predict", run.path).stderr == (
        f"error: {run.path} is running and has no model yet; wait\n"
    )
    run.release()
    assert ask("predict", run.path).stderr == (
        f"error: {run.path} is crashed and has no model yet; `nnrun resume {run.path}` continues it\n"
    )


def test_of_a_stopped_run_the_model_is_the_one_of_that_moment(
    run_of: RunOf, ask: Ask, tmp_path: Path
) -> None:
    run = Run(shutil.copytree(run_of("iris").path, tmp_path / "stopped"))
    run.update(status=layout.INTERRUPTED)
    found = ask("predict", run.path)

    assert found.exit_code == 0
    assert found.stderr == (
        f"note: {run.path} was interrupted; its model is the one of that moment\n"
    )


def test_other_rows_than_the_run_was_tested_on_are_refused(
    run_of: RunOf, ask: Ask, tmp_path: Path
) -> None:
    run = Run(shutil.copytree(run_of("iris").path, tmp_path / "other"))
    run.update(data_digest="0" * 64)

    assert ask("evaluate", run.path).exit_code == 2
    assert ask("predict", run.path).stderr == (
        f"error: iris: its rows are not those that {run.path} was trained and tested on\n"
    )


REFUSED: dict[str, tuple[str, bytes, str]] = {
    "no picture": (
        "a.png",
        b"no picture",
        "a.png: is not a PNG, JPEG, BMP, GIF or WebP image, despite its name",
    ),
    "no archive": ("a.npz", b"PK", "a.npz: cannot be read: File is not a zip file"),
    "no such kind": (
        "a.tiff",
        b"",
        "a.tiff: the name must end in .bmp, .gif, .jpeg, .jpg, .png, .webp, .csv or .npz",
    ),
    "no rows": ("a.csv", b"", "a.csv: holds no rows"),
    "only a header": ("a.csv", b"a,b\n", "a.csv: holds no rows, only a header"),
    "other columns": (
        "a.csv",
        b"a,b\n1,2\n",
        "a.csv: has 2 columns, and the run takes rows of 784 numbers; labels belong in a column "
        "'digit'",
    ),
    "a short line": ("a.csv", b"a,b\n1\n", "a.csv:2: has 1 cells, and the header 2"),
    "a column twice": ("a.csv", b"a,a\n1,2\n", "a.csv: has two columns 'a'"),
    "no text": ("a.csv", b"a,b\n\xff,1\n", "a.csv:2: is not UTF-8 text"),
    "an open quote": ("a.csv", b'a,b\n"1,2\n', "a.csv:2: is not CSV: unexpected end of data"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_file_that_is_something_else_is_refused(
    what: str, run_of: RunOf, ask: Ask, tmp_path: Path
) -> None:
    name, content, reason = REFUSED[what]
    (tmp_path / name).write_bytes(content)
    found = ask("predict", run_of("mnist-5k").path, tmp_path / name)

    assert (found.exit_code, found.stdout) == (2, "")
    assert found.stderr == f"error: {tmp_path}/{reason}\n"


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["1", "2", "3", "four"], ":2: 'petal width (cm)' is 'four', and must be a number"),
        (["1", "2", "", "4"], ":2: 'petal length (cm)' is empty, and must be a number"),
        (["1", "nan", "3", "4"], ":2: 'sepal width (cm)' is 'nan', and must be a number"),
    ],
)
def test_a_cell_that_is_no_number_is_named(
    cells: list[str], reason: str, flowers: Dataset, run_of: RunOf, ask: Ask, tmp_path: Path
) -> None:
    path = table(tmp_path / "a.csv", [*flowers.features], [cells])

    assert ask("predict", run_of("iris").path, path).stderr == f"error: {path}{reason}\n"


def test_a_missing_column_and_a_strange_label_are_named(
    flowers: Dataset, run_of: RunOf, ask: Ask, tmp_path: Path
) -> None:
    run, path = run_of("iris").path, tmp_path / "a.csv"
    table(path, [*flowers.features[:3]], [[1, 2, 3]])
    missing = f"error: {path}: lacks the column 'petal width (cm)'\n"
    assert ask("predict", run, path).stderr == missing

    table(path, [*flowers.features, "species"], [[1, 2, 3, 4, "tulip"]])
    assert ask("predict", run, path).stderr == (
        f"error: {path}:2: 'tulip' is none of the classes: setosa, versicolor, virginica\n"
    )


ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "a pickle": (
        {"x": np.array([{}], dtype=object)},
        "cannot be read: it holds objects, which would be code",
    ),
    "no x": ({"a": np.zeros(2)}, "holds no array `x`, but a"),
    "another shape": (
        {"x": np.zeros((2, 3))},
        "x has the shape (2, 3), and must have (rows, 4)",
    ),
    "no numbers": ({"x": np.full((2, 4), "a")}, "x has values that are not finite numbers"),
    "NaN": ({"x": np.full((2, 4), np.nan)}, "x has values that are not finite numbers"),
    "too few labels": (
        {"x": np.zeros((2, 4)), "y": np.zeros(1)},
        "y has the shape (1,), and must have (2,)",
    ),
    "a label too high": (
        {"x": np.zeros((2, 4)), "y": np.array([0, 3])},
        "y holds other numbers than those of the classes, 0 to 2",
    ),
}


@pytest.mark.parametrize("what", ARRAYS)
def test_an_archive_of_other_arrays_is_refused(
    what: str, run_of: RunOf, ask: Ask, tmp_path: Path
) -> None:
    """And a pickle in it is never opened."""
    values, reason = ARRAYS[what]
    path = tmp_path / "a.npz"
    np.savez(path, **values)

    assert ask("predict", run_of("iris").path, path).stderr == f"error: {path}: {reason}\n"


def test_a_picture_that_would_fill_the_memory_is_refused(
    run_of: RunOf, ask: Ask, tmp_path: Path
) -> None:
    """It says its size before a pixel of it is unpacked."""
    path = tmp_path / "a.png"
    Image.new("1", (10, 10)).save(path)
    content = bytearray(path.read_bytes())
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    path.write_bytes(content)

    assert ask("predict", run_of("mnist-5k").path, path).stderr == (
        f"error: {path}: has more pixels than any camera's picture\n"
    )


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--rows", "0:2", "--text", "a"], "--rows and --text exclude each other"),
        (["--text-file", "a", "a.png"], "--text-file and files exclude each other"),
        (["--rows", "3:3"], "--rows '3:3': holds no row, as the first comes after the last"),
        (["--rows", "-1"], "--rows '-1': must look like 0:20, or 7 for one row"),
        (["--rows", "30"], "the test set ends with row 29"),
        (["--invert"], "--invert is for images, and no image is given"),
        (["--text", "a"], "RUN was trained on iris, which has no texts"),
        (["a.png"], "RUN was trained on iris, which has no pictures"),
        (
            ["a.csv", "b.csv"],
            "only images can be given as several files; give one file or folder",
        ),
        (["a.csv"], "a.csv: cannot be read: No such file or directory"),
    ],
    ids=str,
)
def test_a_question_that_makes_no_sense_is_refused(
    words: list[str], reason: str, run_of: RunOf, ask: Ask
) -> None:
    run = run_of("iris").path
    found = ask("predict", run, *words)

    assert (found.exit_code, found.stdout) == (2, "")
    assert found.stderr == f"error: {reason.replace('RUN', str(run))}\n"


def test_a_question_is_refused_before_tensorflow_is_loaded(
    run_of: RunOf, probed: Callable[..., tuple[Any, set[str]]], tmp_path: Path
) -> None:
    answer, loaded = probed("predict", run_of("mnist-5k").path, "--text", "a", cwd=tmp_path)

    assert (answer.returncode, loaded) == (2, set())


def test_an_answer_is_all_that_a_script_reads(
    run_of: RunOf, nnrun: Callable[..., Any], flowers: Dataset, tmp_path: Path
) -> None:
    """TensorFlow has messages for people, which nobody hears."""
    path = table(tmp_path / "a.csv", [*flowers.features], [[5.1, 3.5, 1.4, 0.2]])
    answer = nnrun("predict", run_of("iris").path, path, "--json")

    assert (answer.returncode, answer.stderr) == (0, "")
    assert json.loads(answer.stdout)["rows"][0]["prediction"] == "setosa"


@pytest.mark.parametrize("name", ["iris", "mnist-5k", "logits", "boston"])
def test_the_test_set_gives_the_metrics_of_the_run(name: str, run_of: RunOf, ask: Ask) -> None:
    run = run_of(name)
    found = json.loads(ask("evaluate", run.path, "--json").stdout)

    assert found["rows"] == run.record().rows["test"]
    assert found["metrics"] == pytest.approx(run.metrics().test, rel=1e-5)


@pytest.mark.usefixtures("full_data")
def test_texts_give_the_metrics_of_the_run(run_of: RunOf, ask: Ask) -> None:
    run = run_of("reuters")
    found = json.loads(ask("evaluate", run.path, "--json").stdout)

    assert found["metrics"] == pytest.approx(run.metrics().test, rel=1e-5)


def test_a_file_of_the_test_rows_gives_the_metrics_of_the_test_set(
    flowers: Dataset, run_of: RunOf, ask: Ask, tmp_path: Path
) -> None:
    """Classes by number or by name."""
    run, x, y = run_of("iris"), np.asarray(flowers.test.x), flowers.test.y
    expected = pytest.approx(run.metrics().test, rel=1e-4)
    files = [tmp_path / name for name in ("numbers.csv", "names.csv", "numbers.npz", "names.npz")]
    names = [flowers.classes[label] for label in y]
    header = [*flowers.features, "species"]
    for path, labels in zip(files[:2], (y.tolist(), names), strict=True):
        rows = [[*row, label] for row, label in zip(x.tolist(), labels, strict=True)]
        table(path, header, rows)
    np.savez(files[2], x=x, y=y[:, None])
    np.savez(files[3], x=x, y=np.array(names))
    for path in files:
        found = json.loads(ask("evaluate", run.path, path, "--json").stdout)

        assert (found["source"], found["rows"]) == (str(path), 30)
        assert found["metrics"] == expected


def test_rows_without_labels_cannot_be_judged(run_of: RunOf, ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.zeros((2, 4)))
    found = ask("evaluate", run_of("iris").path, path)

    assert found.exit_code == 2
    assert found.stderr == (
        f"error: {path}: the rows have no labels; a CSV file needs a column `species`, an npz "
        "file an array `y`, and images one folder per class\n"
    )


@pytest.mark.parametrize(
    "seeds", [range(40), pytest.param(range(40, 1000), marks=pytest.mark.slow)], ids=["some", "many"]
)  # fmt: skip
def test_a_preparation_that_no_run_writes_never_ends_in_a_traceback(
    seeds: range, run_of: RunOf, ask: Ask, flowers: Dataset, tmp_path: Path
) -> None:
    """Whoever sends a run can seal it too; it is refused in a sentence, or answers."""
    files = {"iris": tmp_path / "a.csv", "mnist-5k": tmp_path / "a.png"}
    table(files["iris"], [*flowers.features], [[1, 2, 3, 4]])
    Image.new("L", (9, 9)).save(files["mnist-5k"])
    for seed in seeds:
        rng = random.Random(seed)
        name = rng.choice([*files])
        run = Run(shutil.copytree(run_of(name).path, tmp_path / str(seed)))
        content = run.read_json(layout.PREPARATION)
        spoil(rng, content)
        run.write_json(layout.PREPARATION, content)
        found = ask("predict", run.path, files[name])

        assert (found.exit_code == 0) == bool(found.stdout), seed
        assert found.stderr.startswith("error: ") or found.exit_code == 0, seed


def spoil(rng: random.Random, tree: Any) -> None:
    """Replaces or removes a value somewhere in it."""
    odd = [None, True, -1, 2**40, 1e300, "", "x", [], {}, [None], [[1, 2]], "\x1b[31m", 0]
    places = [(tree, key) for key in tree]
    for holder, key in places:
        value = holder[key]
        # Of a long list of means the first few stand for all.
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
