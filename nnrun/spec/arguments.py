"""What the value of a Keras argument may be, as far as the catalogue tells."""

from __future__ import annotations

import re
from typing import Any

from nnrun.spec.catalogue import Argument, Entry
from nnrun.spec.words import listed

# Arguments of layers that count something, wherever a layer requires them.
COUNTS = frozenset(
    ("units", "filters", "input_dim", "output_dim", "n", "num_heads", "key_dim", "times")
)
DROPPING = frozenset(
    (
        *("Dropout", "AlphaDropout", "GaussianDropout"),
        *("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
    )
)
# The words of JSON for types, as a person says them.
TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "a word",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}
# Keras takes `SAME` for `same`, as older programs write it.
ANY_CASE = frozenset(("padding",))
# Of which Keras takes the name of a file too, and reads it into the model.
READ = frozenset(("vocabulary",))
# What TensorFlow takes for a part of the name of an operation; a metric's name has a rule of its own.
NAME = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
NAMED = frozenset(("layers", "optimizers", "losses"))
# Has a number for a default and takes text such as '10,20' as well.
MIXED = frozenset(("profile_batch",))


def choices(argument: Argument) -> tuple[str, ...]:
    """The words among which a value is one, in every spelling that Keras takes."""
    if argument.name not in ANY_CASE:
        return argument.choices
    return (*argument.choices, *(choice.upper() for choice in argument.choices))


def may_be_null(argument: Argument) -> bool:
    """Whether nothing is a value, and not only a value that was forgotten."""
    if argument.required:
        return False
    known = argument.kind is None and bool(argument.types)
    return not known or argument.default is None or "null" in argument.types


def expected(kind: str, entry: Entry, argument: Argument, value: Any) -> str | None:
    """What an argument must be, if its value is sure to be something else."""
    given = _type(value)
    if kind == "layers" and argument.required and argument.name in COUNTS:
        return None if given == "integer" and value > 0 else "a whole number above 0"
    if entry.name in DROPPING and argument.name == "rate":
        right = given in ("integer", "number") and 0 <= value <= 1
        return None if right else "a number from 0 to 1"
    if argument.name in MIXED:
        return None
    if kind == "callbacks" and argument.name == "monitor":
        return None if given == "string" else "a word"
    if kind in NAMED and argument.name == "name" and not argument.choices:
        right = given == "string" and re.match(NAME, value) and not value.endswith("\n")
        return (
            None if right else "1 to 100 letters, digits, '_', '-' or '.', a letter or digit first"
        )
    if argument.choices and given == "string":
        return None if value in choices(argument) else listed(argument.choices, "or")
    if given == "number" and value != value:  # noqa: PLR0124 - NaN, with which nothing can be done
        return _described(argument) if argument.types else None
    return None if _fits(given, argument.types) else _described(argument)


def _type(value: Any) -> str:
    """JSON's word for what a value is."""
    types = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return "null" if value is None else types.get(type(value), "object")


def _fits(given: str, types: tuple[str, ...]) -> bool:
    return not types or given in types or (given == "integer" and "number" in types)


def _described(argument: Argument) -> str:
    """The types of an argument in words, such as `a whole number or a list`."""
    said = [word for name, word in TYPES.items() if name in argument.types]
    if "number" in argument.types and "integer" in argument.types:
        said.remove(TYPES["integer"])
    if argument.choices and TYPES["string"] in said:
        said[said.index(TYPES["string"])] = ", ".join(argument.choices)
    return listed(said, "or")
