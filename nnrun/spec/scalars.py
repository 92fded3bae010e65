"""Plain words of YAML 1.2's core schema: what `true`, `10_000`, `1e-4` and `no` stand for."""

from __future__ import annotations

import re

Scalar = str | int | float | bool | None

_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# Written so that Python and ECMAScript, the dialect of JSON Schema, read them alike.
DECIMAL = "[-+]?[0-9]+(_[0-9]+)*"
BASED = "0(x[0-9a-fA-F]+|o[0-7]+)"
FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(_[0-9]+)*(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
_DECIMAL = re.compile(rf"{DECIMAL}\Z")
_BASED = re.compile(rf"{BASED}\Z")
_FLOAT = re.compile(rf"{FLOAT}\Z")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)\Z")
_NANS = frozenset((".nan", ".NaN", ".NAN"))

# Beyond this a number is a mistake, and reading it would cost quadratic time.
LONGEST_NUMBER = 400


def scalar(text: str) -> Scalar:
    """Reads one plain word.

    `no`, `on`, `1:30` and dates stay text, unlike in YAML 1.1; `1e-4` is a number.

    Example:
        >>> [scalar(text) for text in ("1e-4", "10_000", "no", "~")]
        [0.0001, 10000, 'no', None]
    """
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    return text if len(text) > LONGEST_NUMBER else _number(text)


def _number(text: str) -> str | int | float:
    if _DECIMAL.match(text):
        return int(text)
    if _BASED.match(text):
        return int(text, 0)
    if _FLOAT.match(text):
        return float(text)
    if _INFINITE.match(text):
        return float(text.replace(".", ""))
    return float("nan") if text in _NANS else text
