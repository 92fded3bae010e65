"""What a person most likely meant by a value of another type."""

from __future__ import annotations

import re
from typing import Any

from nnrun.spec.scalars import scalar

LIST, MAPPING, NUMBER, TRUTH, WHOLE = (
    *("a list", "a mapping", "a number", "true or false", "a whole number"),
)
_TRUE, _FALSE = frozenset(("yes", "on", "y")), frozenset(("no", "off", "n"))
_THOUSANDS = re.compile(r"\d{1,3}([ ,']\d{3})+\Z", re.ASCII)
_PERCENT = re.compile(r"(\d{1,3}(\.\d+)?) ?%\Z", re.ASCII)
_QUOTIENT = re.compile(r"(\d{1,6}\.?\d{0,6}) ?/ ?(\d{1,6}\.?\d{0,6})\Z", re.ASCII)
_COMMA = re.compile(r"(\d{1,9}),(\d{1,9})\Z", re.ASCII)
_TUPLE = re.compile(r"\(([^()\[\]{}]{0,80})\)\Z", re.ASCII)
_WORD = re.compile(r"[\w./-]{1,40}\Z")


def hint(value: Any, wanted: str) -> str:
    """How to make of the value what was wanted; begins with a semicolon, or is empty.

    Example:
        >>> hint("20", WHOLE), hint("twenty", WHOLE)
        ('; leave out the quotes', '')
    """
    match value:
        case str() if wanted in (NUMBER, TRUTH, WHOLE) and _is(scalar(value), wanted):
            return "; leave out the quotes"
        case list() if wanted == MAPPING and value and all(isinstance(v, dict) for v in value):
            return "; leave out the '-' before each key"
    return ""


def suggestion(value: Any, wanted: str) -> str | None:
    """What to write instead.

    Example:
        >>> suggestion("no", TRUTH), suggestion("10,000", WHOLE), suggestion("20%", NUMBER)
        ('false', '10000', '0.2')
    """
    if not isinstance(value, str):
        return None
    if wanted == TRUTH:
        word = value.lower()
        return "true" if word in _TRUE else "false" if word in _FALSE else None
    if wanted == LIST and _WORD.match(value):
        return f"[{value}]"
    if wanted == NUMBER and (found := _QUOTIENT.match(value)) and float(found[2]):
        return f"{float(found[1]) / float(found[2]):.6g}"
    if wanted in (NUMBER, WHOLE) and _THOUSANDS.match(value):
        return re.sub("[ ,']", "", value)
    return _fraction(value) if wanted == NUMBER else None


def as_list(value: Any) -> str | None:
    """A tuple of Python's as YAML writes a list.

    Example:
        >>> as_list("(3, 3)"), as_list("three")
        ('[3, 3]', None)
    """
    found = _TUPLE.match(value) if isinstance(value, str) else None
    return f"[{found[1].strip().rstrip(',')}]" if found else None


def _fraction(text: str) -> str | None:
    if found := _PERCENT.match(text):
        return f"{float(found[1]) / 100:g}"
    found = _COMMA.match(text)
    return f"{found[1]}.{found[2]}" if found else None


def _is(value: Any, wanted: str) -> bool:
    types = {TRUTH: (bool,), WHOLE: (int,), NUMBER: (int, float)}[wanted]
    return isinstance(value, types) and (wanted == TRUTH or not isinstance(value, bool))
