"""Builds a Keras model from the layers of a spec, with the functional API."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import keras
import tensorflow as tf
from keras import KerasTensor
from tensorflow.python.framework import ops

from nnrun.errors import DataError, IncompatibleSpec
from nnrun.models import components, structure
from nnrun.models.components import Named
from nnrun.models.structure import LayerSize, Structure
from nnrun.spec import catalogue, code, graph
from nnrun.spec.component import (
    APPLICATION,
    ATTENTION,
    COMPOSITES,
    INPUT,
    INPUTS,
    SOURCE,
    Component,
    layer_names,
)
from nnrun.spec.graph import NamedOutputs
from nnrun.spec.text import quote
from nnrun.spec.tree import KeyPath

# What Keras and TensorFlow raise when a layer does not fit its input. Not all errors of operations:
# out of memory is another problem.
LAYER_ERRORS = (
    *(TypeError, ValueError, AttributeError, IndexError, ArithmeticError),
    *(tf.errors.InvalidArgumentError, tf.errors.FailedPreconditionError),
    *(tf.errors.UnimplementedError, tf.errors.NotFoundError, tf.errors.OutOfRangeError),
    *(tf.errors.InternalError, tf.errors.UnknownError),
)
MEMORY_ERRORS = (tf.errors.ResourceExhaustedError, MemoryError)


def reset_keras(precision: str) -> None:
    """Resets Keras, so that neither earlier models nor the user's settings have an effect.

    Args:
        precision: Keras's dtype policy.
    """
    # Layers are numbered per session; a fresh one always gives the same names.
    keras.utils.clear_session()
    # Frees the graphs of earlier training steps, at least 6 MB each. A step sums its gradients over
    # replicas by an operation with its own gradient function. For every trace of a step TensorFlow
    # registers it under a new name and never removes it. It is used only during that trace.
    gradients = getattr(getattr(ops, "gradient_registry", None), "_registry", {})
    for name in [name for name in gradients if name.startswith("CustomGradient-")]:
        del gradients[name]
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy(precision)


@dataclass(frozen=True)
class Wired:
    """A model that is not compiled yet, its layers with their names, and its structure."""

    model: keras.Model
    layers: Sequence[Named]
    structure: Structure


Shape = tuple[int | None, ...]


def build(
    layers: Sequence[Component], input_shape: Shape, *, dtype: str = "float32"
) -> keras.Model:
    """A stack of layers as an uncompiled model; arguments and errors as for `wire`."""
    return wire(layers, input_shape, dtype=dtype).model


def wire(
    layers: Sequence[Component],
    input_shape: Shape | Mapping[str, Shape],
    *,
    dtype: str | Mapping[str, str] = "float32",
) -> Wired:
    """A stack of layers as an uncompiled model, with the names of its layers.

    Args:
        layers: from the input on.
        input_shape: of one row, without the batch; or of each of several inputs by name.
        dtype: of the input, or of each; `int32` for word indices.

    Raises:
        IncompatibleSpec: a layer does not accept its arguments or its input.
        DataError: pretrained weights cannot be downloaded.
    """
    inputs = _inputs(input_shape, dtype)
    wiring = _Wiring(inputs)
    outputs = _Builder(wiring).apply_stack([*layers], inputs, ("model",))
    try:
        model = keras.Model(inputs, outputs)
    except ValueError as error:
        raise IncompatibleSpec("NN124", ("model",), components.reason(error)) from error
    return Wired(model, wiring.layers, structure.of(layers, wiring.sizes, input_shape))


def _inputs(
    shape: Shape | Mapping[str, Shape], dtype: str | Mapping[str, str]
) -> KerasTensor | dict[str, KerasTensor]:
    if isinstance(shape, tuple) or isinstance(dtype, str):
        return keras.Input(shape, dtype=dtype, name=INPUT)
    return {name: keras.Input(one, dtype=dtype[name], name=name) for name, one in shape.items()}


class _Wiring:
    """What is built so far.

    Attributes:
        named: outputs by name.
        layers: each once, with its names in the spec.
        sizes: of the outputs, in the order in which layers were applied.
        shared: layers by the name of their weights.
    """

    def __init__(self, inputs: KerasTensor | dict[str, KerasTensor]) -> None:
        self.named = NamedOutputs(inputs)
        self.layers: list[Named] = []
        self.sizes: list[LayerSize] = []
        self.shared: dict[str, keras.Layer] = {}
        self._taken = {*inputs} if isinstance(inputs, dict) else {INPUT}

    def unique(self, name: str) -> str:
        """The name for Keras of a layer that is repeated: `h`, `h_1`, `h_2`."""
        names = (name, *(f"{name}_{number}" for number in range(1, len(self._taken) + 1)))
        return next(each for each in names if each not in self._taken)

    def add(
        self,
        layer: keras.Layer,
        outputs: KerasTensor,
        names: frozenset[str],
        frozen: Sequence[keras.Layer] = (),
    ) -> None:
        """Adds a layer that was applied; the weights of a shared one count at its first use."""
        parameters = 0
        for index, named in enumerate(self.layers):
            if named.layer is layer:
                self.layers[index] = replace(named, names=named.names | names)
                break
        else:
            named = Named(layer, names, layer.trainable, frozen)
            named.freeze({})
            self.layers.append(named)
            self._taken.add(layer.name)
            parameters = layer.count_params()
        self.sizes.append(LayerSize(tuple(outputs.shape[1:]), parameters))


@dataclass(frozen=True)
class _Builder:
    """Applies layers to tensors, with the names of the composites around them."""

    wiring: _Wiring
    names: frozenset[str] = frozenset()

    def apply_stack(self, layers: object, inputs: KerasTensor, path: KeyPath) -> KerasTensor:
        """The output of a stack."""
        for at, layer in graph.positions(layers, path):
            inputs = self.apply(layer, inputs, at)
            self.wiring.named.add(layer, inputs)
        return inputs

    def apply(self, component: Component, inputs: KerasTensor, path: KeyPath) -> KerasTensor:
        """The output of a layer or composite at a path of the spec."""
        name = component.name
        if name == SOURCE:
            outputs = self.source(component, path)
            self.wiring.sizes.append(LayerSize(tuple(outputs.shape[1:])))
            return outputs
        inside = _Builder(self.wiring, self.names | layer_names(component))
        more = {key: self.source(s, path) for key, s in graph.sources(component).items()}
        try:
            if name in COMPOSITES:
                return inside.apply_composite(component, inputs, (*path, name))
            if name == APPLICATION:
                return inside.apply_network(component, inputs)
            layer = inside.layer(component)
            outputs = _call(layer, component, inputs, more)
        except LAYER_ERRORS as error:
            shape = keras.tree.map_structure(lambda tensor: tuple(tensor.shape[1:]), inputs)
            reason = components.reason(error)
            message = f"{name} cannot follow an output of shape {shape}: {reason}"
            raise IncompatibleSpec("NN124", path, message) from error
        except Exception as error:
            raise code.blame(error) or error from error
        if isinstance(outputs, (tuple, list, dict)):
            message = f"{name} has {len(outputs)} outputs, but a stack needs one"
            raise IncompatibleSpec("NN124", path, message)
        if outputs is inputs:
            message = f"Keras would silently leave {name} out of the model"
            raise IncompatibleSpec("NN124", path, message)
        return inside.add(layer, outputs)

    def source(self, source: Component, path: KeyPath) -> KerasTensor:
        """A named output."""
        outputs = self.wiring.named.of(source)
        if outputs is None:
            name = quote(graph.source_name(source))
            raise IncompatibleSpec("NN124", path, f"no layer before it has the name {name}")
        return outputs

    def layer(self, component: Component) -> keras.Layer:
        """The layer of a component; shared layers are made once."""
        shared = graph.shared_name(component)
        if shared in self.wiring.shared:
            return self.wiring.shared[shared]
        arguments = dict(component.arguments)
        name = graph.output_name(component)
        if shared:
            arguments["name"] = shared
        elif name and self.names & {"Block", "Repeat"}:
            arguments["name"] = self.wiring.unique(name)
        layer = components.instantiate(
            "layers", Component(name=component.name, arguments=arguments)
        )
        if shared:
            self.wiring.shared[shared] = layer
        return layer

    def add(
        self, layer: keras.Layer, outputs: KerasTensor, frozen: Sequence[keras.Layer] = ()
    ) -> KerasTensor:
        """Adds a layer that was applied, and returns its output."""
        self.wiring.add(layer, outputs, self.names, frozen)
        return outputs

    def apply_composite(
        self, component: Component, inputs: KerasTensor, path: KeyPath
    ) -> KerasTensor:
        """The output of a composite; ValueError if its branches do not fit together."""
        arguments = component.arguments
        match component.name:
            case "Block":
                return self.apply_stack(arguments["layers"], inputs, (*path, "layers"))
            case "Repeat":
                for _ in range(arguments["times"]):
                    inputs = self.apply_stack(arguments["layers"], inputs, (*path, "layers"))
                return inputs
            case "Residual":
                stacks = {"main": arguments["main"], "shortcut": arguments.get("shortcut", [])}
                outputs = [self.apply_stack(stacks[k], inputs, (*path, k)) for k in stacks]
                merge = Component(name="add")
            case name if name == INPUTS:
                outputs = [
                    self.apply_stack(stack, self.wiring.named.input(key), (*path, "paths", key))
                    for key, stack in arguments["paths"].items()
                ]
                if len(outputs) == 1:
                    return outputs[0]
                merge = catalogue.merge_of(arguments)
            case _:
                outputs = [
                    self.apply_stack(stack, inputs, (*path, "paths", index))
                    for index, stack in enumerate(arguments["paths"])
                ]
                merge = catalogue.merge_of(arguments)
        layer = self.layer(
            Component(
                name=merge.name.capitalize(),
                arguments={**merge.arguments, "name": arguments.get("name")},
            )
        )
        return self.add(layer, layer(outputs))

    def apply_network(self, component: Component, inputs: KerasTensor) -> KerasTensor:
        """The output of a network of `keras.applications`."""
        accepted = catalogue.arguments("layers", APPLICATION)
        defaults = {name: argument.default for name, argument in accepted.items()}
        options = {**defaults, **component.arguments}
        build_network = getattr(keras.applications, options["name"])
        images, arguments = inputs, {}
        # Some contain layers that scale pixels, which can be switched off.
        if "include_preprocessing" in inspect.signature(build_network).parameters:
            arguments["include_preprocessing"] = options["preprocess"]
        try:
            network = build_network(
                include_top=False,
                weights=options["weights"],
                input_shape=tuple(inputs.shape[1:]),
                pooling=options["pooling"],
                **arguments,
            )
        except Exception as error:  # Keras has no class for it.
            if "URL fetch failure" not in str(error):
                raise
            message = f"the weights of {options['name']} cannot be downloaded: {error}"
            raise DataError(message) from error
        network.trainable = options["trainable"]
        if options["preprocess"]:
            images = sys.modules[build_network.__module__].preprocess_input(inputs)
        # Statistics of few new images would destroy pretrained features, see
        # <https://keras.io/guides/transfer_learning/>. The `training=False` of that guide has no
        # effect in Keras 3: a model in training sets the mode of all its parts.
        frozen = [x for x in network.layers if isinstance(x, keras.layers.BatchNormalization)]
        return self.add(network, network(images), frozen if options["weights"] else ())


def _call(
    layer: keras.Layer, component: Component, inputs: KerasTensor, more: dict[str, KerasTensor]
) -> KerasTensor:
    """The output of a layer; an attention attends to its input, or to other outputs."""
    if component.name not in ATTENTION:
        return layer(inputs)
    causal = bool(component.arguments.get("use_causal_mask"))
    tensors = {"query": inputs, "value": inputs, **more}
    if component.name.endswith(("HeadAttention", "QueryAttention")):
        return layer(**tensors, use_causal_mask=causal)
    return layer(
        [tensors[name] for name in ("query", "value", "key") if name in tensors],
        use_causal_mask=causal,
    )


def summary(model: keras.Model) -> str:
    """Keras's summary as text."""
    lines: list[str] = []
    # Without a terminal Keras prints 80 columns and cuts longer lines.
    model.summary(print_fn=lines.append, line_length=80)
    return "\n".join(lines) + "\n"
