"""`nnrun show`: one run and the meaning of its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nnrun.runs import Run, layout


def test_a_run_is_shown_with_metrics_seed_versions_and_files(
    here: Any, trained: tuple[Any, Path]
) -> None:
    run = Run(trained[1])
    answer = here("show", run.path)

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
