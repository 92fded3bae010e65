"""What answers without training answers at once: nothing heavy is loaded for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nnrun.cli.app import VERBS
from nnrun.cli.data import app as data

COMMANDS = [
    *([verb] for verb in VERBS),
    *(["data", command.name or command.callback.__name__] for command in data.registered_commands),
]


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], *([*verb, "--help"] for verb in COMMANDS)]
)
def test_help_loads_nothing_heavy(
    arguments: list[str], probed: Callable[..., Any], tmp_path: Path
) -> None:
    answer, loaded = probed(*arguments, cwd=tmp_path, also="numpy nnrun.spec.experiment")

    assert (answer.returncode, loaded) == (0, set())


@pytest.mark.parametrize("verb", ["list", "show", "clean"])
@pytest.mark.parametrize("form", [[], ["--json"]], ids=["table", "json"])
def test_reading_runs_loads_nothing_heavy(
    verb: str,
    form: list[str],
    probed: Callable[..., Any],
    trained: tuple[Any, Path],
    tmp_path: Path,
) -> None:
    """A thousand runs are listed while Keras would still load, and one while NumPy would."""
    root = ["--runs", trained[1].parent]
    # To say which runs are the best, `clean` compares them.
    also = "" if verb == "clean" else "numpy nnrun.spec.experiment"
    of = {"list": root, "show": [trained[1]], "clean": ["--keep-best", 1, *root]}[verb]
    answer, loaded = probed(verb, *of, *form, cwd=tmp_path, also=also)

    assert (answer.returncode, loaded) == (0, set())


def test_the_schema_is_written_without_anything_heavy(
    probed: Callable[..., Any], tmp_path: Path
) -> None:
    """Names and arguments are in the catalogue; Keras itself is not asked."""
    answer, loaded = probed("schema", cwd=tmp_path)

    assert (answer.returncode, loaded) == (0, set())
