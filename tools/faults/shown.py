"""What a command shows of a run, beside what it shows of the same run intact."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from forkserver import Answer

MARKS = ("damaged", "skipped:", "error:", "cannot be read", "is gone")
"""Words that tell that a run is not to be trusted."""
_SIZES = re.compile(r"[\d.,]+ (bytes|[kMG]?B)\b")
_UNSAID = ("path", "bytes")
"""Places of a document that differ between copies."""


@dataclass(frozen=True)
class Shown:
    """What a command has printed, with the folder of all runs written as `ROOT`."""

    out: str
    err: str
    json: bool

    @classmethod
    def of(cls, answer: Answer, root: object, *, json: bool) -> Shown:
        """What was printed of the runs under a folder."""
        out, err = (text.replace(str(root), "ROOT") for text in (answer.out, answer.err))
        return cls(out, err, json)

    @property
    def is_marked(self) -> bool:
        """Whether it says of a run that it is not to be trusted, or leaves it out and says so."""
        return any(mark in text for mark in MARKS for text in (self.out, self.err))


def wrong(found: Shown, known: Shown) -> Iterator[str]:
    """What is shown of a changed run that is not so of the intact one, as sentences."""
    if found.json:
        yield from _wrong_leaves(found.out, known.out)
        return
    if more := sorted(_figures(found.out) - _figures(known.out)):
        yield f"shows {', '.join(more)} as right"


def _wrong_leaves(found: str, known: str) -> Iterator[str]:
    right = dict(leaves(json.loads(known)))
    for place, value in leaves(json.loads(found)):
        base = re.split(r"[.\[]", place)[-1]
        # What is not there, or is said not to be known, is not wrong.
        if base in _UNSAID or not _tells(base, value) or right.get(place) == value:
            continue
        yield f"shows {place} {value!r} as right, not {right.get(place)!r}"


def _tells(base: str, value: object) -> bool:
    """Whether it is a number, a word that holds one, or the status."""
    if isinstance(value, str):
        return base == "status" or bool(re.search(r"\d", value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _figures(text: str) -> set[str]:
    """All words with a digit in them."""
    words = re.split(r"[\s│┃┏┓┗┛━─]+", _SIZES.sub(" ", text))
    return {word for word in words if re.search(r"\d", word)}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every number, word and truth of a JSON document, each with its place."""
    match value:
        case dict():
            for key, item in value.items():
                yield from leaves(item, f"{path}.{key}")
        case list():
            for index, item in enumerate(value):
                yield from leaves(item, f"{path}[{index}]")
        case _:
            yield path.removeprefix("."), value
