"""Values read from YAML, each with its place in a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from nnrun.errors import Fault, Place

KeyPath = tuple[str | int, ...]  # keys and list positions from the root of a spec

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Node:
    """A value and its place.

    Args:
        value: a scalar, a tuple of nodes for a list, or nodes by key for a mapping.
        key: place of its key, for a value in a mapping.
        size: number of values in it, including itself.
    """

    value: Scalar | tuple[Node, ...] | dict[str, Node]
    place: Place
    key: Place | None = None
    size: int = 1

    def plain(self) -> Any:
        """The value without its places, as lists, dictionaries and scalars."""
        match self.value:
            case dict():
                return {key: node.plain() for key, node in self.value.items()}
            case tuple():
                return [node.plain() for node in self.value]
        return self.value

    def child(self, key: str | int) -> Node | None:
        """The value under a key or at a list position, if there is one."""
        if isinstance(self.value, dict) and isinstance(key, str):
            return self.value.get(key)
        if isinstance(self.value, tuple) and isinstance(key, int) and key < len(self.value):
            return self.value[key]
        return None

    def along(self, path: KeyPath) -> Iterator[Node]:
        """The nodes on a path, beginning with this one, as far as they exist."""
        node: Node | None = self
        for key in (*path, None):
            if node is None:
                return
            yield node
            node = None if key is None else node.child(key)

    def locate(self, path: KeyPath, *, key: bool = False) -> Place:
        """The place of a path, or of its nearest existing parent."""
        nodes = list(self.along(path))
        if len(nodes) == 1 and path:
            return replace(self.place, line=1, column=1, length=1, text="")
        missing = len(nodes) <= len(path)
        return (nodes[-1].key if key or missing else None) or nodes[-1].place

    def under(self, key: Place | None) -> Node:
        """The same value with another place of its key."""
        return replace(self, key=key)


def mapping(nodes: dict[str, Node], like: Node) -> Node:
    """A mapping with the place of another node."""
    return replace(like, value=nodes, size=1 + sum(node.size for node in nodes.values()))


def sequence(items: Iterable[Node], like: Node) -> Node:
    """A list with the place of another node."""
    items = tuple(items)
    return replace(like, value=items, size=1 + sum(node.size for node in items))


def dotted(path: KeyPath) -> str:
    """A path in dots and brackets.

    Example:
        >>> dotted(("model", 2, "Dense", "units"))
        'model[2].Dense.units'
    """
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(parts).removeprefix(".")


USED = "; the block "  # begins the part of a message about the use of a block with the fault


@dataclass(frozen=True)
class Problem:
    """A fault before its place in a file is known.

    Args:
        at: the path whose place is shown, if not `path`.
        key: show the place of the key, not of the value.
        meant: keys probably meant by this one, which are not reported as missing.
    """

    code: str
    path: KeyPath
    message: str
    suggestion: str | None = None
    at: KeyPath | None = None
    key: bool = False
    meant: tuple[KeyPath, ...] = ()

    def fault(self, root: Node) -> Fault:
        """The fault with its place in the file."""
        at = self.path if self.at is None else self.at
        place = root.locate(at, key=self.key)
        if not at:
            # A key missing from the whole spec has no line.
            place = replace(place, length=1, text="")
        message = self.message + _uses(root, at, place)
        return Fault(self.code, dotted(self.path), message, place, self.suggestion)


def _uses(root: Node, at: KeyPath, place: Place) -> str:
    """The uses of the blocks on a path, unless the place is that of the use."""
    uses = ""
    for node, key in zip(list(root.along(at))[1:], at, strict=False):
        use, name = node.key, node.child("block")
        if key == "Block" and use and name and (use.source, use.line) != (place.source, place.line):
            uses += f"{USED}{name.value} is used in line {use.line}"
    return uses


_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
# Valid both in Python and in ECMAScript, which JSON Schema uses.
DECIMAL = "[-+]?[0-9]+(_[0-9]+)*"
BASED = "0(x[0-9a-fA-F]+|o[0-7]+)"
FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(_[0-9]+)*(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)\Z")
# A longer number is a mistake, and parsing it takes quadratic time.
LONGEST_NUMBER = 400


def scalar(text: str) -> Scalar:
    """Parses a plain word as YAML 1.2 does: `no`, `1:30` and dates are text, `1e-4` is a number."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > LONGEST_NUMBER:
        return text
    if re.fullmatch(DECIMAL, text):
        return int(text)
    if re.fullmatch(BASED, text):
        return int(text, 0)
    if re.fullmatch(FLOAT, text):
        return float(text)
    return float(text.replace(".", "")) if _INFINITE.match(text) else text
