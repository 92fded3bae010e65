"""Short forms written out: `Dense: 16` becomes `Dense: {units: 16}`, `dataset: imdb` a mapping."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nnrun.spec import catalogue, composites, nesting
from nnrun.spec.steps import STEPS, first_argument
from nnrun.spec.tree import Node, mapping, sequence

Rewrite = Callable[[Node], Node]

# Of these a bare word is a component; elsewhere, as in `activation: relu`, it stays a word.
_BUILT = frozenset(("layers", "optimizers", "losses", "metrics", "callbacks"))


def expand(root: Node) -> Node:
    """The spec with every short form written out, each value in its old place."""
    return _fields(
        root,
        {
            "dataset": _dataset,
            "model": _each(lambda node: component("layers", node)),
            "training": _training,
        },
    )


def _training(node: Node) -> Node:
    return _fields(
        node,
        {
            "optimizer": lambda child: component("optimizers", child),
            "loss": lambda child: component("losses", child),
            "metrics": _each(lambda child: component("metrics", child)),
            "callbacks": _each(lambda child: component("callbacks", child)),
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


def component(kind: str, node: Node) -> Node:
    """A component as one name with a mapping of arguments, as far as it is one."""
    match node.value:
        case str(name) if name and kind in _BUILT:
            empty = Node({}, node.place, node.place)
            return mapping({name: empty}, node)
        case dict() as nodes if len(nodes) == 1:
            [(name, arguments)] = nodes.items()
            written = _arguments(kind, name, arguments)
            # Keras takes arguments with its own name only, not with another word for it.
            own = catalogue.meaning(kind, name) if written.value else name
            return mapping({own: written}, node)
        case tuple() as items if kind == "layers":
            return sequence((component(kind, item) for item in items), node)
    return node


def _arguments(kind: str, name: str, node: Node) -> Node:
    entry = catalogue.entry(kind, name)
    if node.value is None:
        return replace(node, value={})
    if not isinstance(node.value, dict):
        if entry is None or entry.first is None:
            return node
        if nesting.arguments_as_list(node.plain(), entry.accepted):
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
    # A list in a list is rewritten as what it is a list of.
    kind = "layers" if kind == composites.STACKS else kind
    return lambda node: component(kind or "", node)


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
