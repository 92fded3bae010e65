"""`nnrun list` and `nnrun show`: all runs, and one run with the meaning of its files."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from nnrun import runs
from nnrun.runs import Run, cleaning, layout


def test_runs_are_listed_with_their_test_metrics(here: Any, trained: tuple[Any, Path]) -> None:
    path = trained[1]
    test = Run(path).metrics().test
    answer = here("list", "--runs", path.parent)

    assert (answer.returncode, answer.stderr) == (0, "")
    assert [cell.strip() for cell in answer.stdout.splitlines()[3].split("│")[1:-1]] == [
        *(path.name, "finished", "3", "3", f"{cleaning.disk_usage(path) / 1000:.1f} kB"),
        f"loss {test['loss']:.4f}  accuracy {test['accuracy']:.4f}",
    ]
    assert answer.stdout.splitlines()[-1] == f"1 run, {cleaning.disk_usage(path) / 1000:.1f} kB"


def test_json_has_every_run(here: Any, trained: tuple[Any, Path]) -> None:
    run, root = Run(trained[1]), trained[1].parent
    size = cleaning.disk_usage(run.path)
    metrics = run.read_json(layout.METRICS)
    entry = {"path": str(run.path), "name": "digits", "status": "finished", "metrics": metrics}
    answer = json.loads(here("list", "--json", env={"NNRUN_RUNS": str(root)}).stdout)

    assert answer == {"schema_version": 1, "runs": [entry | {"bytes": size}], "bytes": size}


def test_without_runs_there_is_a_note(here: Any, tmp_path: Path) -> None:
    """No folder is made."""
    answer = here("list", cwd=tmp_path)

    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "no runs in runs\n")
    assert list(tmp_path.iterdir()) == []


def test_without_runs_json_is_still_a_document(here: Any, tmp_path: Path) -> None:
    answer = here("list", "--json", cwd=tmp_path)

    assert json.loads(answer.stdout) == {"schema_version": 1, "runs": [], "bytes": 0}
    assert (answer.returncode, answer.stderr) == (0, "")


def test_the_option_overrides_the_environment(
    here: Any, trained: tuple[Any, Path], tmp_path: Path
) -> None:
    answer = here("list", "--runs", tmp_path, env={"NNRUN_RUNS": str(trained[1].parent)})

    assert answer.stdout == ""


def test_a_damaged_run_does_not_hide_the_others(here: Any, tmp_path: Path) -> None:
    runs.create(tmp_path, "good", now=datetime(2026, 1, 1), record={})
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text('{"sta')
    answer = here("list", "--runs", tmp_path)

    assert answer.returncode == 0
    assert "good" in answer.stdout
    assert "broken/run.json: cannot be read" in answer.stderr


def test_a_run_is_shown_with_metrics_seed_versions_and_files(
    here: Any, trained: tuple[Any, Path]
) -> None:
    run = Run(trained[1])
    answer = here("show", run.path, env={"COLUMNS": "200"})

    assert (answer.returncode, answer.stderr) == (0, "")
    assert f"{run.metrics().test['accuracy']:.4f}" in answer.stdout
    assert f"keras {run.record().versions['keras']}" in answer.stdout
    for name, meaning in layout.MEANING.items():
        assert f"│ {name}" in answer.stdout
        assert meaning in answer.stdout


def test_json_gives_the_run_and_its_record(here: Any, trained: tuple[Any, Path]) -> None:
    run = Run(trained[1])
    answer = here("show", run.path, "--json")

    assert json.loads(answer.stdout) == {
        "schema_version": 1,
        "path": str(run.path),
        "name": "digits",
        "status": "finished",
        "metrics": run.read_json(layout.METRICS),
        "record": run.read_json(layout.RUN),
    }


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["table", "json"])
def test_a_folder_without_a_run_is_an_error(form: list[str], here: Any, tmp_path: Path) -> None:
    answer = here("show", tmp_path, *form)

    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == f"error: {tmp_path} is no run: it has no run.json\n"
