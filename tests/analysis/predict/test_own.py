"""A run on a person's own data answers for files of theirs, and needs none that it learnt from."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from nnrun.cli import specs
from nnrun.data.splits import draw
from nnrun.runs import Run
from nnrun.spec.loading import load

OWN = specs.shipped_folder() / "own"
# By the shipped spec: its data, and how many epochs are enough here.
SPECS = {"cars": ("cars.csv", 3), "functions": ("functions.csv", 12), "arrays": ("digits.npz", 5)}


@pytest.fixture(scope="module")
def trained(ask, tmp_path_factory):
    """The run of a shipped spec for own data, whose data are gone by now."""
    known = {}

    def run(name: str) -> Run:
        if name not in known:
            file, epochs = SPECS[name]
            folder = tmp_path_factory.mktemp(name)
            (folder / "data").mkdir()
            shutil.copy(OWN / "data" / file, folder / "data")
            shutil.copy(OWN / f"{name}.yaml", folder)
            short = ("--set", f"training.epochs={epochs}", "--set", "expect={}")
            found = ask("train", folder / f"{name}.yaml", *short, "--runs", folder / "runs")
            assert found.exit_code == 0, found.stderr
            shutil.rmtree(folder / "data")
            known[name] = Run(next((folder / "runs").iterdir()))
        return known[name]

    return run


def cars() -> list[dict[str, str]]:
    with (OWN / "data" / "cars.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def written(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_table_is_answered_column_by_column_whatever_their_order(
    trained, answers, tmp_path
) -> None:
    """The columns are found by name, words among them; what is not needed is not looked at."""
    rows = cars()[:5]
    turned = [{**dict(reversed(row.items())), "note": "x"} for row in rows]
    for row in turned:
        del row["mpg"]
    one = answers(trained("cars").path, written(tmp_path / "as-is.csv", rows))
    other = answers(trained("cars").path, written(tmp_path / "turned.csv", turned))

    assert [row["prediction"] for row in one] == [row["prediction"] for row in other]
    assert [row["label"] for row in one] == [float(row["mpg"]) for row in rows]


def test_a_table_of_the_test_rows_is_judged_as_the_test_set_was(trained, ask, tmp_path) -> None:
    run, rows = trained("cars"), cars()
    y = np.array([float(row["mpg"]) for row in rows])
    _, test = draw(np.arange(len(rows)), y, load(OWN / "cars.yaml").experiment.dataset, classes=())
    held = written(tmp_path / "test.csv", [rows[row] for row in np.asarray(test.x)])
    answer = ask("evaluate", run.path, held, "--json")

    assert json.loads(answer.stdout)["metrics"] == pytest.approx(run.metrics().test, rel=1e-5)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"origin": "mars"}, "'mars'"),
        ({"weight": ""}, "'weight'"),
        ({"weight": "heavy"}, "'heavy'"),
    ],
)
def test_a_cell_that_cannot_be_is_named_with_its_line(change, told, trained, ask, tmp_path) -> None:
    rows = cars()[:3]
    rows[1] = {**rows[1], **change}
    refusal = ask("predict", trained("cars").path, written(tmp_path / "odd.csv", rows))

    assert refusal.exit_code == 2
    assert "odd.csv:3:" in refusal.stderr
    assert told in refusal.stderr


def test_sentences_are_answered_with_the_words_of_the_rows_that_trained(
    trained, answers, ask, tmp_path
) -> None:
    """At the terminal, from a file a line each, and from a table with labels."""
    texts = ["Compute the inverse Fourier transform of an image.", "A normal continuous variable."]
    run = trained("functions")
    (tmp_path / "lines.txt").write_text("\n".join(texts), "utf-8")
    typed = answers(run.path, "--text", texts[0], "--text", texts[1])
    from_file = answers(run.path, "--text-file", tmp_path / "lines.txt")
    rows = [{"text": text, "module": "stats"} for text in texts]
    table = answers(run.path, written(tmp_path / "said.csv", rows))

    assert [row["prediction"] for row in typed] == [row["prediction"] for row in from_file]
    assert [row["prediction"] for row in typed] == [row["prediction"] for row in table]
    assert [row["label"] for row in table] == ["stats", "stats"]
    assert typed[1]["prediction"] == "stats"


def test_all_texts_are_judged_from_a_table(trained, ask) -> None:
    run = trained("functions")
    answer = ask("evaluate", run.path, OWN / "data" / "functions.csv", "--json")

    assert json.loads(answer.stdout)["rows"] == 995
    assert json.loads(answer.stdout)["metrics"]["accuracy"] > 0.5


def test_arrays_are_answered_from_an_archive(trained, answers, tmp_path) -> None:
    with np.load(OWN / "data" / "digits.npz") as found:
        np.savez(tmp_path / "some.npz", x=found["x_test"][:4], y=found["y_test"][:4])
    rows = answers(trained("arrays").path, tmp_path / "some.npz")
    with np.load(trained("arrays").path / "predictions.npz") as kept:
        expected = kept["output"][:4]

    assert len(rows) == 4
    for row, output in zip(rows, expected, strict=True):
        assert list(row["probabilities"].values()) == pytest.approx(output.tolist(), abs=1e-6)


def test_a_file_is_read_as_the_training_file_was(ask, answers, tmp_path) -> None:
    """Its separator, truth values however they are written, a column without a name, spaces."""
    rows = [f"{row};{'true' if row % 2 else 'FALSE'}; kg;{row % 2 == 0}" for row in range(40)]
    (tmp_path / "t.csv").write_text("\n".join([";odd; unit;even", *rows, ""]), "utf-8")
    assert ask("new", tmp_path / "t", "--from", tmp_path / "t.csv").exit_code == 0
    text = (tmp_path / "t.yaml").read_text("utf-8")
    features = "features: ['Unnamed: 0', odd, ' unit']"
    wanted = [features if "features:" in line else line.strip() for line in text.splitlines()]
    assert features in wanted
    short = ("--set", f"dataset.{features.replace(': ', '=', 1)}", "--set", "training.epochs=2")
    found = ask("train", tmp_path / "t.yaml", *short, "--runs", tmp_path / "runs")
    assert found.exit_code == 0, found.stderr
    told = answers(next((tmp_path / "runs").iterdir()), tmp_path / "t.csv")

    assert [row["label"] for row in told[:3]] == ["True", "False", "True"]


def test_texts_stand_in_the_column_that_the_spec_names(ask, answers, tmp_path) -> None:
    rows = "".join(f'"so it is, {row}",{"no" if row % 2 else "yes"}\n' for row in range(40))
    (tmp_path / "said.csv").write_text(f"sentence,verdict\n{rows}", "utf-8")
    assert ask("new", tmp_path / "said", "--from", tmp_path / "said.csv").exit_code == 0
    short = ("--set", "training.epochs=2", "--runs", tmp_path / "runs")
    assert ask("train", tmp_path / "said.yaml", *short).exit_code == 0
    told = answers(next((tmp_path / "runs").iterdir()), tmp_path / "said.csv")

    assert [row["label"] for row in told[:2]] == ["yes", "no"]
