"""From a graph of layers to a stack: paths as `Branches`, and names only where paths cross."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from nnrun.spec.component import INPUT, MERGES, SOURCE, count_layers

FEW = 3  # layers; repeats of fewer are written out


@dataclass(eq=False)
class Node:
    """One use of a layer, and its output.

    Args:
        layer: a layer of Keras, a word of `MERGES`, or `input`.
        arguments: as in a spec.
        inputs: what it is applied to; several for a merge.
        label: its name in Keras.
        attended: the `value` and `key` of an attention, if they are not its input.
    """

    layer: str
    arguments: dict[str, object] = field(default_factory=dict)
    inputs: Sequence[Node] = ()
    label: str = ""
    attended: dict[str, Node] = field(default_factory=dict)

    @property
    def before(self) -> list[Node]:
        """Everything that it takes."""
        return [*self.inputs, *self.attended.values()]


@dataclass(frozen=True)
class _Ref:
    """The output of a node, which is further above."""

    node: Node


@dataclass(frozen=True)
class _Merge:
    """A merge node with its paths."""

    node: Node
    paths: list[list[_Item]]


_Item = Node | _Ref | _Merge
_Items = list[_Item]


class _Stacker:
    """Divides a graph at the nodes through which every way to the output leads.

    Attributes:
        order: the nodes, each after all that it takes; the input is the first.
    """

    def __init__(self, output: Node) -> None:
        self.order = _ordered(output)
        after: dict[Node, list[Node]] = {node: [] for node in self.order}
        for node in self.order:
            for one in node.before:
                after[one].append(node)
        # A dominator of a node is on every way to it, the join of a node on every way from it.
        self._dominator = _closest_common(self.order, {n: n.before for n in self.order})
        self._join = _closest_common(self.order[::-1], after)
        attended = {one for node in self.order for one in node.attended.values()}
        self._crossing = {
            node
            for node in self.order
            if node in attended
            or (len(after[node]) > 1 and self._dominator.get(self._join[node]) is not node)
        }

    def sequence(self, start: Node, end: Node) -> _Items:
        """What leads from one node to another, which it dominates."""
        chain = [end]
        while chain[-1] is not start:
            chain.append(self._dominator[chain[-1]])
        chain.reverse()
        return [item for pair in pairwise(chain) for item in self._step(*pair)]

    def _step(self, start: Node, end: Node) -> _Items:
        """What leads from a node to the next one that it alone dominates."""
        if end.before == [start]:
            return [end]
        available, current, items = {start}, start, list[_Item]()
        for node in (*self._crossing_between(start, end), end):
            items += _continued(self._expression(node, available), current)
            available.add(node)
            current = node
        return items

    def _crossing_between(self, start: Node, end: Node) -> list[Node]:
        """The nodes whose outputs are needed by name, but for those inside a step of their own."""
        within = self._between(start, end)
        forks = {
            node: self._join[node]
            for node in within
            if self._dominator.get(self._join[node]) is node and self._join[node] in within
        }
        enclosed = {n for fork, join in forks.items() for n in self._between(fork, join)}
        return [node for node in self.order if node in within - enclosed & self._crossing]

    def _between(self, start: Node, end: Node) -> set[Node]:
        """The nodes on the ways from one node to another."""
        found, waiting = set[Node](), [*end.before]
        while waiting:
            node = waiting.pop()
            if node is not start and node not in found:
                found.add(node)
                waiting += node.before
        return found

    def _expression(self, node: Node, available: set[Node]) -> _Items:
        """What leads to a node from those that are available."""
        chain: _Items = []
        while node not in available:
            dominator = self._dominator[node]
            if node.before != [dominator]:
                if dominator not in available:
                    return [
                        *self._expression(dominator, available),
                        *self._step(dominator, node),
                        *chain,
                    ]
                if not node.attended:
                    paths = [self._expression(one, available) for one in node.inputs]
                    return [_Merge(node, paths), *chain]
            chain.insert(0, node)
            [node] = node.inputs
        return [_Ref(node), *chain]


def _continued(items: _Items, current: Node) -> _Items:
    """Without `from` where the output just above is meant."""
    match items:
        case [_Ref(node), *rest] if node is current:
            return rest
        case [_Merge(node, paths), *rest]:
            return [_Merge(node, [_continued(path, current) for path in paths]), *rest]
    return items


def _ordered(output: Node) -> list[Node]:
    """The nodes that lead to an output, each after all that it takes."""
    order: dict[Node, None] = {}
    waiting = [output]
    while waiting:
        node = waiting[-1]
        missing = [one for one in node.before if one not in order]
        if missing:
            waiting += reversed(missing)
        else:
            order.setdefault(waiting.pop())
    return [*order]


def _closest_common(
    order: Sequence[Node], before: Mapping[Node, Sequence[Node]]
) -> dict[Node, Node]:
    """The closest node that is on every way from the first node of an order, by node."""
    number = {node: index for index, node in enumerate(order)}
    closest: dict[Node, Node] = {}
    for node in order[1:]:
        common, *others = before[node]
        for other in others:
            while common is not other:
                if number[common] > number[other]:
                    common = closest[common]
                else:
                    other = closest[other]
        closest[node] = common
    return closest


def _folded(layers: list[object]) -> list[object]:
    """The layers with equal groups in a row as `Repeat`; names are in one place, so never repeated."""
    folded: list[object] = []
    while layers:
        group, times = max(_groups(layers), key=lambda found: found[0] * (found[1] - 1))
        if times == 1 or count_layers(layers[:group]) < FEW:
            folded.append(layers[0])
            layers = layers[1:]
        else:
            folded.append({"Repeat": {"times": times, "layers": layers[:group]}})
            layers = layers[group * times :]
    return folded


def _groups(layers: list[object]) -> Iterator[tuple[int, int]]:
    """Lengths of groups at the beginning, with how often each is there in a row."""
    for length in range(1, len(layers) // 2 + 2):
        group, times = layers[:length], 1
        while layers[length * times : length * (times + 1)] == group:
            times += 1
        yield length, times


def as_stack(output: Node) -> list[object]:
    """The layers of a model, as in a spec, from its input to its output."""
    stacker = _Stacker(output)
    items = stacker.sequence(stacker.order[0], output)
    writer = _Writer(stacker.order)
    writer.name_sources(items)
    return writer.stack(items)


class _Writer:
    """Writes items as layers of a spec, with names for the outputs that are used further down."""

    def __init__(self, order: Sequence[Node]) -> None:
        self._names: dict[Node, str] = {order[0]: INPUT}
        self._taken = {INPUT, *(str(node.arguments.get("shared")) for node in order)}

    def name_sources(self, items: _Items) -> None:
        """Gives a name to every node that `from` names."""
        for item in items:
            match item:
                case _Ref(node):
                    self._name(node)
                case _Merge(_, paths):
                    for path in paths:
                        self.name_sources(path)
                case Node():
                    for node in item.attended.values():
                        self._name(node)

    def _name(self, node: Node) -> None:
        if node in self._names:
            return
        label = re.sub(r"[^A-Za-z0-9_.-]", "_", node.label).lstrip("_.-")[:90] or "output"
        names = (label, *(f"{label}_{number}" for number in range(1, len(self._taken) + 1)))
        self._names[node] = next(name for name in names if name not in self._taken)
        self._taken.add(self._names[node])

    def stack(self, items: _Items) -> list[object]:
        """The layers of a stack."""
        return _folded([self._layer(item) for item in items])

    def _layer(self, item: _Item) -> object:
        match item:
            case _Ref(node):
                return {SOURCE: self._names[node]}
            case _Merge(
                node, [[], [Node() | _Merge(), *_] as main] | [[Node() | _Merge(), *_] as main, []]
            ) if node.layer == "add":
                return {"Residual": {"main": self.stack(main), **self._named(node)}}
            case _Merge(node, paths):
                arguments: dict[str, object] = {"paths": [self.stack(path) for path in paths]}
                if node.layer != MERGES[0] or node.arguments:
                    merge = {node.layer: node.arguments} if node.arguments else node.layer
                    arguments["merge"] = merge
                return {"Branches": {**arguments, **self._named(item.node)}}
        attended = {key: {SOURCE: self._names[n]} for key, n in item.attended.items()}
        arguments = {**item.arguments, **attended, **self._named(item)}
        return {item.layer: arguments} if arguments else item.layer

    def _named(self, node: Node) -> dict[str, object]:
        return {"name": self._names[node]} if node in self._names else {}
