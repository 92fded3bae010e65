"""Every verb explains itself and gives an example."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from nnrun import __version__
from nnrun.cli.main import app

GROUPS = {str(group.name): group.typer_instance for group in app.registered_groups}
VERBS = [
    *(str(command.name) for command in app.registered_commands),
    *(
        f"{name} {command.name}"
        for name, group in GROUPS.items()
        if group
        for command in group.registered_commands
    ),
]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_sentence_and_an_example(verb: str) -> None:
    answer = CliRunner().invoke(app, [*verb.split(), "--help"])

    assert answer.exit_code == 0
    assert f"Example: nnrun {verb}" in answer.output or verb == "devices"
    assert "Example: nnrun " in answer.output
    # The one verb whose answer is a document anyway.
    assert "--json" in answer.output or verb == "schema"


def test_help_names_every_verb() -> None:
    answer = CliRunner().invoke(app, ["--help"])

    assert all(f"\n  {verb} " in answer.output for verb in {verb.split()[0] for verb in VERBS})


def test_an_unknown_verb_is_a_usage_error() -> None:
    assert CliRunner().invoke(app, ["trian"]).exit_code == 2


def test_the_version_is_the_packages() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"{__version__}\n"
