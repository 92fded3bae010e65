"""`nnrun smoke`: several experiments in one process, with a result for each."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from nnrun.runs import Run, find, layout

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "configs").glob("*.yaml"))

IRIS = """\
name: {name}
dataset: {{name: iris}}
model: [Dense: {{units: 3, activation: softmax}}]
training:
  optimizer: {optimizer}
  loss: sparse_categorical_crossentropy
  metrics: [accuracy]
  epochs: 3
"""
LOST = "{SGD: {learning_rate: 1.0e+38}}"


@dataclass(frozen=True)
class Smoked:
    """The answer of the command, and a folder with its files."""

    answer: subprocess.CompletedProcess[str]
    folder: Path

    @property
    def rows(self) -> dict[str, list[str]]:
        """The cells of each row of the table, by the spec."""
        lines = [line for line in self.answer.stdout.splitlines() if line.startswith("│")]
        cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]
        return {Path(row[0]).stem: row[1:] for row in cells}


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One that passes without its `expect`, one that diverges, and three with errors."""
    folder = tmp_path_factory.mktemp("specs")
    texts = {
        "expects": IRIS.format(name="expects", optimizer="adam")
        + "expect: {test_accuracy: '>= 2'}\n",
        "lost": IRIS.format(name="lost", optimizer=LOST),
        "broken": IRIS.format(name="broken", optimizer="adamm").replace("units: 3", "unit: 3"),
        "misfit": IRIS.format(name="misfit", optimizer="adam").replace("units: 3", "units: 4"),
    }
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    return {name: folder / f"{name}.yaml" for name in (*texts, "nowhere")}


