"""`expect`: required results of a run; otherwise its command ends with exit code 3."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer
from pydantic_core import PydanticCustomError

from nnrun.spec.tree import scalar

EXAMPLE = "'>= 0.85' or '0.8 to 0.9'"
_COMPARE = {">=": ge, "<=": le, "==": eq, ">": gt, "<": lt}
_COMPARISON = re.compile(r"\s*(>=|<=|==|>|<)\s*(\S.*?)\s*\Z")
_RANGE = re.compile(r"\s*(\S.*?)\s+to\s+(\S.*?)\s*\Z")
_UNITS = {"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9}
_NUMBER = re.compile(r"(.*?)\s*([a-z]{0,2})\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Gate:
    """A condition on a number: comparisons, each an operator and a number, that must all hold."""

    text: str
    conditions: tuple[tuple[str, float], ...]

    def holds(self, value: float) -> bool:
        """Whether a number meets the condition; NaN never does."""
        return all(_COMPARE[sign](value, limit) for sign, limit in self.conditions)


def parse_gate(value: object) -> Gate:
    """Parses a condition, or raises a ValueError.

    A number alone means equality. Sizes can have a unit: `kB`, `MB` or `GB`.

    Example:
        >>> parse_gate("0.8 to 0.9").holds(0.85), parse_gate("<= 2 MB").holds(2_100_000)
        (True, False)
    """
    text = "" if isinstance(value, bool) else str(value).strip()
    if match := _COMPARISON.match(text):
        return Gate(text, ((match[1], _number(match[2])),))
    if match := _RANGE.match(text):
        low, high = _number(match[1]), _number(match[2])
        if low > high:
            raise ValueError(value)
        return Gate(text, ((">=", low), ("<=", high)))
    return Gate(text, (("==", _number(text)),))


def _number(text: str) -> float:
    match = _NUMBER.match(text)
    number, unit = (scalar(match[1]), _UNITS.get(match[2].lower())) if match else (None, None)
    if unit is None or number is None or isinstance(number, (bool, str)) or math.isnan(number):
        raise ValueError(text)
    return number * unit


def _parsed(value: object) -> Gate:
    try:
        return value if isinstance(value, Gate) else parse_gate(value)
    except (ValueError, OverflowError):
        raise PydanticCustomError("gate", "no condition") from None


Condition = Annotated[
    Gate,
    BeforeValidator(_parsed, json_schema_input_type=str | float),
    PlainSerializer(lambda gate: gate.text, return_type=str),
]
"""A comparison such as `>= 0.85`, a range such as `0.8 to 0.9`, or an exact number."""
