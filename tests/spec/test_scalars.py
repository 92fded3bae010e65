"""Plain words follow YAML 1.2: `no` is text and `1e-4` is a number."""

import math

import pytest

from nnrun.spec import source
from nnrun.spec.tree import scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-12", -12),
        ("+3", 3),
        ("007", 7),
        ("10_000", 10000),
        ("0xff", 255),
        ("0o17", 15),
        ("1.5", 1.5),
        (".5", 0.5),
        ("2.", 2.0),
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        ("1.0e+3", 1000.0),
        ("1_000.5", 1000.5),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        (".nan", math.nan),
    ],
)
def test_a_word_becomes_a_value(text, value):
    assert repr(scalar(text)) == repr(value)


@pytest.mark.parametrize(
    "text",
    [
        *("no", "on", "yes", "off", "y", "n", "NO", "tRUE", "1:30"),
        *("2020-01-01", "1__0", "_1", "1_", "0x", "0o8", "0xg", "1e", "1e-"),
        *("e5", ".", ".e3", "-", "+", "--", "inf", "nan", "Infinity"),
        *("1.2.3", "1,000", "١٢", "½", "0b11", "=", "<<"),
    ],
)
def test_anything_else_stays_text(text):
    """YAML 1.1 reads `no` as false and `1:30` as a number."""
    assert scalar(text) == text


def test_a_very_long_number_stays_text():
    """Python refuses to parse 5,000 digits."""
    assert scalar("9" * 5000) == "9" * 5000


@pytest.mark.parametrize("text", ["'5'", '"5"', "'true'", '"~"', "|-\n  5", "''"])
def test_quoted_words_are_text(text):
    document = source.read(f"a: {text}", source="x.yaml")

    assert isinstance(document.root.plain()["a"], str)
