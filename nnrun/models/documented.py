"""What the docstring of a Keras class says of its arguments: a sentence, types, choices.

Keras documents an argument as `units: Positive integer, dimensionality of the output space.`; the
words before the first full stop say what it may be. Where they leave a doubt, nothing is concluded.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Any

LONGEST = 200  # characters of a sentence that is shown in an editor
SAID = 160  # characters of a description in which types are looked for

_SECTION = re.compile(r"^(?:Args|Arguments):\n((?:[ \t]+.*\n|\s*\n)*)", re.MULTILINE)
_ARGUMENT = re.compile(r"\s*\*{0,2}(\w+)(?:, \w+)*\s*(?:\([^)]*\))?\s*:\s*(.*)", re.DOTALL)
_WORDS = {
    "integer": r"\b(?:integers?|ints?)\b",
    "number": r"\bfloats?\b|\bfloating.point\b|\bscalar\b",
    "boolean": r"\b(?:bool|boolean)\b|^\W*whether\b|(?:\bor|,)\s+`?(?:True|False)\b",
    "string": r"\b(?:[Ss]tring|str)\b",
    "array": r"\b(?:tuples?|lists?)\b",
    "object": r"\bdict(?:ionary)?\b",
    "null": r"\bNone\b",
}
_TYPES = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _WORDS.items()}
# What YAML cannot hold as it is, so that its form is anybody's guess.
_DOUBT = re.compile(
    r"\b(?:tensors?|arrays?|matrix|callable|functions?|instances?|object|objects|policy)\b",
    re.IGNORECASE,
)
_CHOICES = re.compile(
    r"(?:one of|either|values can be|options are|acceptable values are)[:\s]*"
    r"((?:[\s,{}`()]|or\b|and\b|None\b|default\b|\"[\w]*\"|'[\w]*')+)",
    re.IGNORECASE,
)
# Where a sentence ends: not behind an abbreviation.
_END = re.compile(r"(?<=[.;])(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\betc\.)(?<!\bal\.)\s|\s- ")
_QUOTED = re.compile(r"[\"'](\w+)[\"']")


def descriptions(classes: Sequence[type]) -> dict[str, str]:
    """What is said of each argument, by the first of some classes that says something."""
    found: dict[str, str] = {}
    for cls in classes:
        section = _SECTION.search(inspect.cleandoc(cls.__doc__ or "") + "\n")
        indented = inspect.cleandoc(section[1]) if section else ""
        for part in re.split(r"\n(?=\S)", indented):
            if described := _ARGUMENT.match(part):
                found.setdefault(described[1], " ".join(described[2].split()))
    return found


def sentence(text: str) -> str:
    """The first sentence, cut where it is long."""
    first = _END.split(text, maxsplit=1)[0].strip()
    return first if len(first) <= LONGEST else f"{first[: LONGEST - 1].rstrip()}…"


def opening(doc: str | None) -> str:
    """The first sentence of a docstring."""
    paragraph = inspect.cleandoc(doc or "").split("\n\n")[0]
    return _END.split(" ".join(paragraph.split()), maxsplit=1)[0]


def types(text: str, default: Any) -> list[str]:
    """JSON's words for what a value may be; none where that is not sure.

    Args:
        text: what is said of the argument.
        default: its default; `inspect.Parameter.empty` where it has none.

    Example:
        >>> types("Positive integer, dimensionality of the output space.", inspect.Parameter.empty)
        ['integer']
        >>> types("Optional tuple of floats.", None)
        ['number', 'array', 'null']
    """
    said, known = _QUOTED.sub("", text[:SAID]), _type(default)
    found = {name for name, pattern in _TYPES.items() if pattern.search(said)}
    if _DOUBT.search(said):
        # Of what is said only the default is sure.
        return [known] if known in ("boolean", "number") else []
    if known == "integer" and not found:
        known = "number"  # Where 0 is the default, a float may be as good a value.
    if known in ("boolean", "number") or (known and found - {"null"}) or choices(text, default):
        found |= {known or "string"}
    return [name for name in _TYPES if name in found] if found - {"null"} else []


def _type(default: Any) -> str | None:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", tuple: "array"}
    return "null" if default is None else names.get(type(default))


def choices(text: str, default: Any) -> list[str]:
    """The words among which a value is one; none where there is no such list.

    Example:
        >>> choices('string, either `"valid"` or `"same"` (case-insensitive).', "valid")
        ['valid', 'same']
    """
    listed = _CHOICES.search(text)
    words = list(dict.fromkeys(_QUOTED.findall(listed[1]))) if listed else []
    fits = not isinstance(default, str) or default in words
    return words if len(words) > 1 and fits else []
