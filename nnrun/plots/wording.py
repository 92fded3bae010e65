"""How names and texts are written on a plot, where room is short."""

from __future__ import annotations

ELLIPSIS = "…"
LABEL = 80
"""Characters of the longest name for which a plot has room."""


def spaced(metric: str) -> str:
    """A metric's name as people write it.

    Example:
        >>> spaced("binary_accuracy")
        'binary accuracy'
    """
    return metric.replace("_", " ")


def shortened(name: str, limit: int = LABEL) -> str:
    """A name of at most `limit` characters; both ends stay, as either may tell names apart.

    Example:
        >>> shortened("comp.sys.ibm.pc.hardware", 16)
        'comp.sys.…rdware'
    """
    # Of a control character matplotlib complains on the terminal, where it would be obeyed.
    name = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    if len(name) <= limit:
        return name
    tail = (limit - 1) * 2 // 5
    head = limit - 1 - tail
    return name[:head].rstrip() + ELLIPSIS + name[len(name) - tail :].lstrip()


def excerpt(text: str, limit: int) -> str:
    """The beginning of a text in one line, ended between two words.

    Example:
        >>> excerpt("a film of rare beauty", 12)
        'a film of…'
    """
    # Old corpora hold control characters, which no font can draw.
    printable = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(printable.split())
    if len(line) <= limit:
        return line
    words, _, _ = line[: limit + 1].rpartition(" ")
    return (words or line[:limit]) + ELLIPSIS
