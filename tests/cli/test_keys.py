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


def test_a_part_is_a_table() -> None:
    lines = [line.rstrip() for line in answer("validation.holdout").stdout.splitlines()]

    assert lines == [
        "validation.holdout: One part of the training rows, never trained on.",
        "  size      whole number above 0, or number     needed  Rows, or a fraction of them.",
        "            above 0 and below 1",
        "  take      `first`, `last` or `random`         random  Which rows.",
        "  stratify  true or false                       false   Keep the proportions of the classes; "
        "with `take: random` only.",
        "",
    ]


def test_markdown_is_a_table_under_a_heading() -> None:
    assert answer("pad", "--markdown").stdout == (
        "### `pad`\n\n"
        "Cuts or fills each row of word indices to one length, as `keras.utils.pad_sequences` does."
        "\n\n| key | value | default | meaning |\n|---|---|---|---|\n"
        "| `maxlen` | whole number above 0 | needed | Length of every row. |\n"
        "| `padding` | `pre` or `post` | `pre` | Where short rows are filled. |\n"
        "| `truncating` | `pre` or `post` | `pre` | Where long rows are cut. |\n"
        "| `value` | whole number from 0 | `0` | What short rows are filled with. |\n\n"
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