@pytest.fixture(scope="module")
def smoked(nnrun: Any, specs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Smoked:
    """All kinds of results, in one command with an empty cache."""
    folder = tmp_path_factory.mktemp("smoked")
    summary = folder / "summary.md"
    summary.write_text("Before.\n")
    answer = nnrun(
        *("smoke", *specs.values(), "boston", "imdb", "--synthetic"),
        *("--junit", folder / "junit.xml", "--keep", folder / "runs", "--set", "seed=5"),
        env={"KERAS_HOME": str(folder / "none"), "GITHUB_STEP_SUMMARY": str(summary)},
    )
    return Smoked(answer, folder)


def test_the_table_has_a_row_per_spec(smoked: Smoked) -> None:
    rows = {name: [data, result] for name, (data, _, result) in smoked.rows.items()}

    # The highest code: 1 for a failed run, 2 for a refused spec.
    assert smoked.answer.returncode == 2
    assert rows == {
        "expects": ["real rows", "passed, expect skipped"],
        "lost": ["real rows", "failed"],
        "broken": ["", "refused"],
        "misfit": ["", "refused"],
        "nowhere": ["", "refused"],
        "boston": ["real rows", "passed"],
        "imdb": ["synthetic rows", "passed"],
    }


def test_errors_are_below_the_table(smoked: Smoked, specs: dict[str, Path]) -> None:
    *reasons, last = smoked.answer.stdout.rpartition("┘\n")[2].splitlines()
    broken, problem, nowhere = (str(specs[name]) for name in ("broken", "misfit", "nowhere"))

    assert [reason.partition("NN")[0] for reason in reasons[1:-1]] == [
        f"{broken}:3:17: ",
        f"{broken}:5:14: ",
        f"{problem}:3:9: ",
    ]
    assert reasons[0].startswith(f"{specs['lost']}: the loss became ")
    assert reasons[-1].startswith(f"{nowhere}: NN001: there is no file ")
    assert re.fullmatch(r"3 of 7 passed in \d+\.\d s", last)


def test_stderr_has_the_faults_and_a_line_per_trial(smoked: Smoked, specs: dict[str, Path]) -> None:
    """Faults of the spec alone, and faults found with the data; no noise."""
    err = smoked.answer.stderr
    lines = [line for line in err.splitlines() if line.startswith(("passed", "failed"))]

    assert "did you mean 'units'?" in err
    assert "the model has 4 outputs, but iris has 3 classes: units must be 3" in err
    assert err.count("^^^") >= 2
    assert "Traceback" not in err
    assert [re.sub(r"\d+\.\d\d s$", "", line) for line in lines] == [
        f"passed, expect skipped  {specs['expects']}  real rows  ",
        f"failed  {specs['lost']}  real rows  ",
        "passed  boston  real rows  ",
        "passed  imdb  synthetic rows  ",
    ]
    assert not re.search("TensorFlow|rebuild|cuda|XLA", err, re.IGNORECASE)


def test_junit_and_the_summary_of_github_are_written(smoked: Smoked) -> None:
    root = ElementTree.parse(smoked.folder / "junit.xml").getroot()
    summary = (smoked.folder / "summary.md").read_text()
    kinds = {
        Path(case.attrib["name"]).stem: element.tag
        for case in root.iter("testcase")
        for element in case
        if element.tag != "system-out"
    }

    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("7", "1", "3")
    assert kinds == {"lost": "failure", "broken": "error", "misfit": "error", "nowhere": "error"}
    assert summary.startswith("Before.\n### nnrun smoke\n\n| spec | data | seconds | result |\n")
    assert "| imdb | synthetic rows | " in summary


def test_kept_runs_are_marked_as_smoke_tests(smoked: Smoked) -> None:
    runs = find(smoked.folder / "runs")
    records = {run.record().name: run.read_json(layout.RUN) for run in runs}

    assert {name: record["data"] for name, record in records.items()} == {
        **dict.fromkeys(("expects", "lost", "boston"), "real"),
        "imdb": "synthetic",
    }
    assert {record["verb"] for record in records.values()} == {"smoke"}
    assert {record["seed"] for record in records.values()} == {5}
    assert {len(run.history()) for run in runs} == {1}
    assert records["boston"]["fold"] == 1
    # Nothing is downloaded.
    assert not (smoked.folder / "none" / "datasets").exists()


@pytest.fixture(scope="module")
def answered(
    nnrun: Any, specs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Smoked:
    """One that passes and one without data, as JSON."""
    folder = tmp_path_factory.mktemp("answered")
    answer = nnrun(
        *("smoke", specs["expects"], "mnist", "--json"),
        env={"KERAS_HOME": str(folder / "none"), "TMPDIR": str(folder)},
    )
    return Smoked(answer, folder)


def test_json_has_an_entry_per_spec(answered: Smoked, specs: dict[str, Path]) -> None:
    document = json.loads(answered.answer.stdout)
    first, second = document["runs"]

    assert document["schema_version"] == 1
    assert {"path", "name", "status", "metrics", "spec", "data", "seconds", "skipped"} == {*first}
    assert (first["spec"], first["name"]) == (str(specs["expects"]), "expects")
    assert (first["status"], first["data"], first["path"]) == ("passed", "real", None)
    assert first["skipped"] == ["expect"]
    assert first["metrics"]["epochs"] == 1
    assert 0 < first["seconds"] < 300
    assert (second["status"], second["metrics"], second["data"]) == ("failed", {}, None)


def test_missing_data_fail_only_their_spec(answered: Smoked) -> None:
    """Temporary run folders are deleted."""
    error = json.loads(answered.answer.stdout)["runs"][1]["error"]

    assert answered.answer.returncode == 1
    assert error.startswith(f"mnist: {answered.folder / 'none' / 'datasets' / 'mnist.npz'} ")
    assert "--synthetic draws rows of the same shape instead" in error
    assert not list(answered.folder.glob("nnrun-*"))


def test_wrong_specs_are_refused_without_loading_tensorflow(
    probed: Any, specs: dict[str, Path], tmp_path: Path
) -> None:
    answer, loaded = probed("smoke", specs["broken"], cwd=tmp_path)

    assert (answer.returncode, loaded) == (2, set())
    assert answer.stdout.endswith(" s\n")
    assert "0 of 1 passed in " in answer.stdout


def test_an_unwritable_junit_file_is_an_error(
    nnrun: Any, specs: dict[str, Path], tmp_path: Path
) -> None:
    """The table is printed before."""
    path = tmp_path / "nowhere" / "junit.xml"
    answer = nnrun("smoke", specs["broken"], "--junit", path)

    assert "0 of 1 passed" in answer.stdout
    assert answer.stderr.endswith(f"error: {path}: cannot be written: No such file or directory\n")
    assert answer.returncode == 1


@pytest.mark.slow
def test_an_interrupt_reports_the_results_so_far(
    started: Any, wait_for: Any, tmp_path: Path
) -> None:
    specs = ["iris"] * 60
    process = started(
        *("smoke", *specs, "--keep", tmp_path / "runs", "--junit", tmp_path / "junit.xml")
    )
    wait_for(lambda: len(find(tmp_path / "runs")) > 1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=240)
    results = [line.split("│")[4].strip() for line in out.splitlines() if line.startswith("│")]
    skipped = ElementTree.parse(tmp_path / "junit.xml").getroot()[0].attrib["skipped"]

    assert process.returncode == 130
    assert "Traceback" not in err
    assert results[0] == "passed"
    assert results.count("interrupted") <= 1
    assert results[-1] == "not tried"
    assert len(results) == 60
    assert int(skipped) == 60 - results.count("passed")


@pytest.mark.slow
def test_every_shipped_spec_passes_without_data_or_network(nnrun: Any, tmp_path: Path) -> None:
    offline = {"https_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    answer = nnrun(
        *("smoke", *SPECS, "--synthetic", "--json"), env={"KERAS_HOME": str(tmp_path), **offline}
    )
    statuses = {run["name"]: run["status"] for run in json.loads(answer.stdout)["runs"]}

    assert statuses == {path.stem: "passed" for path in SPECS}
    assert answer.returncode == 0
    assert not (tmp_path / "datasets").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("full_data")
def test_every_shipped_spec_passes_on_real_rows(nnrun: Any, tmp_path: Path) -> None:
    answer = nnrun("smoke", *SPECS, "--json", "--keep", tmp_path)

    assert {run["data"] for run in json.loads(answer.stdout)["runs"]} == {"real"}
    assert answer.returncode == 0
    assert {Run(run.path).status() for run in find(tmp_path)} == {"finished"}
