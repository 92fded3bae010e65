"""What foreign text becomes before a terminal, a page or a spreadsheet gets to see it."""

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


@pytest.mark.parametrize("character", STEERING, ids=ascii)
def test_what_could_steer_becomes_one_character_that_cannot(character: str) -> None:
    """One for one, so that nothing moves that was measured before."""
    shown = escape_text(f"a{character}b")

    assert len(shown) == 3
    assert shown[1] not in STEERING
    assert shown.isprintable()


@pytest.mark.parametrize("text", ["a\nb\tc", "größer", "漢字", "e\u0301", "😀", "שלום", "a\u200db"])
def test_what_people_write_stays(text: str) -> None:
    assert escape_text(text) == text


@pytest.mark.parametrize("command", ["::error::x", "  ::set-output::x", "##[error]x"])
def test_no_line_of_its_own_is_a_command(command: str) -> None:
    """GitHub Actions takes each line of a log for one that begins like this."""
    assert escape_text(f"a\nb\n{command}") == f"a\nb␊{command}"


def test_a_line_stays_one() -> None:
    """A name must not begin a line of its own, which could read like an answer of nnrun's."""
    assert escape_line("a\n::error::b\tc") == "a␊::error::b c"


@pytest.mark.parametrize("character", STEERING, ids=ascii)
def test_json_loses_nothing_and_holds_nothing_raw(character: str) -> None:
    written = escape_json(json.dumps([character], ensure_ascii=False))

    assert json.loads(written) == [character]
    assert character not in written


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
def test_markdown_shows_text_letter_by_letter(text: str, shown: str) -> None:
    assert escape_markdown(text) == shown


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+2", "@x", "\tx"])
def test_a_formula_is_quoted(text: str) -> None:
    """A spreadsheet would run it when somebody opens the comparison."""
    assert escape_cell(text) == f"'{text}"


def test_a_cell_that_is_no_formula_is_as_it_was() -> None:
    assert escape_cell("Dense 16 = a") == "Dense 16 = a"
