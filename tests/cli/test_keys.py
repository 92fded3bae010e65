"""`nnrun keys`: what may stand in a spec, in a terminal, in Markdown and in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nnrun.cli.app import app
from nnrun.spec import keys
from nnrun.spec.keras_names import NOUNS


def answer(*arguments: str) -> Any:
    return CliRunner(env={"COLUMNS": "120"}).invoke(app, ["keys", *arguments])


def test_without_a_word_every_key_is_listed() -> None:
    said = answer().stdout

    for section in keys.everything():
        assert f"{section.title}" in said
        assert all(f"\n  {key.name}" in said for key in section.keys)


def test_a_section_is_a_table() -> None:
    lines = [line.rstrip() for line in answer("validation.holdout").stdout.splitlines()]
    [section] = keys.look_up("validation.holdout")
    size, take, stratify = (key.meaning for key in section.keys)

    assert lines == [
        f"validation.holdout: {section.meaning}",
        f"  size      whole number above 0, or number     needed  {size}",
        "            above 0 and below 1",
        f"  take      `first`, `last` or `random`         random  {take}",
        f"  stratify  true or false                       false   {stratify}",
        "",
    ]


def test_markdown_is_a_table_below_a_heading() -> None:
    [section] = keys.look_up("pad")
    maxlen, padding, truncating, value = (key.meaning for key in section.keys)

    assert answer("pad", "--markdown").stdout == (
        f"### `pad`\n\n{section.meaning}\n\n"
        "| key | value | default | meaning |\n|---|---|---|---|\n"
        f"| `maxlen` | whole number above 0 | needed | {maxlen} |\n"
        f"| `padding` | `pre` or `post` | `pre` | {padding} |\n"
        f"| `truncating` | `pre` or `post` | `pre` | {truncating} |\n"
        f"| `value` | whole number from 0 | `0` | {value} |\n\n"
    )


def test_a_bar_in_a_sentence_does_not_end_a_cell() -> None:
    """Keras writes some formulas with it."""
    for kind in NOUNS:
        rows = [line for line in answer(kind, "--markdown").stdout.splitlines() if line[:1] == "|"]

        assert all(row.replace("\\|", "").count("|") == 3 for row in rows)


@pytest.mark.parametrize("words", [[], ["training"], ["layers"], ["Dense", "mse"]], ids=str)
def test_json_holds_the_same(words: list[str]) -> None:
    sections = [each for word in words for each in keys.look_up(word)] or keys.everything()

    assert json.loads(answer(*words, "--json").stdout) == {
        "schema_version": 1,
        "sections": [json.loads(json.dumps(asdict(section))) for section in sections],
    }


def test_an_unknown_word_is_a_usage_error() -> None:
    refusal = answer("training", "Dens")

    assert (refusal.exit_code, refusal.stdout) == (2, "")
    assert refusal.stderr == "error: there is no key or name 'Dens'; did you mean 'Dense'?\n"


@pytest.mark.parametrize("word", ["training", "layers", "Dense"])
def test_nothing_heavy_is_loaded_for_it(
    word: str, probed: Callable[..., Any], tmp_path: Path
) -> None:
    told, loaded = probed("keys", word, cwd=tmp_path)

    assert (told.returncode, loaded) == (0, set())
