"""What PyYAML's complaints mean, in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from yaml import MarkedYAMLError

_TAB = "a tab stands where only spaces may; indent with spaces"
_INDENT = "the indentation does not fit the lines above"
# From what PyYAML says (in C, then in Python) to what a person should do.
_EXPLANATIONS = (
    (
        "mapping values are not allowed",
        "this ':' cannot stand here; quote the text, or mend the indentation",
    ),
    ("did not find expected key", _INDENT),
    ("did not find expected '-' indicator", _INDENT),
    ("expected <block end>", _INDENT),
    ("expected <document start>", "holds several documents, or text after its end"),
    ("block sequence entries are not allowed", "a list must begin on a line of its own"),
    ("unknown escape character", "unknown escape after '\\' in double quotes; use single quotes"),
    (
        "comment or line break",
        "'>' and '|' begin a text of several lines; put what begins so in quotes",
    ),
    ("cannot start any token", "this character must be put in quotes"),
    ("undefined tag handle", "tags that begin with '!' are not used here"),
    ("expected alphabetic or numeric", "'*' and '&' need a name after them; or put it in quotes"),
)
# These are seen at the end of the text, but the culprit is where they began.
_UNCLOSED = (
    ("could not find expected ':'", "a key needs a ':' after it"),
    ("unexpected end of stream", "a quoted text is not closed"),
    ("',' or ']'", "a list that begins with '[' is not closed, or a ',' is missing"),
    ("',' or '}'", "a mapping that begins with '{' is not closed, or a ',' is missing"),
)


def explain(error: MarkedYAMLError, lines: Sequence[str]) -> tuple[int, int, str]:
    """Where a text stops being YAML, counted from 0, and why."""
    problem = error.problem or error.context or "unreadable"
    for pattern, message in _UNCLOSED:
        if pattern in problem and error.context_mark:
            return error.context_mark.line, error.context_mark.column, message
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    text = lines[line] if line < len(lines) else ""
    if (tab := _tab(text, column)) is not None:
        return line, tab, _TAB
    for pattern, message in _EXPLANATIONS:
        if pattern in problem:
            return line, column, message
    return line, column, f"not YAML: {problem}"


def _tab(text: str, column: int) -> int | None:
    """Where a tab stands in the indentation, or at a column."""
    indentation = text[: len(text) - len(text.lstrip())]
    if "\t" in indentation:
        return indentation.index("\t")
    return column if text[column : column + 1] == "\t" else None


def tag(name: str) -> str:
    """A tag as it was written."""
    return name.replace("tag:yaml.org,2002:", "!!")
