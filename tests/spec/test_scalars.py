"""Plain words follow YAML 1.2, so that `no` is a word and `1e-4` a number."""

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
    ],
)
def test_a_word_stands_for_a_value(text, value):
    found = scalar(text)

    assert (type(found), found) == (type(value), value)


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
    """YAML 1.1 made a truth value of `no` and a number of `1:30`."""
    assert scalar(text) == text


def test_nan_is_a_float():
    value = scalar(".nan")

    assert isinstance(value, float)
    assert math.isnan(value)


def test_an_absurdly_long_number_stays_text():
    """Python refuses to read 5,000 digits, and nobody means them."""
    assert scalar("9" * 5000) == "9" * 5000


@pytest.mark.parametrize("text", ["'5'", '"5"', "'true'", '"~"', "|-\n  5", "''"])
def test_quoted_words_are_text(text):
    document = source.read(f"a: {text}", source="x.yaml")

    assert isinstance(document.root.plain()["a"], str)
