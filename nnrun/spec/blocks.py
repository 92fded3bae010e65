"""`blocks`: named stacks of layers with parameters, expanded where the model uses them.

Each value keeps its place: that of the block, or for a parameter that of the use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nnrun.errors import Fault, Place
from nnrun.spec import catalogue, source
from nnrun.spec.component import COMPOSITES, NAMED_STACKS, SOURCE, STACKS
from nnrun.spec.suggest import nearest
from nnrun.spec.text import join_words, quote
from nnrun.spec.tree import Node, mapping, sequence

KEY = "blocks"
PARAMETERS, LAYERS = "parameters", "layers"
NAME = r"[a-z][A-Za-z0-9_]*"  # pattern of a block's name, which no Keras layer matches
_SIGN = "$"  # before the name of a parameter in a layer


@dataclass(frozen=True)
class _Block:
    """A block as defined; a required parameter has the default None."""

    parameters: Mapping[str, Node | None]
    layers: Node


def expand_blocks(root: Node) -> tuple[Node, list[Fault]]:
    """The spec with each use of a block replaced by its layers, and the faults of blocks and uses."""
    assert isinstance(root.value, dict)
    if KEY not in root.value:
        return root, []
    expansion = _Expansion(root.value[KEY])
    nodes = {key: node for key, node in root.value.items() if key != KEY}
    if "model" in nodes:
        nodes["model"] = expansion.expand(nodes["model"], ())
    return mapping(nodes, root), expansion.faults


class _Expansion:
    def __init__(self, blocks: Node) -> None:
        self.faults: list[Fault] = []
        self._left = source.MOST_VALUES
        self._faulty: set[str] = set()
        self._blocks = dict(self._read_blocks(blocks))

    def _fault(self, path: str, message: str, place: Place, near: str | None = None) -> None:
        self.faults.append(Fault("NN010", path, message, place, near))

    def _read_blocks(self, blocks: Node) -> Iterator[tuple[str, _Block]]:
        if not isinstance(blocks.value, dict):
            message = "must be a mapping from names to blocks, each with parameters and layers"
            self._fault(KEY, message, blocks.place)
            return
        for name, node in blocks.value.items():
            if name == SOURCE:
                message = f"{SOURCE} names the output of a layer; choose another name"
                self._fault(f"{KEY}.{name}", message, node.key or node.place)
            elif not re.fullmatch(NAME, name):
                message = f"a block's name begins with a small letter, got {quote(name)}"
                self._fault(f"{KEY}.{name}", message, node.key or node.place)
            elif block := self._read_block(f"{KEY}.{name}", node):
                yield name, block
            else:
                self._faulty.add(name)

    def _read_block(self, path: str, node: Node) -> _Block | None:
        keys = (PARAMETERS, LAYERS)
        if not isinstance(node.value, dict) or LAYERS not in node.value:
            self._fault(path, f"needs a list of {LAYERS}", node.key or node.place)
            return None
        for key, child in node.value.items():
            if key not in keys:
                message = f"unknown key {quote(key)}; the keys here are {join_words(keys, 'and')}"
                place = child.key or child.place
                self._fault(f"{path}.{key}", message, place, nearest(key, keys))
        layers, parameters = node.value[LAYERS], node.value.get(PARAMETERS)
        if not isinstance(layers.value, tuple) or not layers.value:
            self._fault(f"{path}.{LAYERS}", "must be a list of layers", layers.place)
            return None
        return _Block(dict(self._read_parameters(path, parameters)) if parameters else {}, layers)

    def _read_parameters(self, path: str, node: Node) -> Iterator[tuple[str, Node | None]]:
        for item in node.value if isinstance(node.value, tuple) else (node,):
            match item.value:
                case str(name) if name.isidentifier():
                    yield name, None
                case dict() as nodes if all(name.isidentifier() for name in nodes):
                    yield from nodes.items()
                case _:
                    message = "must be names, such as [filters, {strides: 1}] with a default"
                    self._fault(f"{path}.{PARAMETERS}", message, item.place)

    def expand(self, node: Node, chain: tuple[str, ...]) -> Node:
        """A stack of layers with blocks expanded; `chain` are the blocks around it."""
        if not isinstance(node.value, tuple):
            return self._expand_layer(node, chain)
        return sequence((self._expand_layer(item, chain) for item in node.value), node)

    def _expand_layer(self, node: Node, chain: tuple[str, ...]) -> Node:
        if isinstance(node.value, str):
            name, arguments = node.value, Node({}, node.place, node.place)
        elif isinstance(node.value, dict) and len(node.value) == 1:
            [(name, arguments)] = node.value.items()
        else:
            return node
        place = arguments.key or node.place
        if name in COMPOSITES and isinstance(arguments.value, dict):
            stacks = self._expand_stacks(name, arguments.value, chain)
            return mapping({name: mapping(stacks, arguments)}, node)
        if name in self._blocks:
            layers = self._expand_use(name, arguments, place, chain)
        elif self._is_misspelt(name, place):
            layers = ()
        else:
            return node
        stack = sequence(layers, Node((), place, place))
        inner = {"block": Node(name, place, place), LAYERS: stack}
        return mapping({"Block": mapping(inner, Node({}, place, place))}, node)

    def _is_misspelt(self, name: str, place: Place) -> bool:
        """Whether an unknown name is that of a faulty block, or a misspelt one."""
        if name in self._faulty:
            return True
        near = None if catalogue.is_known("layers", name) else nearest(name, list(self._blocks))
        if near and re.fullmatch(NAME, name):
            self._fault("model", f"there is no block {quote(name)}", place, near)
            return True
        return False

    def _expand_stacks(
        self, name: str, arguments: Mapping[str, Node], chain: tuple[str, ...]
    ) -> dict[str, Node]:
        expanded = dict(arguments)
        for key, node in arguments.items():
            kind = catalogue.argument_kind("layers", name, key)
            if kind == "layers":
                expanded[key] = self.expand(node, chain)
            elif kind == STACKS and isinstance(node.value, tuple):
                expanded[key] = sequence((self.expand(stack, chain) for stack in node.value), node)
            elif kind == NAMED_STACKS and isinstance(node.value, dict):
                stacks = {path: self.expand(stack, chain) for path, stack in node.value.items()}
                expanded[key] = mapping(stacks, node)
        return expanded

    def _expand_use(
        self, name: str, arguments: Node, place: Place, chain: tuple[str, ...]
    ) -> tuple[Node, ...]:
        block = self._blocks[name]
        if name in chain:
            self._fault("model", f"{name} uses itself: {' → '.join((*chain, name))}", place)
            return ()
        values = self._parameter_values(name, block.parameters, arguments, place)
        if values is None or self._left < 0:
            return ()
        self._left -= block.layers.size
        if self._left < 0:
            message = f"more than {source.MOST_VALUES:,} values once blocks are expanded"
            self._fault("model", message, place)
            return ()
        layers = self.expand(self._substitute(block.layers, name, values), (*chain, name))
        assert isinstance(layers.value, tuple)
        return layers.value

    def _parameter_values(
        self, name: str, parameters: Mapping[str, Node | None], arguments: Node, place: Place
    ) -> dict[str, Node] | None:
        names = list(parameters)
        match arguments.value:
            case None:
                given = {}
            case dict() as given:
                pass
            case tuple() as items:
                given = dict(zip(names, items, strict=False))
                if len(items) > len(names):
                    message = f"{name} takes {_list_parameters(names)}, got {len(items)}"
                    self._fault("model", message, arguments.place)
                    return None
            case _:
                given = {names[0] if names else "": arguments}
        unknown = given.keys() - parameters.keys()
        for key in unknown:
            message = f"{name} takes {_list_parameters(names)}, not {quote(key)}"
            self._fault("model", message, given[key].key or given[key].place, nearest(key, names))
        values = {key: given.get(key, default) for key, default in parameters.items()}
        missing = [key for key, value in values.items() if value is None]
        if missing and not unknown:
            self._fault("model", f"{name} needs {join_words(missing, 'and')}", place)
        if missing or unknown:
            return None
        return {key: value for key, value in values.items() if value is not None}

    def _substitute(self, node: Node, name: str, values: Mapping[str, Node]) -> Node:
        match node.value:
            case str(text) if text.startswith(_SIGN):
                parameter = text.removeprefix(_SIGN)
                if parameter in values:
                    return values[parameter].under(node.key)
                message = f"{name} has no parameter {quote(parameter)}"
                near = nearest(parameter, list(values))
                self._fault(f"{KEY}.{name}", message, node.place, near and f"{_SIGN}{near}")
            case tuple() as items:
                return sequence((self._substitute(item, name, values) for item in items), node)
            case dict() as nodes:
                filled = {k: self._substitute(v, name, values) for k, v in nodes.items()}
                return mapping(filled, node)
        return node


def _list_parameters(names: Sequence[str]) -> str:
    if not names:
        return "no parameter"
    return f"the parameter{'s' if len(names) > 1 else ''} {join_words(names, 'and')}"
