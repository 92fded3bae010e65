"""Keras names whose arguments stand where they do not belong, and how to write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from nnrun.spec.words import LONGEST, listed

Known = Callable[[str], bool]

# Other programs' keys for what is called by its name here.
_TAGS = ("type", "name", "class_name", "class", "layer", "kind")
_CALL = re.compile(r"(?:\w+\.)*(\w+)(?:\((.*)\))?\Z")
_BETWEEN = re.compile(r",(?![^(\[]*[)\]])")  # commas that stand in no brackets
_SHORT = 3  # arguments that are repeated in a message


def advice(noun: str, value: dict[str, Any], known: Known) -> str | None:
    """What is wrong with a mapping of several keys where one name was wanted.

    Args:
        noun: what was wanted, such as `layer`.
        known: whether a word is one of those.
    """
    names = [key for key in value if known(key)]
    if len(names) > 1:
        return f"holds {listed(names, 'and')}, but one {noun} is wanted; put '- ' before each"
    if names:
        [name] = names
        rest = [key for key in value if key != name]
        return f"{listed(rest, 'and')} must stand below {name}: indent further"
    tags = (tag for tag in _TAGS if isinstance(value.get(tag), str) and known(value[tag]))
    if tag := next(tags, None):
        arguments = {key: each for key, each in value.items() if key != tag}
        text = written(value[tag], arguments)
        return f"must begin with the name of the {noun}: write '{text}'"
    return None


def written(name: str, arguments: dict[str, Any]) -> str:
    """A name with its arguments, long values left out."""
    if not arguments:
        return name
    plain = all(isinstance(each, (int, float, str)) for each in arguments.values())
    inner = ", ".join(f"{key}: {each}" for key, each in arguments.items())
    short = plain and len(arguments) <= _SHORT and len(inner) <= LONGEST
    return f"{name}: {{{inner if short else '…'}}}"


def called(text: str, known: Known, first: Callable[[str], str | None]) -> str | None:
    """A call or a name as in Python, written as in a spec.

    Args:
        known: whether a word is a name.
        first: what the first argument of a name is called.

    Example:
        >>> known, first = {"Dense": "units"}.__contains__, {"Dense": "units"}.get
        >>> called("Dense(16)", known, first), called("keras.layers.Dense", known, first)
        ('Dense: 16', 'Dense')
        >>> called("Dense(16, activation='relu')", known, first)
        'Dense: {units: 16, activation: relu}'
    """
    found = _CALL.match(text[:LONGEST])
    if found is None or not known(found[1]):
        return None
    name, inner = found[1], (found[2] or "").strip()
    parts = [_plain(part) for part in _BETWEEN.split(inner) if part.strip()]
    if not parts or (len(parts) == 1 and "=" not in inner):
        return f"{name}: {parts[0]}" if parts else name
    if "=" not in parts[0] and (own := first(name)):
        parts[0] = f"{own}={parts[0]}"
    if not all("=" in part for part in parts):
        return f"{name}: {{…}}"
    return f"{name}: {{{', '.join(re.sub(' *= *', ': ', part) for part in parts)}}}"


def _plain(part: str) -> str:
    """An argument without quotes, its brackets those of a list."""
    return part.strip().replace("'", "").replace('"', "").replace("(", "[").replace(")", "]")


def assigned(text: str, accepted: Iterable[str]) -> str | None:
    """An assignment as in Python, written as in a spec.

    Example:
        >>> assigned("units=16", ["units"])
        'units: 16'
    """
    key, equals, value = text.partition("=")
    return f"{key.strip()}: {value.strip()}" if equals and key.strip() in accepted else None


def arguments_as_list(value: Any, accepted: Iterable[str]) -> bool:
    """Whether a list holds nothing but arguments, each in a mapping of its own."""
    names = set(accepted)
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, dict) and each and set(each) <= names for each in value)
    )
