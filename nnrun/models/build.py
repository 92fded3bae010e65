"""Builds a Keras model from the layers of a spec, with the functional API."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import tensorflow as tf
from keras import KerasTensor
from tensorflow.python.framework import ops

from nnrun.errors import DataError, IncompatibleSpec
from nnrun.models import components, structure
from nnrun.models.components import Named
from nnrun.models.structure import LayerSize, Structure
from nnrun.spec import catalogue
from nnrun.spec.component import APPLICATION, COMPOSITES, MERGES, Component, as_stack, layer_names
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


def build(
    layers: Sequence[Component], input_shape: tuple[int, ...], *, dtype: str = "float32"
) -> keras.Model:
    """A stack of layers as an uncompiled model; arguments and errors as for `wire`."""
    return wire(layers, input_shape, dtype=dtype).model


def wire(
    layers: Sequence[Component], input_shape: tuple[int, ...], *, dtype: str = "float32"
) -> Wired:
    """A stack of layers as an uncompiled model, with the names of its layers.

    Args:
        layers: from the input on.
        input_shape: of one row, without the batch.
        dtype: of the input; `int32` for word indices.

    Raises:
        IncompatibleSpec: a layer does not accept its arguments or its input.
        DataError: pretrained weights cannot be downloaded.
    """
    inputs = keras.Input(input_shape, dtype=dtype, name="input")
    builder, outputs = _Builder([]), inputs
    for index, layer in enumerate(layers):
        outputs = builder.apply(layer, outputs, ("model", index))
    sizes = [LayerSize(named.shape, named.layer.count_params()) for named in builder.layers]
    try:
        model = keras.Model(inputs, outputs)
    except ValueError as error:
        raise IncompatibleSpec("NN124", ("model",), components.reason(error)) from error
    return Wired(model, builder.layers, structure.of(layers, sizes, input_shape))


@dataclass(frozen=True)
class _Builder:
    """Applies layers to tensors and collects them, with the names of the composites around them."""

    layers: list[Named]
    names: frozenset[str] = frozenset()

    def apply(self, component: Component, inputs: KerasTensor, path: KeyPath) -> KerasTensor:
        """The output of a layer or composite at a path of the spec."""
        name = component.name
        inside = _Builder(self.layers, self.names | layer_names(component))
        try:
            if name in COMPOSITES:
                return inside.apply_composite(component, inputs, (*path, name))
            if name == APPLICATION:
                return inside.apply_network(component, inputs)
            layer = components.instantiate("layers", component)
            outputs = layer(inputs)
        except LAYER_ERRORS as error:
            shape, reason = tuple(inputs.shape[1:]), components.reason(error)
            message = f"{name} cannot follow an output of shape {shape}: {reason}"
            raise IncompatibleSpec("NN124", path, message) from error
        if isinstance(outputs, (tuple, list, dict)):
            message = f"{name} has {len(outputs)} outputs, but a stack needs one"
            raise IncompatibleSpec("NN124", path, message)
        if outputs is inputs:
            message = f"Keras would silently leave {name} out of the model"
            raise IncompatibleSpec("NN124", path, message)
        return inside.add(layer, outputs)

    def add(
        self, layer: keras.Layer, outputs: KerasTensor, frozen: Sequence[keras.Layer] = ()
    ) -> KerasTensor:
        """Adds a layer that was applied, and returns its output."""
        named = Named(layer, self.names, layer.trainable, frozen)
        named.set_frozen(frozen=False)
        self.layers.append(named)
        return outputs

    def apply_stack(self, layers: object, inputs: KerasTensor, path: KeyPath) -> KerasTensor:
        """The output of a stack inside a composite."""
        for index, value in enumerate(as_stack(layers)):
            at = (*path, index) if isinstance(layers, list) else path
            inputs = self.apply(catalogue.parse_component("layers", value), inputs, at)
        return inputs

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
                merge = keras.layers.Add()
            case _:
                outputs = [
                    self.apply_stack(stack, inputs, (*path, "paths", index))
                    for index, stack in enumerate(arguments["paths"])
                ]
                merge = getattr(keras.layers, arguments.get("merge", MERGES[0]).capitalize())()
        return self.add(merge, merge(outputs))

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


def summary(model: keras.Model) -> str:
    """Keras's summary as text."""
    lines: list[str] = []
    # Without a terminal Keras prints 80 columns and cuts longer lines.
    model.summary(print_fn=lines.append, line_length=80)
    return "\n".join(lines) + "\n"
