"""Any graph of layers with one input and one output becomes a stack that computes the same."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nnrun.check.graph import graph_problems
from nnrun.spec import catalogue, graph
from nnrun.spec.component import INPUT, SOURCE, Component, as_stack
from nnrun.spec.graph import NamedOutputs
from nnrun.spec.stacking import Node
from nnrun.spec.stacking import as_stack as stack_of


@st.composite
def graphs(draw: st.DrawFn) -> Node:
    """The output of layers, merges and attentions with any earlier outputs."""
    nodes = [Node(INPUT)]
    for number in range(draw(st.integers(1, 12))):
        before = st.sampled_from(nodes[-4:])
        label = f"block/{number % 3}"
        match draw(st.sampled_from(["layer", "layer", "merge", "attention"])):
            case "layer":
                node = Node("Dense", {"units": number + 1}, [draw(before)], label)
            case "merge":
                inputs = draw(st.lists(before, min_size=2, max_size=3))
                node = Node("average", {}, inputs, label)
            case _:
                value = {"value": draw(before)} if draw(st.booleans()) else {}
                node = Node("Attention", {"seed": number}, [draw(before)], label, value)
        nodes.append(node)
    return nodes[-1]


def computed(node: Node) -> Any:
    """What a node computes, as nested tuples."""
    if node.layer == INPUT:
        return INPUT
    given = tuple(node.arguments.items())
    return (node.layer, given, tuple(map(computed, node.before)))


def applied(stack: object, current: Any, named: NamedOutputs[Any]) -> Any:
    """What a stack of a spec computes from `current`."""
    for _, layer in graph.positions(stack):
        current = applied_layer(layer, current, named)
        named.add(layer, current)
    return current


def applied_layer(layer: Component, current: Any, named: NamedOutputs[Any]) -> Any:
    if layer.name == SOURCE:
        return named.of(layer)
    if layer.name == "Branches":
        paths = [applied(path, current, named) for path in as_stack(layer.arguments["paths"])]
        return (catalogue.merge_of(layer.arguments).name, (), tuple(paths))
    attended = [named.of(source) for source in graph.sources(layer).values()]
    given = {k: v for k, v in layer.arguments.items() if k not in ("name", "value")}
    return (layer.name, tuple(given.items()), (current, *attended))


@settings(deadline=None, max_examples=300, derandomize=True, database=None)
@given(graphs())
def test_a_stack_computes_the_same_as_its_graph(output: Node) -> None:
    """Each layer once, and with names that `check` accepts."""
    stack = stack_of(output)
    layers = [catalogue.parse_component("layers", layer) for layer in stack]

    assert applied(stack, INPUT, NamedOutputs(INPUT)) == computed(output)
    assert [*graph_problems(layers)] == []
    assert sorted(kinds(stack)) == sorted(n.layer for n in every_node(output) if n.layer != INPUT)


def kinds(stack: object) -> list[str]:
    """The layers and merges in a stack."""
    found = []
    for _, layer in graph.positions(stack):
        if layer.name == "Branches":
            found.append(catalogue.merge_of(layer.arguments).name)
            found += [kind for path in as_stack(layer.arguments["paths"]) for kind in kinds(path)]
        elif layer.name != SOURCE:
            found.append(layer.name)
    return found


def every_node(output: Node) -> set[Node]:
    """The nodes that lead to an output."""
    return {output, *(node for one in output.before for node in every_node(one))}


def test_a_fork_that_joins_again_needs_no_name() -> None:
    start = Node("Dense", {"units": 1}, [Node(INPUT)], "stem")
    paths = [Node("Dense", {"units": n}, [start], "path") for n in (2, 3)]
    join = Node("concatenate", {}, [*paths, start], "join")

    assert stack_of(Node("add", {}, [Node("ReLU", {}, [join]), join], "sum")) == [
        {"Dense": {"units": 1}},
        {"Branches": {"paths": [[{"Dense": {"units": 2}}], [{"Dense": {"units": 3}}], []]}},
        {"Residual": {"main": ["ReLU"]}},
    ]


def test_equal_groups_in_a_row_are_repeated() -> None:
    node = Node(INPUT)
    for _ in range(3):
        main = Node("Dense", {"units": 4}, [Node("ReLU", {}, [node])])
        node = Node("BatchNormalization", {}, [Node("add", {}, [main, node])])
    two = Node("Dense", {"units": 2}, [Node("Dense", {"units": 2}, [node])])

    residual = {"Residual": {"main": ["ReLU", {"Dense": {"units": 4}}]}}
    assert stack_of(two) == [
        {"Repeat": {"times": 3, "layers": [residual, "BatchNormalization"]}},
        {"Dense": {"units": 2}},
        {"Dense": {"units": 2}},
    ]
