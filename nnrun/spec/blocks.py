"""`blocks`: named stacks of layers with parameters, expanded where the model uses them.

Each value keeps its place: that of the block, or for a parameter that of the use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nnrun.errors import Fault, Place
from nnrun.spec import catalogue, component, source
from nnrun.spec.suggest import nearest
from nnrun.spec.text import join_words, quote
from nnrun.spec.tree import Node, mapping, sequence

KEY = "blocks"
PARAMETERS, LAYERS = "parameters", "layers"
NAME = r"[a-z][A-Za-z0-9_]*"
"""Pattern of a block's name, which no Keras layer matches."""
SIGN = "$"
"""Before the name of a parameter in a layer."""


@dataclass(frozen=True)
class Block:
    """A block as defined.

    Args:
        parameters: defaults by name; None for a required parameter.
        layers: as in the file.
    """

    parameters: Mapping[str, Node | None]
    layers: Node


def expand_blocks(root: Node) -> tuple[Node, list[Fault]]:
    """Replaces each use of a block in the model by its layers.

    Returns:
        The spec without `blocks`, and the faults of blocks and their uses.
    """
    assert isinstance(root.value, dict)
    if KEY not in root.value:
        return root, []
    writing = _Expansion(root.value[KEY])
    nodes = {key: node for key, node in root.value.items() if key != KEY}
    if "model" in nodes:
        nodes["model"] = writing.layers(nodes["model"], ())
    return mapping(nodes, root), writing.faults


