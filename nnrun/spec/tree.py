"""Values as read from YAML, each with the place where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from nnrun.errors import Place
from nnrun.spec.scalars import Scalar

Path = tuple[str | int, ...]
"""Keys and list positions from the root of a spec."""


@dataclass(frozen=True)
class Node:
    """A value and where it stands.

    Args:
        value: a scalar, a tuple of nodes for a list, or nodes by key for a mapping.
        place: where the value stands.
        key: where its key stands, for a value in a mapping.
        size: how many values it holds, itself included.
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
            case _:
                return self.value

    def child(self, key: str | int) -> Node | None:
        """What stands under a key or at a position of a list, if anything does."""
        if isinstance(self.value, dict) and isinstance(key, str):
            return self.value.get(key)
        if isinstance(self.value, tuple) and isinstance(key, int) and key < len(self.value):
            return self.value[key]
        return None

    def along(self, path: Path) -> Iterator[Node]:
        """The nodes on a path, this one first, as far as the path goes."""
        node: Node | None = self
        for key in (*path, None):
            if node is None:
                return
            yield node
            node = None if key is None else node.child(key)

    def locate(self, path: Path, *, key: bool = False) -> Place:
        """Where a path stands, or where the nearest of its parents does."""
        nodes = list(self.along(path))
        if len(nodes) == 1 and path:
            return replace(self.place, line=1, column=1, length=1, text="")
        node = nodes[-1]
        missing = len(nodes) <= len(path)
        return (node.key if key or missing else None) or node.place

    def under(self, key: Place | None) -> Node:
        """The same value under another key."""
        return replace(self, key=key)


def mapping(nodes: dict[str, Node], like: Node) -> Node:
    """A mapping in the place of another node."""
    return replace(like, value=nodes, size=1 + sum(node.size for node in nodes.values()))


def sequence(items: Iterable[Node], like: Node) -> Node:
    """A list in the place of another node."""
    items = tuple(items)
    return replace(like, value=items, size=1 + sum(node.size for node in items))


def dotted(path: Path) -> str:
    """A path as people write it.

    Example:
        >>> dotted(("model", 2, "Dense", "units"))
        'model[2].Dense.units'
    """
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(parts).removeprefix(".")
