"""How values and lists are put into sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnrun.spec.suggest import FEW, few

LONGEST = 60  # characters of a value that a message repeats


def shown(value: Any) -> str:
    """A value as the person wrote it, more or less.

    Example:
        >>> [shown(value) for value in (True, None, "ten", [1, 2])]
        ['true', 'nothing', "'ten'", 'a list']
    """
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            return "a list"
        case dict():
            return "a mapping"
        case str():
            return _cut(_quoted(value))
    return _cut(str(value))


def _quoted(text: str) -> str:
    printable = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return f"'{printable}'"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def listed(words: Sequence[str], conjunction: str) -> str:
    """Words with commas and a conjunction before the last.

    Example:
        >>> listed(["first", "last", "random"], "or")
        'first, last or random'
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"


def offered(word: Any, names: Sequence[str], part: str) -> str:
    """The few names that are most like a word, and how to see the others.

    Args:
        part: what `nnrun keys` has to be asked for; empty for all of it.

    Example:
        >>> offered("x", ["first", "last", "random"], "validation.holdout")
        'first, last and random'
    """
    command = f"nnrun keys {part}".strip()
    return nearby(word, names, f"see '{command}'")


def nearby(word: Any, names: Sequence[str], more: str) -> str:
    """The few names that are most like a word.

    Args:
        more: where the others can be seen, if there are any.
    """
    if len(names) <= FEW + 1:
        return listed(names, "and")
    return f"{', '.join(few(str(word), names))} and {len(names) - FEW} more ({more})"


def article(noun: str) -> str:
    """A noun with its indefinite article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
