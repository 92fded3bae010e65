"""`extends`, `--set` and short forms: from the YAML of some files to one complete spec.

A spec of others must not reveal private files, for example in a public log. So only specs can be
extended, and no text of other files is shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path as File
from pathlib import PureWindowsPath

from nnrun.errors import OVERRIDE, Fault, Place
from nnrun.spec import catalogue, source, suggest
from nnrun.spec.component import STACKS
from nnrun.spec.experiment import Experiment
from nnrun.spec.language import EARLIER
from nnrun.spec.prepare import STEPS, first_argument
from nnrun.spec.source import Document
from nnrun.spec.suggest import nearest
from nnrun.spec.text import join_words, quote
from nnrun.spec.tree import KeyPath, Node, dotted, mapping, sequence

_COMPONENTS: dict[KeyPath, str] = {
    ("training", "optimizer"): "optimizers",
    ("training", "loss"): "losses",
}


_POSITION = re.compile(r"\[(\d+)\]")


def merge(base: Node, over: Node, path: KeyPath = ()) -> Node:
    """Merges mappings, and replaces other values.

    A different optimizer, loss, schedule or dataset replaces the previous one completely.
    """
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    if _is_another(base.value, over.value, path):
        return over
    nodes = dict(base.value)
    for key, node in over.value.items():
        below = nodes.get(key)
        nodes[key] = node if below is None else merge(below, node, (*path, key))
    return mapping(nodes, over)


def _is_another(base: dict[str, Node], over: dict[str, Node], path: KeyPath) -> bool:
    if path == ("dataset",):
        return "name" in over and "name" in base and over["name"].value != base["name"].value
    # Below `training.optimizer` names and arguments alternate.
    if path[:2] in _COMPONENTS and len(path) % 2 == 0:
        return list(base) != list(over)
    return False


class Override:
    """One `--set a.b=v`.

    Args:
        text: such as `training.epochs=3`.
        source: of every place.
    """

    def __init__(self, text: str, source: str = OVERRIDE) -> None:
        self.text = text
        self.source = source
        self.faults: list[Fault] = []

    def on(self, root: Node) -> Node:
        """The spec with the value set, or unchanged with a fault."""
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

    def _set(self, node: Node, keys: Sequence[str], new: Node, path: KeyPath) -> Node:
        """The node with a value below it set."""
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
        self, node: Node, nodes: dict[str, Node], keys: Sequence[str], new: Node, path: KeyPath
    ) -> Node:
        key, *rest = keys
        column, length = self._span(path, key)
        place = self._place(column, length)
        if _component_kind(path) and len(nodes) == 1 and key not in nodes:
            [there] = nodes
            kind = _component_kind(path) or ""
            if catalogue.canonical_name(kind, key) == catalogue.canonical_name(kind, there):
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
        self, node: Node, items: tuple[Node, ...], keys: Sequence[str], new: Node, path: KeyPath
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

    def _span(self, path: KeyPath, key: str) -> tuple[int, int]:
        """The column and length of a key in the override."""
        before = sum(len(str(part)) + 1 for part in path)
        return before + 1, len(key)

    def _place(self, column: int, length: int = 1) -> Place:
        return Place(self.source, 1, column, max(length, 1), self.text)

    def _placed(self, node: Node, offset: int) -> Node:
        """The node with places in the override."""
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
        self,
        path: KeyPath,
        message: str,
        column: int,
        length: int,
        *,
        suggestion: str | None = None,
    ) -> None:
        place = self._place(column, length)
        self.faults.append(Fault("NN009", dotted(path), message, place, suggestion))


def _component_kind(path: KeyPath) -> str | None:
    """The kind of the component at a path, if there is one."""
    match path:
        case ("model", int()):
            return "layers"
        case ("training", ("metrics" | "callbacks") as kind, int()):
            return kind
    return _COMPONENTS.get(path)


MOST_FILES = 20
"""Maximum number of files that extend each other."""

# Keys that identify a spec, even in invalid YAML.
TELLING = ("dataset", "model", "training", "validation", "extends")
_TELLS = re.compile(rf"""^{{?["']?({"|".join(TELLING)})["']?[ \t]*:""", re.MULTILINE)
_KEYS = frozenset((*Experiment.model_fields, *EARLIER))
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://?")


class SpecReader:
    """Reads a spec and those it extends, and collects faults."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._left = source.MOST_VALUES

    def file(self, path: File) -> Node | None:
        """A spec merged into those it extends, with short forms expanded."""
        return self._read(source.read_file(path), path, ())

    def _read(self, document: Document, path: File, above: tuple[File, ...]) -> Node | None:
        self.faults += document.faults
        root = document.root
        if root is None or root.value is None:
            if not document.faults:
                self._fault("NN003", "", "is empty", Place(str(path), 1, 1, 1, ""))
            return None
        if not isinstance(root.value, dict):
            what = "a list" if isinstance(root.value, tuple) else "a single value"
            message = f"must be a mapping such as 'model: [...]', got {what}"
            self._fault("NN004", "", message, root.place)
            return None
        self._left -= root.size
        extends = root.value.get("extends")
        own = mapping({k: v for k, v in root.value.items() if k != "extends"}, root)
        return self._on_top(expand(own), extends, path, above) if extends else expand(own)

    def _on_top(self, own: Node, extends: Node, path: File, above: tuple[File, ...]) -> Node | None:
        chain = (*above, path.resolve())
        if refusal := _refused(extends, path, chain):
            self.faults.append(refusal)
            return own
        wanted = path.parent / str(extends.value)
        document = source.read_file(wanted, most=self._left)
        if document.text and not _is_spec(document):
            keys = join_words(TELLING, "or")
            message = (
                f"'{extends.value}' is not a spec: it has no key {keys}; its content is not shown"
            )
            self._fault("NN008", "extends", message, extends.place)
            return own
        base = self._read(document, wanted, chain)
        return merge(_nameless(base), own) if base else None

    def _fault(self, code: str, path: str, message: str, place: Place) -> None:
        self.faults.append(Fault(code, path, message, place))


def _refused(extends: Node, path: File, chain: tuple[File, ...]) -> Fault | None:
    """Why a file cannot be extended, if so."""
    named = extends.value
    message, suggestion = "", None
    if not isinstance(named, str) or not named or _leads_elsewhere(named):
        message = "must be one file, relative to this one"
    elif len(chain) >= MOST_FILES:
        message = f"more than {MOST_FILES} files extend each other"
    else:
        try:
            message, suggestion = _unreadable(path.parent / named, named, chain)
        except (OSError, ValueError, RuntimeError):
            # Too long, with a zero byte, in a folder without permission, or a link to itself.
            message = f"no file {quote(named)} can be read"
    return Fault("NN008", "extends", message, extends.place, suggestion) if message else None


def _unreadable(wanted: File, named: str, chain: tuple[File, ...]) -> tuple[str, str | None]:
    """Why a file cannot be read, and a suggestion; empty if it can."""
    if wanted.resolve() in chain:
        return f"'{named}' leads back to itself", None
    if not wanted.is_file():
        return _lost(wanted, named)
    if wanted.suffix not in source.ENDINGS:
        return f"'{named}' does not end in {' or '.join(source.ENDINGS)}", None
    return "", None


def _leads_elsewhere(named: str) -> bool:
    """Whether it is an absolute path or a URL, which would not work on other machines."""
    windows = PureWindowsPath(named)
    return bool(windows.drive or windows.root or named.startswith("~") or _ADDRESS.match(named))


def _lost(wanted: File, named: str) -> tuple[str, str | None]:
    """A message about a missing file, and the file probably meant."""
    folder = File(named).parent
    if not wanted.parent.is_dir():
        return f"there is no folder '{wanted.parent}'", None
    near = nearest(wanted.name, [found.name for found in wanted.parent.glob("*.y*ml")])
    suggestion = (folder / near).as_posix() if near else None
    if wanted.is_dir():
        return f"'{wanted}' is a folder, not a file", None
    if wanted.exists():
        return f"'{wanted}' is a pipe or a device, not a file", None
    return f"there is no file '{wanted}'", suggestion


def _is_spec(document: Document) -> bool:
    """Whether a file is a spec, maybe with faults, whose lines may be shown."""
    if _TELLS.search(document.text):
        return True
    if document.root is None:
        return not document.faults
    value = document.root.value
    if not isinstance(value, dict):
        return value is None
    # It may be a part of a spec, such as a shared seed.
    return not value.keys().isdisjoint(TELLING) or value.keys() <= _KEYS


def _nameless(base: Node) -> Node:
    """A spec without its name, which is not inherited."""
    assert isinstance(base.value, dict)
    return mapping({key: node for key, node in base.value.items() if key != "name"}, base)


Rewrite = Callable[[Node], Node]


# A word alone is a component of these kinds; others, as in `activation: relu`, stay words.
_BUILT = frozenset(("layers", "optimizers", "losses", "metrics", "callbacks"))


def expand(root: Node) -> Node:
    """The spec with short forms expanded; each value keeps its place."""
    return _fields(
        root,
        {
            "dataset": _dataset,
            "model": _each(lambda node: expand_component("layers", node)),
            "training": _training,
        },
    )


def _training(node: Node) -> Node:
    return _fields(
        node,
        {
            "optimizer": lambda child: expand_component("optimizers", child),
            "loss": lambda child: expand_component("losses", child),
            "metrics": _each(lambda child: expand_component("metrics", child)),
            "callbacks": _each(lambda child: expand_component("callbacks", child)),
        },
    )


def _dataset(node: Node) -> Node:
    if isinstance(node.value, str):
        node = mapping({"name": node.under(node.place)}, node)
    return _fields(node, {"prepare": _each(_step)})


def _fields(node: Node, rewrites: dict[str, Rewrite]) -> Node:
    if not isinstance(node.value, dict):
        return node
    children = {
        key: rewrites[key](child) if key in rewrites else child for key, child in node.value.items()
    }
    return mapping(children, node)


def _each(rewrite: Rewrite) -> Rewrite:
    def rewritten(node: Node) -> Node:
        if not isinstance(node.value, tuple):
            return node
        return sequence((rewrite(item) for item in node.value), node)

    return rewritten


def expand_component(kind: str, node: Node) -> Node:
    """A component as one name with a mapping of arguments, if it is valid."""
    match node.value:
        case str(name) if name and kind in _BUILT:
            empty = Node({}, node.place, node.place)
            return mapping({name: empty}, node)
        case dict() as nodes if len(nodes) == 1:
            [(name, arguments)] = nodes.items()
            written = _arguments(kind, name, arguments)
            # Keras accepts arguments only with the canonical name.
            own = catalogue.canonical_name(kind, name) if written.value else name
            return mapping({own: written}, node)
        case tuple() as items if kind == "layers":
            return sequence((expand_component(kind, item) for item in items), node)
    return node


def _arguments(kind: str, name: str, node: Node) -> Node:
    entry = catalogue.entry(kind, name)
    if node.value is None:
        return replace(node, value={})
    if not isinstance(node.value, dict):
        if entry is None or entry.first is None:
            return node
        if suggest.arguments_as_list(node.plain(), entry.accepted):
            return node
        node = mapping({entry.first: node}, node)
    return _fields(node, _argument_rewrites(kind, name))


def _argument_rewrites(kind: str, name: str) -> dict[str, Rewrite]:
    entry = catalogue.entry(kind, name)
    if entry is None:
        return {}
    kinds = {key: argument.kind for key, argument in entry.accepted.items()}
    return {key: _component(of) for key, of in kinds.items() if of not in (None, "file")}


def _component(kind: str | None) -> Rewrite:
    kind = "layers" if kind == STACKS else kind
    return lambda node: expand_component(kind or "", node)


def _step(node: Node) -> Node:
    match node.value:
        case str(name):
            return mapping({name: Node({}, node.place, node.place)}, node)
        case dict() as nodes if len(nodes) == 1:
            [(name, arguments)] = nodes.items()
            if name not in STEPS or isinstance(arguments.value, dict):
                return node
            if arguments.value is None:
                return mapping({name: replace(arguments, value={})}, node)
            return mapping({name: mapping({first_argument(name): arguments}, arguments)}, node)
    return node
