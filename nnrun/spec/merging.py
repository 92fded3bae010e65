"""One spec on top of another, and `--set` on top of both; every value keeps its place."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nnrun.errors import OVERRIDE, Fault, Place
from nnrun.spec import catalogue, source
from nnrun.spec.short_forms import expand
from nnrun.spec.tree import Node, Path, dotted, mapping, sequence

_COMPONENTS: dict[Path, str] = {
    ("training", "optimizer"): "optimizers",
    ("training", "loss"): "losses",
}


_POSITION = re.compile(r"\[(\d+)\]")


def merged(base: Node, over: Node, path: Path = ()) -> Node:
    """One value on top of another: mappings merge, anything else replaces.

    Another optimizer, loss, schedule or data set replaces the one below with all its arguments.
    """
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    if _is_another(base.value, over.value, path):
        return over
    nodes = dict(base.value)
    for key, node in over.value.items():
        below = nodes.get(key)
        nodes[key] = node if below is None else merged(below, node, (*path, key))
    return mapping(nodes, over)


def _is_another(base: dict[str, Node], over: dict[str, Node], path: Path) -> bool:
    if path == ("dataset",):
        return "name" in over and "name" in base and over["name"].value != base["name"].value
    # Below `training.optimizer` names and arguments alternate.
    if path[:2] in _COMPONENTS and len(path) % 2 == 0:
        return list(base) != list(over)
    return False


class Override:
    """One `--set a.b=v`.

    Args:
        text: as above.
        source: named in every place.
    """

    def __init__(self, text: str, source: str = OVERRIDE) -> None:
        self.text = text
        self.source = source
        self.faults: list[Fault] = []

    def on(self, root: Node) -> Node:
        """The spec with the value set; unchanged where that cannot be done."""
        address, equals, value = self.text.partition("=")
        keys = address.strip().split(".")
        if _POSITION.search(address):
            dots = _POSITION.sub(r".\1", self.text, count=address.count("["))
            message = "a position in a list is written with a dot"
            self._fault((), message, 1, len(address), suggestion=dots)
            return root
        if len(keys) > source.DEEPEST:
            message = f"more than {source.DEEPEST} keys inside each other"
            self._fault((), message, 1, len(address))
            return root
        if not equals or not all(keys):
            self._fault((), "must look like 'training.epochs=3'", 1, len(self.text))
            return root
        offset = len(address) + 1
        document = source.read(value, source=self.source)
        self.faults += [self._shifted(fault, offset) for fault in document.faults]
        if document.faults:
            return root
        new = document.root or Node(None, self._place(1))
        return expand(self._set(root, keys, self._placed(new, offset), ()))

    def _set(self, node: Node, keys: Sequence[str], new: Node, path: Path) -> Node:
        """The node with the value set below it."""
        if not keys:
            return new
        match node.value:
            case dict() | None as nodes:
                return self._set_key(node, nodes or {}, keys, new, path)
            case tuple() as items:
                return self._set_item(node, items, keys, new, path)
        message = f"is a single value and has no {keys[0]!r}"
        self._fault(path, message, *self._span(path, keys[0]))
        return node

    def _set_key(
        self, node: Node, nodes: dict[str, Node], keys: Sequence[str], new: Node, path: Path
    ) -> Node:
        key, *rest = keys
        column, length = self._span(path, key)
        place = self._place(column, length)
        if _component_kind(path) and len(nodes) == 1 and key not in nodes:
            [there] = nodes
            kind = _component_kind(path) or ""
            if catalogue.meaning(kind, key) == catalogue.meaning(kind, there):
                key = there
            elif path[0] == "model" or path[1] in ("metrics", "callbacks"):
                message = f"is {there!r}, not {key!r}"
                self._fault(path, message, column, length, suggestion=there)
                return node
            else:
                nodes = {}
        there_now = nodes.get(key)
        child = self._set(there_now or Node({}, place), rest, new, (*path, key))
        if there_now is None or not rest:
            child = child.under(place)
        return mapping({**nodes, key: child}, node)

    def _set_item(
        self, node: Node, items: tuple[Node, ...], keys: Sequence[str], new: Node, path: Path
    ) -> Node:
        key, *rest = keys
        if not key.isascii() or not key.isdigit() or len(key) > 9 or int(key) >= len(items):
            last = f"0 to {len(items) - 1}" if items else "from 0, and it has none"
            message = f"is a list; its items are numbered {last}, got {key!r}"
            self._fault(path, message, *self._span(path, key))
            return node
        index = int(key)
        item = self._set(items[index], rest, new, (*path, index))
        return sequence((*items[:index], item, *items[index + 1 :]), node)

    def _span(self, path: Path, key: str) -> tuple[int, int]:
        """Column and length of a key in the text of the override."""
        before = sum(len(str(part)) + 1 for part in path)
        return before + 1, len(key)

    def _place(self, column: int, length: int = 1) -> Place:
        return Place(self.source, 1, column, max(length, 1), self.text)

    def _placed(self, node: Node, offset: int) -> Node:
        """The node with its places in the text of the override."""
        key = node.key and self._place(node.key.column + offset, node.key.length)
        moved = Node(node.value, self._place(node.place.column + offset, node.place.length), key)
        match node.value:
            case dict() as nodes:
                return mapping({k: self._placed(v, offset) for k, v in nodes.items()}, moved)
            case tuple() as items:
                return sequence((self._placed(item, offset) for item in items), moved)
        return moved

    def _shifted(self, fault: Fault, offset: int) -> Fault:
        column = fault.place.column + offset if fault.place else 1
        length = fault.place.length if fault.place else 1
        path = self.text[: offset - 1]
        return Fault("NN009", path, fault.message, self._place(column, length), fault.suggestion)

    def _fault(
        self, path: Path, message: str, column: int, length: int, *, suggestion: str | None = None
    ) -> None:
        place = self._place(column, length)
        self.faults.append(Fault("NN009", dotted(path), message, place, suggestion))


def _component_kind(path: Path) -> str | None:
    """The kind of component that stands at a path, if one does."""
    match path:
        case ("model", int()):
            return "layers"
        case ("training", ("metrics" | "callbacks") as kind, int()):
            return kind
    return _COMPONENTS.get(path)
