"""What PyYAML's complaints mean, in plain words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from yaml import MarkedYAMLError

_TAB = "a tab stands where only spaces may; indent with spaces"
_SPACE = "a space of another kind (U+{:04X}) stands in the indentation; use plain spaces"
_INDENT = "the indentation does not fit the lines above"
_DEEP = "this line is indented further than the lines that it could belong to"
_SECOND = (
    "a second ':' in one line; put what comes after the first in {…}, or in quotes if it is text"
)
_GLUED = "a space is missing after the ':'"
TOO_DEEP = "far too many lists and mappings inside each other"
_NO_COLON = "a key needs a ':' after it"
# From what PyYAML says (in C, then in Python) to what a person should do.
_EXPLANATIONS = (
    ("did not find expected key", _INDENT),
    (
        "did not find expected '-' indicator",
        "the lines above are a list, so this line must begin with '- ', or be indented as it belongs",
    ),
    ("expected <block end>", _INDENT),
    ("expected <document start>", "holds several documents, or text after its end"),
    ("block sequence entries are not allowed", "a list must begin on a line of its own"),
    ("unknown escape character", "unknown escape after '\\' in double quotes; use single quotes"),
    (
        "comment or line break",
        "'>' and '|' begin a text of several lines; put what begins so in quotes",
    ),
    ("cannot start any token", "this character must be put in quotes"),
    ("exceeded maximum nesting depth", TOO_DEEP),
    ("undefined tag handle", "tags that begin with '!' are not used here"),
    ("expected node content", "a value is missing here, or a ',' is one too many"),
    ("expected alphabetic or numeric", "'*' and '&' need a name after them; or put it in quotes"),
)
# These are seen at the end of the text, but the culprit is where they began.
_UNCLOSED = (
    ("could not find expected ':'", _NO_COLON),
    ("unexpected end of stream", "a quoted text is not closed"),
    ("',' or ']'", "a list that begins with '[' is not closed, or a ',' is missing"),
    ("',' or '}'", "a mapping that begins with '{' is not closed, or a ',' is missing"),
)


# Ends of a value in quotes or brackets, and what may have been meant where text follows.
_CLOSED = {
    "'": "text stands after the closing '; inside of '…' write '' for an apostrophe",
    '"': 'text stands after the closing "; put all of it in quotes',
    "]": "text stands after the closing ]; it ends the list",
    "}": "text stands after the closing }; it ends the mapping",
}
_KEY = re.compile(r"[\s-]*[\w.-]+:(?=\S)")


def explain(error: MarkedYAMLError, lines: Sequence[str]) -> tuple[int, int, str]:
    """Where a text stops being YAML, counted from 0, and why."""
    problem = error.problem or error.context or "unreadable"
    for pattern, message in _UNCLOSED:
        if pattern in problem and error.context_mark:
            began = error.context_mark
            if message is _NO_COLON and (glued := _KEY.match(_line(lines, began.line))):
                return began.line, glued.end() - 1, _GLUED
            return began.line, began.column, message
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    if found := _indentation(lines, line, column):
        return found
    return line, column, _explained(problem, _line(lines, line), column)


def _explained(problem: str, text: str, column: int) -> str:
    before = text[:column].strip()
    if "mapping values are not allowed" in problem:
        return _SECOND if ": " in before else _DEEP
    if "did not find expected key" in problem and before[-1:] in _CLOSED:
        return _CLOSED[before[-1]]
    found = (message for pattern, message in _EXPLANATIONS if pattern in problem)
    return next(found, f"not YAML: {problem}")


def _line(lines: Sequence[str], number: int) -> str:
    return lines[number] if number < len(lines) else ""


def _indentation(lines: Sequence[str], line: int, column: int) -> tuple[int, int, str] | None:
    """A tab, or a space of another kind, that stands in the indentation or at the column."""
    for number in (line, line - 1):
        text = _line(lines, number) if number >= 0 else ""
        for at, character in enumerate(text[: len(text) - len(text.lstrip())]):
            if character == "\t":
                return number, at, _TAB
            if character != " ":
                return number, at, _SPACE.format(ord(character))
    return (line, column, _TAB) if _line(lines, line)[column : column + 1] == "\t" else None


def tag(name: str) -> str:
    """A tag as it was written."""
    return name.replace("tag:yaml.org,2002:", "!!")
