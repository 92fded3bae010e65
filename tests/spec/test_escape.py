"""Foreign text is escaped for terminals, Markdown, JSON and spreadsheets."""

from __future__ import annotations

import json
import unicodedata

import pytest

from nnrun.spec.text import escape_cell, escape_json, escape_line, escape_markdown, escape_text

CONTROLS = [
    chr(code) for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)) if chr(code) not in "\n\t"
]
TURNING = [
    character
    for character in map(chr, range(0x2000, 0x2100))
    if unicodedata.bidirectional(character) in ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI")
    or unicodedata.name(character, "").endswith(("-TO-RIGHT MARK", "-TO-LEFT MARK"))
]  # fmt: skip
SURROGATES = ["\ud800", "\udcff"]
STEERING = [*CONTROLS, *TURNING, *SURROGATES, "\u2028", "\u2029", "\u061c"]


def test_each_control_character_becomes_one_printable_character() -> None:
    """One for one, so that widths measured before still hold."""
    for character in STEERING:
        shown = escape_text(f"a{character}b")
        assert len(shown) == 3
        assert shown[1] not in STEERING
        assert shown.isprintable()


@pytest.mark.parametrize("text", ["a\nb\tc", "größer", "漢字", "e\u0301", "😀", "שלום", "a\u200db"])
def test_ordinary_text_stays(text: str) -> None:
    assert escape_text(text) == text


@pytest.mark.parametrize("command", ["::error::x", "  ::set-output::x", "##[error]x"])
def test_no_line_is_a_command_of_github_actions(command: str) -> None:
    assert escape_text(f"a\nb\n{command}") == f"a\nb␊{command}"


def test_escaped_lines_have_no_line_ends() -> None:
    assert escape_line("a\n::error::b\tc") == "a␊::error::b c"


def test_json_keeps_every_character_and_has_none_of_them_raw() -> None:
    written = escape_json(json.dumps(STEERING, ensure_ascii=False))

    assert json.loads(written) == STEERING
    assert not set(STEERING) & set(written)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        ("<script>&amp;", "&lt;script>&amp;amp;"),
        ("![x](http://y)", r"!\[x\](http://y)"),
        ("`a` *b*", r"\`a\` \*b\*"),
        ("a\n# b", "a # b"),
        ("a\\|b", r"a\\\|b"),
    ],
)
def test_markdown_shows_text_literally(text: str, shown: str) -> None:
    assert escape_markdown(text) == shown


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+2", "@x", "\tx"])
def test_a_formula_is_quoted(text: str) -> None:
    assert escape_cell(text) == f"'{text}"


def test_another_cell_stays() -> None:
    assert escape_cell("Dense 16 = a") == "Dense 16 = a"
