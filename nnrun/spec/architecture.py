"""Architectures that Keras has saved, as layers of a spec: `.keras` files, and JSON of `to_json`.

The files are read without Keras, from version 2 or 3; nothing in them is run.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nnrun.spec import catalogue, stacking
from nnrun.spec.component import ATTENTION, INPUT, MERGES, Argument
from nnrun.spec.stacking import Node
from nnrun.spec.text import join_words, quote

SUFFIXES = (".keras", ".json")
_LARGEST = 50_000_000  # bytes of a configuration; that of ResNet-152 has 700,000
_MODELS = frozenset(("Functional", "Model", "Sequential"))
_MERGES = {name.capitalize(): name for name in MERGES}
# Classes of earlier versions.
_RENAMED = {
    **{f"CuDNN{name}": name for name in ("LSTM", "GRU")},
    **{f"BatchNormalizationV{version}": "BatchNormalization" for version in (1, 2)},
}
# Arguments of earlier versions, and what describes the file.
_RENAMED_ARGUMENTS = {("LeakyReLU", "alpha"): "negative_slope"}
_IGNORED = frozenset(
    "name dtype batch_input_shape batch_shape input_length time_major implementation fused ragged "
    "sparse virtual_batch_size query_shape key_shape value_shape autocast weights".split()
)
_PER_DIMENSION = frozenset("kernel_size strides pool_size dilation_rate size".split())
# Operators between outputs, or an output and a number, by Keras 3 and TensorFlow's names.
_OPERATORS = {
    **dict.fromkeys(("add", "__operators__.add", "math.add"), "add"),
    **dict.fromkeys(("subtract", "__operators__.sub", "math.subtract"), "subtract"),
    **dict.fromkeys(("multiply", "__operators__.mul", "math.multiply"), "multiply"),
    **dict.fromkeys(("truedivide", "divide", "math.truediv", "math.divide"), "divide"),
    **dict.fromkeys(("maximum", "math.maximum"), "maximum"),
    **dict.fromkeys(("minimum", "math.minimum"), "minimum"),
    **dict.fromkeys(("concatenate", "concat"), "concatenate"),
}

Json = Mapping[str, object]
_Arguments = dict[str, object]


class UnreadableArchitecture(Exception):
    """A file is no architecture, or has a part that a spec cannot have."""


@dataclass(frozen=True)
class Architecture:
    """A model as a spec has it.

    Args:
        layers: as in the YAML of a spec.
        shape: of an input row; None for lengths that the file leaves open.
        dtype: of the input.
        notes: what is written in another way than in Keras.
    """

    layers: list[object]
    shape: tuple[int | None, ...]
    dtype: str
    notes: tuple[str, ...]


def read(path: Path) -> Architecture:
    """The architecture in a file.

    Raises:
        OSError: it cannot be read.
        UnreadableArchitecture: it is none, or cannot be said in a spec.
    """
    try:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                if archive.getinfo("config.json").file_size > _LARGEST:
                    raise UnreadableArchitecture("its configuration is too large for a model")
                value = json.loads(archive.read("config.json"))
        else:
            value = json.loads(path.read_bytes()[: _LARGEST + 1])
    except (ValueError, KeyError, zipfile.BadZipFile, RecursionError) as error:
        raise UnreadableArchitecture(f"it is not a model of Keras ({error})") from None
    model = _object(value)
    if str(model.get("class_name")) not in _MODELS:
        raise UnreadableArchitecture("it is not a Sequential or Functional model of Keras")
    reader = _Reader()
    try:
        [output] = reader.model(model, None, shared=False)
        layers = stacking.as_stack(output)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UnreadableArchitecture(f"it is not a complete model of Keras ({error!r})") from None
    if not layers:
        raise UnreadableArchitecture("it has no layers")
    return Architecture(layers, reader.shape, reader.dtype, tuple(reader.notes))


def _object(value: object) -> Json:
    if not isinstance(value, dict):
        raise UnreadableArchitecture("it is not a model of Keras")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise UnreadableArchitecture("it is not a complete model of Keras")
    return value


@dataclass(frozen=True)
class _Call:
    """One use of a layer: its inputs, and other arguments by name, some of which are outputs."""

    inputs: list[Node]
    more: Mapping[str, object]


class _Reader:
    """Makes nodes of the layers of a model and of the models inside it.

    Attributes:
        shape, dtype: of the input.
        notes: what is written in another way.
    """

    def __init__(self) -> None:
        self.shape: tuple[int | None, ...] = ()
        self.dtype = "float32"
        self.notes: dict[str, None] = {}
        self._labels: dict[int, str] = {}

    def model(self, model: Json, inputs: list[Node] | None, *, shared: bool) -> list[Node]:
        """The outputs of a model; without `inputs` it is the whole one."""
        config = model["config"]
        layers = _list(config if isinstance(config, list) else _object(config)["layers"])
        if model["class_name"] == "Sequential":
            return self._sequential([_object(layer) for layer in layers], inputs, shared=shared)
        return self._functional(_object(config), inputs, shared=shared)

    def _input(self, layer: Json) -> Node:
        config = _object(layer["config"])
        shape = config.get("batch_shape") or config.get("batch_input_shape")
        if shape is None:
            raise UnreadableArchitecture(
                "its first layer has no input shape; build the model first"
            )
        self.shape = tuple(int(str(n)) if n is not None else None for n in _list(shape)[1:])
        dtype = config.get("dtype")
        self.dtype = dtype if isinstance(dtype, str) else "float32"
        return Node(INPUT)

    def _sequential(
        self, layers: list[Json], inputs: list[Node] | None, *, shared: bool
    ) -> list[Node]:
        current = inputs or [self._input(layers[0])]
        for layer in layers:
            if layer["class_name"] != "InputLayer":
                current = self._apply(layer, _Call(current, {}), shared=shared)
        return current

    def _functional(self, config: Json, inputs: list[Node] | None, *, shared: bool) -> list[Node]:
        layers = [_object(layer) for layer in _list(config["layers"])]
        first = [name for name, _, _ in _histories(config["input_layers"])]
        by_name = {str(layer["name"]): layer for layer in layers}
        if inputs is None:
            if len(first) != 1:
                names = join_words([quote(name) for name in first], "and")
                raise UnreadableArchitecture(f"it has {len(first)} inputs, {names}; a spec has one")
            inputs = [self._input(by_name[first[0]])]
        tensors = {(name, 0): [node] for name, node in zip(first, inputs, strict=True)}
        waiting = [
            (name, index, call)
            for name, layer in by_name.items()
            if layer["class_name"] != "InputLayer"
            for index, call in enumerate(_list(layer["inbound_nodes"]))
        ]
        while waiting:
            later = []
            for name, index, node in waiting:
                call = _read_call(node, tensors)
                if call is None:
                    later.append((name, index, node))
                    continue
                again = shared or len(_list(by_name[name]["inbound_nodes"])) > 1
                tensors[name, index] = self._apply(by_name[name], call, shared=again)
            if len(later) == len(waiting):
                raise UnreadableArchitecture("its layers are not connected")
            waiting = later
        outputs = _histories(config["output_layers"])
        if len(outputs) != 1:
            raise UnreadableArchitecture(f"it has {len(outputs)} outputs; a spec has one")
        return [tensors[name, index][tensor] for name, index, tensor in outputs]

    def _apply(self, layer: Json, call: _Call, *, shared: bool) -> list[Node]:
        if layer["class_name"] in _MODELS:
            return self.model(layer, call.inputs, shared=shared)
        name, config = str(layer["class_name"]), _object(layer["config"])
        label = str(layer.get("name") or config.get("name") or name)
        if not call.inputs:
            raise UnreadableArchitecture(f"layer {quote(label)} has no input")
        if str(layer.get("module", "")).startswith("keras.src.ops") or name == "TFOpLambda":
            return [_operator(str(config.get("function", name)), label, call)]
        if name in _SPECIAL:
            return [_SPECIAL[name](self, config, label, call)]
        node = Node(_MERGES.get(name, name), {}, call.inputs, label)
        if name in ATTENTION:
            _attend(node, call)
        elif refused := _refused(call):
            raise UnreadableArchitecture(f"layer {quote(label)} is called with {refused}")
        elif len(call.inputs) > 1 and name not in _MERGES:
            raise UnreadableArchitecture(f"layer {quote(label)}, a {name}, has several inputs")
        if name in _MERGES:
            node.arguments |= self._arguments("merges", node.layer, config)
            return [node if len(call.inputs) > 1 else call.inputs[0]]
        node.layer, arguments = self._component("layers", name, config, label)
        node.arguments |= arguments
        if shared and _has_weights(node.layer):
            node.arguments["shared"] = self._label(layer, label)
        return [_activated(node, config)]

    def _label(self, layer: Json, label: str) -> str:
        """A name for the weights of a layer, which no other layer has."""
        if id(layer) not in self._labels:
            taken = set(self._labels.values())
            names = (label, *(f"{label}_{number}" for number in range(1, len(taken) + 2)))
            self._labels[id(layer)] = next(name for name in names if name not in taken)
        return self._labels[id(layer)]

    def _component(
        self, kind: str, name: str, config: Json, label: str = ""
    ) -> tuple[str, _Arguments]:
        """A name of Keras with its arguments."""
        name = catalogue.canonical_name(kind, _RENAMED.get(name, name))
        entry = catalogue.entry(kind, name)
        if entry is None:
            what = "runs Python code" if name == "Lambda" else "is not a part of Keras"
            place = f" of layer {quote(label)}" if label else ""
            raise UnreadableArchitecture(f"the {name}{place} {what}; a spec cannot contain it")
        return name, self._arguments(kind, name, config)

    def _arguments(self, kind: str, name: str, config: Json) -> _Arguments:
        """The arguments that differ from their defaults."""
        accepted = catalogue.arguments(kind, name)
        given: _Arguments = {}
        for key, value in config.items():
            argument = accepted.get(_RENAMED_ARGUMENTS.get((name, key), key))
            if key in _IGNORED:
                continue
            if argument is None:
                if kind != "merges" and value not in (None, False, "channels_last"):
                    self.notes[f"{name} has no {quote(key)} in this version of Keras"] = None
                continue
            plain = self._value(argument, value)
            if not _is_default(argument, plain, accepted):
                given[argument.name] = plain
        # Keras writes these although they follow from others.
        for key, other in (("strides", "pool_size"), ("value_dim", "key_dim")):
            if key in given and other in accepted:
                default = _collapsed(accepted[other], accepted[other].default)
                if given[key] == given.get(other, default):
                    del given[key]
        if name == "Bidirectional":
            given.pop("backward_layer", None)
        return given

    def _value(self, argument: Argument, value: object) -> object:
        if argument.kind == "activations":
            return value if isinstance(value, str | None) else _activation(_object(value))
        if argument.kind is not None and isinstance(value, list):
            return [self._value(argument, each) for each in value]
        if argument.kind is not None and isinstance(value, dict) and "class_name" in value:
            config = _object(value.get("config") or {})
            name, given = self._component(argument.kind, str(value["class_name"]), config)
            given.pop("zero_output_for_mask", None)  # set by Bidirectional
            return {name: given} if given else name
        if isinstance(value, dict) and value.get("class_name") == "__tuple__":
            value = value["items"]
        return _collapsed(argument, value)


def _is_default(argument: Argument, value: object, accepted: Mapping[str, Argument]) -> bool:
    if argument.required:
        return False
    default = _collapsed(argument, argument.default)
    if argument.kind and isinstance(value, str) and isinstance(default, str):
        kind = argument.kind
        return catalogue.canonical_name(kind, value) == catalogue.canonical_name(kind, default)
    if argument.kind == "activations" and value == "linear":
        return default is None
    if argument.name == "data_format":
        return value in (None, "channels_last")
    return value == default or ("axis" not in accepted and value is None)


def _collapsed(argument: Argument, value: object) -> object:
    """One number for equal ones in all dimensions."""
    if not isinstance(value, list) or not value:
        return value
    if argument.name in _PER_DIMENSION and all(each == value[0] for each in value):
        return value[0]
    if argument.name == "axis" and len(value) == 1:
        return value[0]
    return value


def _activation(value: Json) -> str:
    """The name of an activation; a layer such as LeakyReLU comes after, see `_activated`."""
    if value.get("class_name") == "function" or "function_name" in value:
        name = str(value.get("config") or value.get("function_name"))
        if catalogue.is_known("activations", name):
            return name
    if catalogue.is_known("layers", str(value.get("class_name"))):
        return "linear"
    raise UnreadableArchitecture(f"the activation {quote(str(value.get('config')))} is not Keras's")


def _activated(node: Node, config: Json) -> Node:
    """The node, or the layer that a layer has as its activation, behind it."""
    value = config.get("activation")
    if not isinstance(value, dict) or not catalogue.is_known("layers", str(value["class_name"])):
        return node
    reader = _Reader()
    name, arguments = reader._component(
        "layers", str(value["class_name"]), _object(value["config"])
    )
    return Node(name, arguments, [node], f"{node.label}_activation")


def _has_weights(name: str) -> bool:
    kinds = {argument.kind for argument in catalogue.arguments("layers", name).values()}
    return bool(kinds & {"initializers", "layers"})


def _histories(value: object) -> list[tuple[str, int, int]]:
    """Names with the number of their use and of their output."""
    values = _list(value)
    several = values if isinstance(values[0], list) else [values]
    return [(str(n), int(str(i)), int(str(t))) for n, i, t in map(_list, several)]


def _read_call(node: object, tensors: Mapping[tuple[str, int], list[Node]]) -> _Call | None:
    """The arguments of a use; None if one of its inputs is not known yet."""

    def outputs(value: object) -> Iterator[object]:
        """Every output in an argument."""
        match value:
            case {"class_name": "__keras_tensor__", "config": {"keras_history": [str(n), i, t]}}:
                yield tensors[n, i][t]
            case [str(n), int(i), int(t), *_]:
                yield tensors[n, i][t]
            case list():
                for each in value:
                    yield from outputs(each)

    try:
        if isinstance(node, dict):
            positional, named = _list(node["args"]), dict(_object(node["kwargs"]))
            more = {f"#{n}": value for n, value in enumerate(positional) if n}
            inputs = [*outputs(positional[:1])]
        else:
            calls = [_list(node)] if _is_output(node) else [_list(call) for call in _list(node)]
            named, more, inputs = {}, {}, [*outputs(calls)]
            for call in calls:
                named |= _object(call[3]) if len(call) > 3 else {}
        for key, value in (named | more).items():
            more[key] = next(outputs([value]), value)
    except KeyError:
        return None
    return _Call([each for each in inputs if isinstance(each, Node)], more)


def _is_output(value: object) -> bool:
    """Whether it is an output in the format of Keras 2, which may have arguments."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], str)


