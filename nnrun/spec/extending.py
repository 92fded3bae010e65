"""`extends`, `--set` and short forms: from the YAML of some files to one complete spec.

A spec of others must not reveal private files, for example in a public log. So only specs can be
extended, and no text of other files is shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PureWindowsPath

from nnrun.errors import OVERRIDE, Fault, Place
from nnrun.spec import catalogue, source, suggest
from nnrun.spec.component import INPUTS, NAMED_STACKS, STACKS
from nnrun.spec.experiment import Experiment
from nnrun.spec.language import EARLIER
from nnrun.spec.prepare import first_argument, is_step
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
    if path == ("dataset",) and {"name"} <= base.value.keys() & over.value.keys():
        replaced = over.value["name"].value != base.value["name"].value
    else:
        # Below `training.optimizer` names and arguments alternate.
        is_component = path[:2] in _COMPONENTS and len(path) % 2 == 0
        replaced = is_component and list(base.value) != list(over.value)
    if replaced:
        return over
    nodes = dict(base.value)
    for key, node in over.value.items():
        nodes[key] = merge(nodes[key], node, (*path, key)) if key in nodes else node
    return mapping(nodes, over)


class Override:
    """One `--set a.b=v`, whose places have the name of a source instead of a file."""

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
            self._fault((), message, self._place(1, len(address)), dots)
            return root
        if len(keys) > source.DEEPEST:
            message = f"more than {source.DEEPEST} keys inside each other"
            self._fault((), message, self._place(1, len(address)))
            return root
        if not equals or not all(keys):
            self._fault((), "must look like 'training.epochs=3'", self._place(1, len(self.text)))
            return root
        offset = len(address) + 1
        document = source.read(value, source=self.source)
        for fault in document.faults:
            assert fault.place
            place = self._place(fault.place.column + offset, fault.place.length)
            self.faults.append(Fault("NN009", address, fault.message, place, fault.suggestion))
        if document.faults:
            return root
        node = document.root or Node(None, self._place(1))
        return expand(self._set(root, keys, self._moved(node, offset), ()))

    def _set(self, node: Node, keys: Sequence[str], new: Node, path: KeyPath) -> Node:
        if not keys:
            return new
        key, *rest = keys
        match node.value:
            case dict() | None as nodes:
                return self._set_key(node, nodes or {}, keys, new, path)
            case tuple() as items:
                if key.isascii() and key.isdigit() and len(key) < 10 and int(key) < len(items):
                    index = int(key)
                    item = self._set(items[index], rest, new, (*path, index))
                    return sequence((*items[:index], item, *items[index + 1 :]), node)
                last = f"0 to {len(items) - 1}" if items else "from 0, and it has none"
                message = f"is a list; its items are numbered {last}, got {key!r}"
            case _:
                message = f"is a single value and has no {key!r}"
        self._fault(path, message, self._key_place(path, key))
        return node

    def _set_key(
        self, node: Node, nodes: dict[str, Node], keys: Sequence[str], new: Node, path: KeyPath
    ) -> Node:
        key, *rest = keys
        if rest and key not in nodes and f"{key}.{rest[0]}" in nodes:
            # A name of the user's code, such as `layers.Gate`.
            key, rest = f"{key}.{rest[0]}", rest[1:]
        place, kind = self._key_place(path, key), _component_kind(path)
        if kind and len(nodes) == 1 and key not in nodes:
            [name] = nodes
            if catalogue.canonical_name(kind, key) == catalogue.canonical_name(kind, name):
                key = name
            elif kind in _COMPONENTS.values():
                nodes = {}
            else:
                self._fault(path, f"is {name!r}, not {key!r}", place, name)
                return node
        old = nodes.get(key)
        child = self._set(old or Node({}, place), rest, new, (*path, key))
        return mapping({**nodes, key: child if old and rest else child.under(place)}, node)

    def _key_place(self, path: KeyPath, key: str) -> Place:
        # In the override each key above is followed by a dot.
        return self._place(1 + sum(len(str(part)) + 1 for part in path), len(key))

    def _place(self, column: int, length: int = 1) -> Place:
        return Place(self.source, 1, column, max(length, 1), self.text)

    def _moved(self, node: Node, offset: int) -> Node:
        key = node.key and self._place(node.key.column + offset, node.key.length)
        moved = Node(node.value, self._place(node.place.column + offset, node.place.length), key)
        match node.value:
            case dict() as nodes:
                return mapping({k: self._moved(v, offset) for k, v in nodes.items()}, moved)
            case tuple() as items:
                return sequence((self._moved(item, offset) for item in items), moved)
        return moved

    def _fault(
        self, path: KeyPath, message: str, place: Place, suggestion: str | None = None
    ) -> None:
        self.faults.append(Fault("NN009", dotted(path), message, place, suggestion))


def _component_kind(path: KeyPath) -> str | None:
    match path:
        case ("model", int()):
            return "layers"
        case ("training", ("metrics" | "callbacks") as kind, int()):
            return kind
        case ("training", "stages", int(), "optimizer"):
            return "optimizers"
    return _COMPONENTS.get(path)


MOST_FILES = 20  # maximum number of files that extend each other

# Keys that identify a spec, even in invalid YAML.
_SPEC_KEYS = ("dataset", "model", "training", "validation", "extends")
_SPEC_LINE = re.compile(rf"""^{{?["']?({"|".join(_SPEC_KEYS)})["']?[ \t]*:""", re.MULTILINE)
_ALL_KEYS = frozenset((*Experiment.model_fields, *EARLIER))
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://?")


class SpecReader:
    """Reads a spec and those it extends, and collects faults."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._left = source.MOST_VALUES

    def file(self, path: Path) -> Node | None:
        """A spec merged into those it extends, with short forms expanded."""
        return self._read(source.read_file(path), path, ())

    def _read(self, document: Document, path: Path, above: tuple[Path, ...]) -> Node | None:
        self.faults += document.faults
        root = document.root
        if root is None or root.value is None:
            if not document.faults:
                self.faults.append(Fault("NN003", "", "is empty", Place(str(path), 1, 1, 1, "")))
            return None
        if not isinstance(root.value, dict):
            what = "a list" if isinstance(root.value, tuple) else "a single value"
            message = f"must be a mapping such as 'model: [...]', got {what}"
            self.faults.append(Fault("NN004", "", message, root.place))
            return None
        self._left -= root.size
        extends = root.value.get("extends")
        own = expand(_without(root, "extends"))
        return self._extend(own, extends, path, (*above, path.resolve())) if extends else own

    def _extend(self, own: Node, extends: Node, path: Path, chain: tuple[Path, ...]) -> Node | None:
        message, suggestion = _extends_problem(extends.value, path, chain)
        if message:
            self.faults.append(Fault("NN008", "extends", message, extends.place, suggestion))
            return own
        base_path = path.parent / str(extends.value)
        document = source.read_file(base_path, most=self._left)
        if document.text and not _is_spec(document):
            keys = join_words(_SPEC_KEYS, "or")
            message = f"'{extends.value}' is not a spec: it has no key {keys}"
            message += "; its content is not shown"
            self.faults.append(Fault("NN008", "extends", message, extends.place))
            return own
        base = self._read(document, base_path, chain)
        return merge(_without(base, "name"), own) if base else None


def _extends_problem(name: object, path: Path, chain: tuple[Path, ...]) -> tuple[str, str | None]:
    """Why a spec cannot extend a file, and a suggestion; empty if it can."""
    # An absolute path or a URL would not work on other machines.
    windows = PureWindowsPath(name if isinstance(name, str) else "")
    absolute = windows.drive or windows.root
    if not isinstance(name, str) or not name or absolute or name[0] == "~" or _URL.match(name):
        return "must be one file, relative to this one", None
    if len(chain) >= MOST_FILES:
        return f"more than {MOST_FILES} files extend each other", None
    file = path.parent / name
    try:
        if file.resolve() in chain:
            return f"'{name}' leads back to itself", None
        if not file.is_file():
            return _missing_file(file, name)
        if file.suffix not in source.ENDINGS:
            return f"'{name}' does not end in {' or '.join(source.ENDINGS)}", None
    except (OSError, ValueError, RuntimeError):
        # Too long, with a zero byte, in a folder without permission, or a link to itself.
        return f"no file {quote(name)} can be read", None
    return "", None


def _missing_file(file: Path, name: str) -> tuple[str, str | None]:
    if not file.parent.is_dir():
        return f"there is no folder '{file.parent}'", None
    if file.is_dir():
        return f"'{file}' is a folder, not a file", None
    if file.exists():
        return f"'{file}' is a pipe or a device, not a file", None
    near = nearest(file.name, [sibling.name for sibling in file.parent.glob("*.y*ml")])
    return f"there is no file '{file}'", near and (Path(name).parent / near).as_posix()


def _is_spec(document: Document) -> bool:
    """Whether a file is a spec, maybe with faults, whose lines may be shown."""
    if _SPEC_LINE.search(document.text):
        return True
    if document.root is None:
        return not document.faults
    value = document.root.value
    if not isinstance(value, dict):
        return value is None
    # It may be a part of a spec, such as a shared seed.
    return not value.keys().isdisjoint(_SPEC_KEYS) or value.keys() <= _ALL_KEYS


def _without(root: Node, key: str) -> Node:
    assert isinstance(root.value, dict)
    return mapping({name: node for name, node in root.value.items() if name != key}, root)


# A word alone is a component of these kinds; others, as in `activation: relu`, stay words.
_EXPANDED = frozenset(("layers", "optimizers", "losses", "metrics", "callbacks"))


def expand(node: Node, path: KeyPath = ()) -> Node:
    """The spec, or its part at a path, with short forms expanded; each value keeps its place."""
    if kind := _component_kind(path):
        return expand_component(kind, node)
    match path, node.value:
        case ("dataset",), str():
            return mapping({"name": node.under(node.place)}, node)
        case (*_, "prepare", int()), _ if path[0] == "dataset":
            return _expand_step(node)
        case ("dataset", "inputs", str()), str() | tuple():
            return mapping({"columns": node.under(node.place)}, node)
        case _, dict() as nodes if len(path) < 3 or path[1] in ("stages", "inputs"):
            return mapping({key: expand(child, (*path, key)) for key, child in nodes.items()}, node)
        case _, tuple() as items if len(path) < 3 or path[1] == "inputs":
            return sequence((expand(item, (*path, at)) for at, item in enumerate(items)), node)
    return node


def expand_component(kind: str, node: Node) -> Node:
    """A component as one name with a mapping of arguments, if it is valid."""
    match node.value:
        case str(name) if name and kind in _EXPANDED:
            return mapping({name: Node({}, node.place, node.place)}, node)
        case dict() as nodes if len(nodes) == 1:
            [(name, given)] = nodes.items()
            arguments = _expand_arguments(kind, name, given)
            # Keras accepts arguments only with the canonical name.
            name = catalogue.canonical_name(kind, name) if arguments.value else name
            return mapping({name: arguments}, node)
        case tuple() as items if kind == "layers":
            return sequence((expand_component(kind, item) for item in items), node)
    return node


def _expand_arguments(kind: str, name: str, node: Node) -> Node:
    if node.value is None:
        return replace(node, value={})
    entry = catalogue.entry(kind, name)
    if entry is None:
        return node
    if not isinstance(node.value, dict):
        if entry.first is None or suggest.arguments_as_list(node.plain(), entry.accepted):
            return node
        node = mapping({entry.first: node}, node)
    assert isinstance(node.value, dict)
    nodes = _with_paths(node) if name == INPUTS else dict(node.value)
    for key, argument in entry.accepted.items():
        if key in nodes and argument.kind not in (None, "file"):
            nodes[key] = _expand_argument(str(argument.kind), nodes[key])
    return mapping(nodes, node)


def _expand_argument(kind: str, node: Node) -> Node:
    if kind == NAMED_STACKS and isinstance(node.value, dict):
        stacks = {name: _expand_argument("layers", stack) for name, stack in node.value.items()}
        return mapping(stacks, node)
    return expand_component("layers" if kind == STACKS else kind, node)


def _with_paths(node: Node) -> dict[str, Node]:
    """The arguments of `Inputs`, whose short form is the mapping of paths itself."""
    assert isinstance(node.value, dict)
    if "paths" in node.value:
        return dict(node.value)
    own = ("merge", "name")
    paths = {key: child for key, child in node.value.items() if key not in own}
    rest = {key: child for key, child in node.value.items() if key in own}
    return {"paths": mapping(paths, node), **rest}


def _expand_step(node: Node) -> Node:
    match node.value:
        case str(name):
            return mapping({name: Node({}, node.place, node.place)}, node)
        case dict() as nodes if len(nodes) == 1:
            [(name, arguments)] = nodes.items()
            if not is_step(name) or isinstance(arguments.value, dict):
                return node
            if arguments.value is None:
                return mapping({name: replace(arguments, value={})}, node)
            return mapping({name: mapping({first_argument(name): arguments}, arguments)}, node)
    return node