class _Expansion:
    def __init__(self, blocks: Node) -> None:
        self.faults: list[Fault] = []
        self._left = source.MOST_VALUES
        self._broken: set[str] = set()
        self._blocks = dict(self._defined(blocks))

    def _fault(self, path: str, message: str, place: Place, near: str | None = None) -> None:
        self.faults.append(Fault("NN010", path, message, place, near))

    def _defined(self, blocks: Node) -> Iterator[tuple[str, Block]]:
        if not isinstance(blocks.value, dict):
            message = "must be a mapping from names to blocks, each with parameters and layers"
            self._fault(KEY, message, blocks.place)
            return
        for name, node in blocks.value.items():
            if not re.fullmatch(NAME, name):
                message = f"a block's name begins with a small letter, got {quote(name)}"
                self._fault(f"{KEY}.{name}", message, node.key or node.place)
            elif block := self._block(name, node):
                yield name, block
            else:
                self._broken.add(name)

    def _block(self, name: str, node: Node) -> Block | None:
        path, known = f"{KEY}.{name}", (PARAMETERS, LAYERS)
        if not isinstance(node.value, dict) or not isinstance(node.value.get(LAYERS), Node):
            self._fault(path, f"needs a list of {LAYERS}", node.key or node.place)
            return None
        for key, child in node.value.items():
            if key not in known:
                message = f"unknown key {quote(key)}; the keys here are {join_words(known, 'and')}"
                place = child.key or child.place
                self._fault(f"{path}.{key}", message, place, nearest(key, known))
        layers, parameters = node.value[LAYERS], node.value.get(PARAMETERS)
        if not isinstance(layers.value, tuple) or not layers.value:
            self._fault(f"{path}.{LAYERS}", "must be a list of layers", layers.place)
            return None
        return Block(dict(self._parameters(path, parameters)) if parameters else {}, layers)

    def _parameters(self, path: str, node: Node) -> Iterator[tuple[str, Node | None]]:
        items = node.value if isinstance(node.value, tuple) else (node,)
        for item in items:
            match item.value:
                case str(name) if name.isidentifier():
                    yield name, None
                case dict() as nodes if all(name.isidentifier() for name in nodes):
                    yield from nodes.items()
                case _:
                    message = "must be names, such as [filters, {strides: 1}] with a default"
                    self._fault(f"{path}.{PARAMETERS}", message, item.place)

    def layers(self, node: Node, chain: tuple[str, ...]) -> Node:
        """A stack of layers with blocks expanded.

        Args:
            chain: the blocks around it, outermost first.
        """
        if not isinstance(node.value, tuple):
            return self._layer(node, chain)
        return sequence((self._layer(item, chain) for item in node.value), node)

    def _layer(self, node: Node, chain: tuple[str, ...]) -> Node:
        if isinstance(node.value, str):
            name, given = node.value, Node({}, node.place, node.place)
        elif isinstance(node.value, dict) and len(node.value) == 1:
            [(name, given)] = node.value.items()
        else:
            return node
        if name in component.COMPOSITES and isinstance(given.value, dict):
            inner = self._inside(name, given.value, chain)
            return mapping({name: mapping(inner, given)}, node)
        place = given.key or node.place
        if name not in self._blocks:
            return _block((), name, place, node) if self._is_meant(name, place) else node
        return _block(self._used(name, given, place, chain), name, place, node)

    def _is_meant(self, name: str, place: Place) -> bool:
        """Whether an unknown name is that of a faulty block, or a misspelt one."""
        if name in self._broken:
            return True
        near = None if catalogue.is_known("layers", name) else nearest(name, list(self._blocks))
        if near and re.fullmatch(NAME, name):
            self._fault("model", f"there is no block {quote(name)}", place, near)
            return True
        return False

    def _inside(self, name: str, given: dict[str, Node], chain: tuple[str, ...]) -> dict[str, Node]:
        """The arguments of a layer with stacks in it."""
        expanded = dict(given)
        for key, node in given.items():
            kind = catalogue.argument_kind("layers", name, key)
            if kind == "layers":
                expanded[key] = self.layers(node, chain)
            elif kind == component.STACKS and isinstance(node.value, tuple):
                expanded[key] = sequence((self.layers(stack, chain) for stack in node.value), node)
        return expanded

    def _used(
        self, name: str, given: Node, place: Place, chain: tuple[str, ...]
    ) -> tuple[Node, ...]:
        """The layers of a used block; empty if the use is faulty."""
        block = self._blocks[name]
        if name in chain:
            self._fault("model", f"{name} uses itself: {' → '.join((*chain, name))}", place)
            return ()
        values = self._parameter_values(name, block, given, place)
        if values is None or self._left < 0:
            return ()
        self._left -= block.layers.size
        if self._left < 0:
            message = f"more than {source.MOST_VALUES:,} values once blocks are expanded"
            self._fault("model", message, place)
            return ()
        layers = self.layers(self._filled(block.layers, name, values), (*chain, name))
        assert isinstance(layers.value, tuple)
        return layers.value

    def _parameter_values(
        self, name: str, block: Block, given: Node, place: Place
    ) -> dict[str, Node] | None:
        """The value of each parameter; None if the use is faulty."""
        names = list(block.parameters)
        passed: dict[str, Node] = {}
        match given.value:
            case None:
                pass
            case dict() as nodes:
                passed = nodes
            case tuple() as items:
                passed = dict(zip(names, items, strict=False))
                if len(items) > len(names):
                    message = f"{name} takes {_counted(names)}, got {len(items)}"
                    self._fault("model", message, given.place)
                    return None
            case _:
                passed = {names[0] if names else "": given}
        unknown = passed.keys() - {*names}
        for key in unknown:
            message = f"{name} takes {_counted(names)}, not {quote(key)}"
            self._fault("model", message, passed[key].key or passed[key].place, nearest(key, names))
        values = {key: passed.get(key, default) for key, default in block.parameters.items()}
        lacking = [key for key, value in values.items() if value is None]
        if lacking and not unknown:
            self._fault("model", f"{name} needs {join_words(lacking, 'and')}", place)
        if lacking or unknown:
            return None
        return {key: value for key, value in values.items() if value is not None}

    def _filled(self, node: Node, name: str, values: Mapping[str, Node]) -> Node:
        """A part of a block with its parameters replaced by values."""
        match node.value:
            case str(text) if text.startswith(SIGN):
                parameter = text.removeprefix(SIGN)
                if parameter in values:
                    return values[parameter].under(node.key)
                message = f"{name} has no parameter {quote(parameter)}"
                near = nearest(parameter, list(values))
                self._fault(f"{KEY}.{name}", message, node.place, near and f"{SIGN}{near}")
            case tuple() as items:
                return sequence((self._filled(each, name, values) for each in items), node)
            case dict() as nodes:
                filled = {key: self._filled(each, name, values) for key, each in nodes.items()}
                return mapping(filled, node)
        return node


def _block(layers: tuple[Node, ...], name: str, place: Place, like: Node) -> Node:
    """The layers of a used block as one layer."""
    stack = sequence(layers, Node((), place, place))
    arguments = {"block": Node(name, place, place), LAYERS: stack}
    inner = mapping(arguments, Node({}, place, place))
    return mapping({"Block": inner}, like)


def _counted(names: Sequence[str]) -> str:
    if not names:
        return "no parameter"
    return f"the parameter{'s' if len(names) > 1 else ''} {join_words(names, 'and')}"
