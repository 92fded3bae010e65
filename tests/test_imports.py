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


LIGHT = """\
list --runs ROOT
list --json --runs ROOT
show RUN
show RUN --json
clean --keep-best 1 --runs ROOT
clean --keep-best 1 --json --runs ROOT
compare --runs ROOT
check digits
new mine --from mnist_5k
schema
keys training
keys layers
keys Dense
explain NN104
data list"""


@pytest.mark.parametrize("command", LIGHT.splitlines())
def test_what_trains_nothing_loads_nothing_heavy(
    command: str, probed: Callable[..., Any], trained: tuple[Any, Path], tmp_path: Path
) -> None:
    """A thousand runs are listed while Keras would still load, and one while NumPy would."""
    places = {"ROOT": str(trained[1].parent), "RUN": str(trained[1])}
    words = [places.get(word, word) for word in command.split()]
    also = "numpy nnrun.spec.experiment" if words[0] in ("list", "show") else ""
    answer, loaded = probed(*words, cwd=tmp_path, also=also)

    assert (answer.returncode, loaded) == (0, set())
