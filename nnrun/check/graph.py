"""Names in a model: outputs that `from` takes, shared layers, and outputs that nothing takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nnrun.errors import IncompatibleSpec
from nnrun.spec import catalogue, graph
from nnrun.spec.component import COMPOSITES, INPUT, SOURCE, Component, inner_stacks, wiring
from nnrun.spec.graph import NamedOutputs
from nnrun.spec.suggest import known_names
from nnrun.spec.text import join_words, quote
from nnrun.spec.tree import KeyPath, dotted


def graph_problems(
    model: Sequence[Component], inputs: Sequence[str] = ()
) -> Iterator[IncompatibleSpec]:
    """Names that are taken or unknown, shared layers that differ, and unused outputs.

    Args:
        inputs: the names of several inputs.
    """
    names = _Names(inputs or (INPUT,))
    names.read([*model], ("model",), repeated=False)
    yield from names.problems
    if not names.problems:
        walk = _Walk(names.paths, inputs)
        walk.end(walk.stack([*model], walk.input, ("model",)))
        # The rounds of a Repeat have the same problems.
        yield from {error.args: error for error in walk.problems}.values()


@dataclass(frozen=True)
class _Use:
    """A name in the model: of a layer or of shared weights, and whether inside a block."""

    path: KeyPath
    shares: bool
    repeated: bool


class _Names:
    """The names of all layers.

    Attributes:
        paths: of the last layer with each name.
    """

    def __init__(self, inputs: Sequence[str]) -> None:
        self._inputs = inputs
        self.paths: dict[str, KeyPath] = {}
        self.problems: list[IncompatibleSpec] = []
        self._uses: dict[str, _Use] = {}
        self._shared: dict[str, Component] = {}

    def read(self, stack: object, path: KeyPath, *, repeated: bool) -> None:
        """Reads a stack; names inside a block, which may be used again, are not unique."""
        for at, layer in graph.positions(stack, path):
            if name := graph.output_name(layer):
                self.paths[name] = at
                self._take(name, "name", layer, _Use(at, shares=False, repeated=repeated))
            if name := graph.shared_name(layer):
                self._take(name, "shared", layer, _Use(at, shares=True, repeated=repeated))
                self._compare(name, layer, at)
            within = repeated or layer.name == "Block"
            for inner, layers in inner_stacks(layer.name, layer.arguments):
                self.read(layers, (*at, layer.name, *inner), repeated=within)

    def _take(self, name: str, key: str, layer: Component, use: _Use) -> None:
        first = self._uses.setdefault(name, use)
        if name in self._inputs:
            owner = "an input of the model" if len(self._inputs) > 1 else "the input of the model"
        elif (
            first is use
            or (first.shares and use.shares)
            or (first.shares == use.shares and (first.repeated or use.repeated))
        ):
            return
        else:
            owner = dotted(first.path)
        message = f"the name {quote(name)} is taken by {owner}"
        self.problems.append(IncompatibleSpec("NN124", (*use.path, layer.name, key), message))

    def _compare(self, name: str, layer: Component, path: KeyPath) -> None:
        first = self._shared.setdefault(name, layer)
        one, other = map(_of_layer, (first, layer))
        differing = [key for key in one | other if one.get(key) != other.get(key)]
        if first.name != layer.name:
            reason = f"is a {layer.name}, and above it is a {first.name}"
        elif differing:
            reason = f"differs in {join_words(differing, 'and')} from its first use"
        else:
            return
        message = f"the shared layer {quote(name)} {reason}; one layer has the same arguments"
        self.problems.append(IncompatibleSpec("NN124", (*path, layer.name), message))


def _of_layer(layer: Component) -> dict[str, object]:
    """The arguments of a layer itself, without those of one of its uses."""
    arguments = catalogue.name_lone_argument("layers", layer).arguments
    left_out = {"name", *wiring(layer.name)}
    return {key: value for key, value in arguments.items() if key not in left_out}


@dataclass(eq=False)
class _Output:
    """An output in the model, and whether a layer takes it."""

    path: KeyPath
    layer: str = INPUT
    used: bool = False


class _Walk:
    """Connects all layers in order, with all repeats, as building the model does."""

    def __init__(self, paths: dict[str, KeyPath], inputs: Sequence[str]) -> None:
        self.problems: list[IncompatibleSpec] = []
        self.input = _Output(("model",), used=True)
        self._paths = paths
        self._named = NamedOutputs(dict.fromkeys(inputs, self.input) if inputs else self.input)
        self._outputs: list[_Output] = []

    def end(self, last: _Output) -> None:
        """Reports the outputs that nothing takes; the last one is that of the model."""
        unknown = bool(self.problems)
        for output in self._outputs:
            if not (unknown or output.used or output is last):
                message = (
                    f"nothing uses the output of {output.layer}, because the layers after it begin "
                    f"with {SOURCE}; give it a name and use it, or remove it"
                )
                self.problems.append(IncompatibleSpec("NN124", output.path, message))

    def stack(self, layers: object, current: _Output, path: KeyPath) -> _Output:
        for at, layer in graph.positions(layers, path):
            current = self._apply(layer, current, at)
            self._named.add(layer, current)
        return current

    def _apply(self, layer: Component, current: _Output, path: KeyPath) -> _Output:
        if layer.name == SOURCE:
            return self._source(layer, path)
        stacks = [
            (stack, (*path, layer.name, *at))
            for at, stack in inner_stacks(layer.name, layer.arguments)
        ]
        match layer.name:
            case "Block" | "Repeat":
                [(layers, at)] = stacks
                for _ in range(layer.arguments.get("times", 1)):
                    current = self.stack(layers, current, at)
                return current
            case name if name in COMPOSITES:
                taken = [self.stack(stack, current, at) for stack, at in stacks]
                if name == "Residual" and "shortcut" not in layer.arguments:
                    taken.append(current)
            case _:
                found = graph.sources(layer).items()
                taken = [current, *(self._source(s, (*path, layer.name, key)) for key, s in found)]
        for output in taken:
            output.used = True
        self._outputs.append(_Output(path, layer.name))
        return self._outputs[-1]

    def _source(self, source: Component, path: KeyPath) -> _Output:
        if output := self._named.of(source):
            return output
        name, names = graph.source_name(source), self._named.names()
        if name in self._paths:
            reason = (
                f"{quote(name)} is the output of {dotted(self._paths[name])}, which comes later"
            )
        else:
            reason = f"no layer before it has the name {quote(name)}; {known_names(name, names)}"
        self.problems.append(IncompatibleSpec("NN124", path, reason))
        return _Output(path, used=True)
