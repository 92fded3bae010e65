"""`nnrun explain`: what a code means, why it is a fault, and how to mend it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nnrun.cli.app import app
from nnrun.spec.codes import Rule, all_rules

ALL = all_rules()
every_code = pytest.mark.parametrize("code", ALL)


def answer(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["explain", *arguments])


@every_code
def test_a_code_is_explained_with_its_rule_its_reason_and_its_remedy(code: str) -> None:
    said = " ".join(answer(code).output.split())
    rule = ALL[code]

    assert said.startswith(f"{code} {rule.rule} why: {rule.reason} ")
    assert f" fix: {rule.fix}" in said
    assert said.endswith(" ".join((rule.example or rule.fix).split()))


@pytest.mark.parametrize("word", ["NN104", "nn104", "Nn104", "104"])
def test_a_code_is_known_however_it_is_written(word: str) -> None:
    assert answer(word).output == answer("NN104").output


def test_a_symptom_is_printed_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = Rule("A rule.", reason="A reason.", fix="A fix.", symptom="The loss stands still.")
    monkeypatch.setitem(ALL, "NN299", rule)

    assert answer("NN299").output.splitlines() == [
        *("NN299  A rule.", ""),
        *("why: A reason.", ""),
        *("symptom: The loss stands still.", ""),
        "fix: A fix.",
    ]


def test_without_a_code_all_are_listed_on_a_line_each() -> None:
    lines = [f"{code}  {rule.rule}" for code, rule in ALL.items()]

    assert answer().output.splitlines() == lines


def test_json_holds_the_same() -> None:
    assert json.loads(answer("NN104", "nn001", "--json").stdout) == {
        "schema_version": 1,
        "codes": [{"code": code, **asdict(ALL[code])} for code in ("NN104", "NN001")],
    }
    assert [rule["code"] for rule in json.loads(answer("--json").stdout)["codes"]] == list(ALL)


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("NN1040", " did you mean 'NN104'?"),
        ("NNN104", " did you mean 'NN104'?"),
        ("x", ""),
    ],
)
def test_an_unknown_code_is_refused_with_the_nearest(word: str, hint: str) -> None:
    refusal = answer("NN101", word)

    assert refusal.exit_code == 2
    assert refusal.stdout == ""
    message = f"error: there is no code '{word}';{hint} `nnrun explain` lists all\n"
    assert refusal.stderr == message


def test_nothing_heavy_is_loaded_for_it(probed: Callable[..., Any], tmp_path: Path) -> None:
    told, loaded = probed("explain", "NN104", cwd=tmp_path)

    assert (told.returncode, loaded) == (0, set())
