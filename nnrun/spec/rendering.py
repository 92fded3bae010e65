"""A fault as text: the place, the message, the line, and carets under the value."""

from __future__ import annotations

import unicodedata
from itertools import accumulate

from nnrun.errors import Fault, Place
from nnrun.spec.text import escape_unprintable

WIDEST = 100  # columns shown of a source line
LONGEST = 4 * WIDEST  # characters measured: a line may have a million
INDENT = "    "
TAB = "    "


def render(fault: Fault) -> str:
    """The fault as plain text without a newline at its end.

    Example:
        >>> print(render(Fault("NN104", "model[2]", "unknown layer 'Dens'", suggestion="Dense")))
        NN104 model[2]: unknown layer 'Dens'; did you mean 'Dense'?
    """
    place = fault.place
    where = f"{_safe(place.source)}:{place.line}:{place.column}: " if place else ""
    path = f" {_safe(fault.path)}" if fault.path else ""
    hint = f"; did you mean '{_safe(fault.suggestion)}'?" if fault.suggestion else ""
    level = "warning " if fault.is_warning else ""
    head = f"{where}{level}{fault.code}{path}: {_safe(fault.message)}{hint}"
    if place is None or not place.text.strip():
        return head
    line, caret = _excerpt(place)
    return f"{head}\n{INDENT}{line}\n{INDENT}{caret}"


def place_of(fault: Fault) -> dict[str, str | int | None]:
    """The place of a fault for JSON; lines and columns count from 1."""
    place = fault.place
    names = ("file", "line", "column", "end_column")
    if place is None:
        return dict.fromkeys(names)
    values = (place.source, place.line, place.column, place.column + place.length)
    return dict(zip(names, values, strict=True))


def _excerpt(place: Place) -> tuple[str, str]:
    """The line without its indentation, and carets under the value."""
    start = place.column - 1
    end = start + place.length
    before, meant, after = place.text[:start].lstrip(), place.text[start:end], place.text[end:]
    before, meant = _safe(before[-LONGEST:]), _safe(meant[:LONGEST])
    after = _safe(after.rstrip()[:LONGEST])
    room = WIDEST - min(_width(meant), WIDEST // 2)
    if _width(before) > room // 2 and _width(before + meant + after) > WIDEST:
        before = "…" + _head(before[::-1], room // 2)[::-1]
    caret = " " * _width(before) + "^" * max(min(_width(meant), WIDEST - _width(before)), 1)
    line = before + meant + after
    if _width(line) > WIDEST:
        line = _head(line, WIDEST) + "…"
    return line, caret


def _safe(text: str) -> str:
    return escape_unprintable(text.replace("\t", TAB))


def _width(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


def _head(text: str, width: int) -> str:
    return text[: sum(columns <= width for columns in accumulate(map(_width, text)))]
