"""Foreign text, made unable to steer whatever shows it: a terminal, a page, a spreadsheet.

A name in somebody else's run folder may hold what moves a cursor, sets a window's title, turns a
line around, or is a tag or a formula to the program that opens the answer.
"""

from __future__ import annotations

import re

_C1_AND_SURROGATES = "\x7f-\x9f\ud800-\udfff"
# Marks that turn the direction of writing, and line ends that only some programs know.
_UNICODE = "\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f"
# The end of a line before what GitHub Actions takes for a command.
_COMMAND = r"\n(?=[ \t]*(?:::|##\[))"
_STEERING = re.compile(f"[\x00-\x08\x0b-\x1f{_C1_AND_SURROGATES}{_UNICODE}]|{_COMMAND}")
_UNSAFE_IN_JSON = re.compile(f"[{_C1_AND_SURROGATES}{_UNICODE}]")
_PICTURES = 0x2400
_PICTURE_OF_DELETE = "\u2421"
_MEANING_IN_MARKDOWN = re.compile(r"[\\|*`\[\]]")
# With which a spreadsheet's formula begins.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def text(foreign: str) -> str:
    r"""Text that shows control characters instead of obeying them; ends of lines and tabs stay.

    An end of a line goes only where the next would be a command of GitHub Actions.
    Each character becomes one: of the first 32 the picture that Unicode has, of the others U+FFFD.

    Example:
        >>> text("a\x1b[31m"), text("\u202eexe")
        ('a␛[31m', '�exe')
    """
    return _STEERING.sub(_shown, foreign)


def is_inert(foreign: str) -> bool:
    """Whether text is what `text` makes of it."""
    return _STEERING.search(foreign) is None


def line(foreign: str) -> str:
    """The same, and on one line."""
    return text(foreign).replace("\n", "\u240a").replace("\t", " ")


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(_PICTURES + code)
    return _PICTURE_OF_DELETE if code == 0x7F else "\N{REPLACEMENT CHARACTER}"


def json(document: str) -> str:
    """A document of JSON that says the same, with such characters escaped.

    Those that JSON itself leaves as they are: the first 32 it escapes. So does YAML, in whose
    double quotes these escapes mean the same.
    """
    return _UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def markdown(foreign: str) -> str:
    """Text as Markdown shows it letter by letter, on one line: no tag, link, picture or column."""
    escaped = _MEANING_IN_MARKDOWN.sub(r"\\\g<0>", text(foreign))
    escaped = escaped.replace("&", "&amp;").replace("<", "&lt;")
    return " ".join(escaped.splitlines())


def cell(foreign: str) -> str:
    """Text for a table that a spreadsheet may open; one that would be a formula there is quoted.

    Example:
        >>> cell("=1+1")
        "'=1+1"
    """
    shown = text(foreign)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
