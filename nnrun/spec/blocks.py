"""`blocks`: stacks of layers with a name and parameters, written out wherever the model uses them.

Each value keeps the place where it stands in the file: one of the block the line in the block, one
that was handed over the line of its use.
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
"""Of a block, which so cannot be taken for a layer of Keras's."""
SIGN = "$"
"""Before the name of a parameter where its value is wanted."""


@dataclass(frozen=True)
class Block:
    """One block as it is defined.

    Args:
        parameters: by name, with their defaults; None for one that has to be handed over.
        layers: as in the file.
    """

    parameters: Mapping[str, Node | None]
    layers: Node


def expand_blocks(root: Node) -> tuple[Node, list[Fault]]:
    """A spec without its blocks, each use in the model replaced by the layers it stands for.

    Returns:
        The spec, and what is wrong with blocks and their uses.
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
        """A stack of layers without blocks.

        Args:
            chain: the blocks that it stands in, from the outermost on.
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
        """Whether an unknown name is that of a block that is broken, or of one misspelt."""
        if name in self._broken:
            return True
        near = None if catalogue.is_known("layers", name) else nearest(name, list(self._blocks))
        if near and re.fullmatch(NAME, name):
            self._fault("model", f"there is no block of the name {quote(name)}", place, near)
            return True
        return False

    def _inside(self, name: str, given: dict[str, Node], chain: tuple[str, ...]) -> dict[str, Node]:
        """The arguments of a layer that holds stacks."""
        kinds = {key: each.kind for key, each in catalogue.arguments("layers", name).items()}
        found = dict(given)
        for key, node in given.items():
            if kinds.get(key) == "layers":
                found[key] = self.layers(node, chain)
            elif kinds.get(key) == component.STACKS and isinstance(node.value, tuple):
                found[key] = sequence((self.layers(each, chain) for each in node.value), node)
        return found

    def _used(
        self, name: str, given: Node, place: Place, chain: tuple[str, ...]
    ) -> tuple[Node, ...]:
        """The layers that a use of a block stands for; none where it is wrong."""
        block = self._blocks[name]
        if name in chain:
            self._fault("model", f"{name} uses itself: {' → '.join((*chain, name))}", place)
            return ()
        values = self._handed_over(name, block, given, place)
        if values is None or self._left < 0:
            return ()
        self._left -= block.layers.size
        if self._left < 0:
            message = f"more than {source.MOST_VALUES:,} values once blocks are written out"
            self._fault("model", message, place)
            return ()
        layers = self.layers(self._filled(block.layers, name, values), (*chain, name))
        assert isinstance(layers.value, tuple)
        return layers.value

    def _handed_over(
        self, name: str, block: Block, given: Node, place: Place
    ) -> dict[str, Node] | None:
        """The value of each parameter; None where they do not fit."""
        names = list(block.parameters)
        match given.value:
            case dict() as nodes:
                found = dict(nodes)
            case tuple() as items:
                found = dict(zip(names, items, strict=False))
                if len(items) > len(names):
                    message = f"{name} takes {_counted(names)}, got {len(items)}"
                    self._fault("model", message, given.place)
                    return None
            case None:
                found = {}
            case _:
                found = {names[0] if names else "": given}
        for key in found.keys() - {*names}:
            message = f"{name} takes {_counted(names)}, and none of the name {quote(key)}"
            self._fault("model", message, found[key].key or found[key].place, nearest(key, names))
        values = {key: found.get(key, default) for key, default in block.parameters.items()}
        unknown = bool(found.keys() - {*names})
        lacking = [key for key, value in values.items() if value is None]
        if lacking and not unknown:
            self._fault("model", f"{name} needs {join_words(lacking, 'and')}", place)
        if lacking or unknown:
            return None
        return {key: value for key, value in values.items() if value is not None}

    def _filled(self, node: Node, name: str, values: Mapping[str, Node]) -> Node:
        """A part of a block with values in the place of its parameters."""
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
    """Layers as one of the stack in which a block of such a name was used."""
    stack = sequence(layers, Node((), place, place))
    told = {"block": Node(name, place, place), LAYERS: stack}
    inner = mapping(told, Node({}, place, place))
    return mapping({"Block": inner}, like)


def _counted(names: Sequence[str]) -> str:
    if not names:
        return "no parameter"
    return f"the parameter{'s' if len(names) > 1 else ''} {join_words(names, 'and')}"