def _refused(call: _Call) -> str:
    """Other arguments of a use that change its output."""
    for key, value in call.more.items():
        if isinstance(value, Node):
            return "several outputs"
        if value not in (None, False) and key not in ("training", "name"):
            return f"{key.removeprefix('#')}: {value}"
    return ""


def _attend(node: Node, call: _Call) -> None:
    """Connects an attention with its query, value and key."""
    given = dict(zip(("query", "value", "key"), call.inputs, strict=False))
    keys = {"#1": "value", "#2": "key"}
    given |= {keys.get(key, key): v for key, v in call.more.items() if isinstance(v, Node)}
    query = given.pop("query")
    node.inputs = [query]
    value = given.get("value", query)
    if given.get("key") in (None, value):
        given.pop("key", None)
    if value is query:
        given.pop("value", None)
    if given.keys() - {"value", "key"}:
        raise UnreadableArchitecture(f"the attention {quote(node.label)} has a mask of its own")
    node.attended = given
    if call.more.get("use_causal_mask"):
        node.arguments["use_causal_mask"] = True
    if call.more.get("return_attention_scores"):
        raise UnreadableArchitecture(f"the attention {quote(node.label)} has two outputs")


def _operator(function: str, label: str, call: _Call) -> Node:
    """An operator between two outputs is a merge, and one with a number is Rescaling."""
    operator = _OPERATORS.get(function.lower())
    values = [*call.inputs, *(v for key, v in call.more.items() if key not in ("name", "axis"))]
    match operator, values:
        case str(), [Node() as one, Node() as other] if operator != "divide":
            return Node(operator, {}, [one, other], label)
        case "concatenate", [Node(), *_]:
            axis = call.more.get("axis", call.more.get("#1", -1))
            return Node(operator, {} if axis == -1 else {"axis": axis}, call.inputs, label)
        case str(), [Node() as one, int() | float() as number]:
            scale = {"multiply": number, "divide": 1 / number if number else 1}.get(operator, 1)
            offset = {"add": number, "subtract": -number}.get(operator, 0)
            if operator in ("add", "subtract", "multiply", "divide"):
                arguments: _Arguments = {"scale": scale, **({"offset": offset} if offset else {})}
                return Node("Rescaling", arguments, [one], label)
    raise UnreadableArchitecture(
        f"{quote(label)} calls the operation {quote(function)}, for which Keras has no layer"
    )


