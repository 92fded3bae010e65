"""The workflows are ones that GitHub takes, and what they run is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click import Context
from typer.main import get_command

from nnrun.cli.app import VERBS, app

ROOT = Path(__file__).parents[1]
WORKFLOWS = [
    *sorted((ROOT / ".github" / "workflows").glob("*.yml")),
    ROOT / "docs/examples/workflow.yml",
]
every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def test_there_is_a_workflow_of_the_project() -> None:
    """A source distribution has it, too."""
    assert len(WORKFLOWS) > 1


@every_workflow
def test_a_workflow_is_one_that_github_takes(path: Path) -> None:
    """By the schema that check-jsonschema carries."""
    answer = subprocess.run(
        [
            sys.executable,
            "-m",
            "check_jsonschema",
            "--builtin-schema",
            "vendor.github-workflows",
            str(path),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 0, answer.stdout


@every_workflow
def test_what_a_workflow_runs_is_there(path: Path) -> None:
    """Verbs, their options, and targets of make."""
    command: Any = get_command(app)
    verbs = {verb: command.get_command(Context(command), verb) for verb in VERBS}
    text = path.read_text(encoding="utf-8")
    targets = re.findall(r"run: make ([\w-]+)", text)

    assert set(targets) <= set(
        re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    )
    for verb, rest in re.findall(r"run: nnrun (\w+) (.*)", text):
        known = {name for parameter in verbs[verb].params for name in parameter.opts}

        assert {word for word in rest.split() if word.startswith("--")} <= known
