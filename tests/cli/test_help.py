"""Every verb has help with an example."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from nnrun import __version__
from nnrun.cli.app import VERBS, app
from nnrun.cli.data import app as data

DATA = [command.name or command.callback.__name__ for command in data.registered_commands]
COMMANDS = [*(verb for verb in VERBS if verb != "data"), *(f"data {name}" for name in DATA)]


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_has_a_sentence_and_an_example(verb: str) -> None:
    answer = CliRunner().invoke(app, [*verb.split(), "--help"])

    assert answer.exit_code == 0
    assert f"Example: nnrun {verb}" in answer.output or verb == "devices"
    assert "Example: nnrun " in answer.output
    # The result of `schema` is a JSON document.
    assert "--json" in answer.output or verb == "schema"


def test_help_names_every_verb() -> None:
    """No line is wrapped on a terminal of 80 columns."""
    lines = CliRunner().invoke(app, ["--help"]).output.splitlines()

    assert max(map(len, lines)) < 80
    assert all(f"  {verb:9} {summary}" in lines for verb, (_, summary) in VERBS.items())


@pytest.mark.parametrize("verb", VERBS)
def test_the_line_of_a_verb_is_the_first_sentence_of_its_help(verb: str) -> None:
    answer = CliRunner().invoke(app, [verb, "--help"])

    assert VERBS[verb][1] in " ".join(answer.output.split())


def test_an_unknown_verb_is_a_usage_error() -> None:
    assert CliRunner().invoke(app, ["trian"]).exit_code == 2


def test_the_version_is_the_packages() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"{__version__}\n"