def _layer_scale(reader: _Reader, config: Json, label: str, call: _Call) -> Node:
    reader.notes[
        "LayerScale is a DepthwiseConv2D with kernel_size 1, which has the same weights"
    ] = None
    arguments: _Arguments = {
        "kernel_size": 1,
        "use_bias": False,
        "depthwise_initializer": {"Constant": {"value": config["init_values"]}},
    }
    return Node("DepthwiseConv2D", arguments, call.inputs, label)


def _custom_scale(reader: _Reader, config: Json, label: str, call: _Call) -> Node:
    reader.notes["CustomScaleLayer is Rescaling before the second input is added"] = None
    first, second = call.inputs
    scaled = Node("Rescaling", {"scale": config["scale"]}, [second], f"{label}_scale")
    return Node("add", {}, [first, scaled], label)


def _stochastic_depth(reader: _Reader, config: Json, label: str, call: _Call) -> Node:
    reader.notes["StochasticDepth is Dropout with the noise_shape of whole rows"] = None
    arguments = {"rate": config["drop_path_rate"], "noise_shape": [None, 1, 1, 1]}
    return Node("Dropout", arguments, call.inputs, label)


def _normalization(reader: _Reader, config: Json, label: str, call: _Call) -> Node:
    if None in (config.get("mean"), config.get("variance")):
        reader.notes[
            "Normalization without mean and variance is left out, with its weights: it was not adapted"
        ] = None
        return call.inputs[0]
    name, arguments = reader._component("layers", "Normalization", config)
    return Node(name, arguments, call.inputs, label)


_SPECIAL = {
    "LayerScale": _layer_scale,
    "CustomScaleLayer": _custom_scale,
    "StochasticDepth": _stochastic_depth,
    "Normalization": _normalization,
}
"""Layers without an equal public one, and how each is written."""
