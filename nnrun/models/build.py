"""Builds a Keras model from the layers of a spec, with the functional API."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework import ops

from nnrun.errors import DataError, IncompatibleSpec
from nnrun.models import components, structure
from nnrun.models.components import Named
from nnrun.models.structure import Made, Structure
from nnrun.spec import catalogue, component
from nnrun.spec.component import Component

Path = tuple[str | int, ...]

MERGES: Mapping[str, type[keras.Layer]] = {
    "concatenate": keras.layers.Concatenate,
    "add": keras.layers.Add,
    "average": keras.layers.Average,
    "maximum": keras.layers.Maximum,
    "minimum": keras.layers.Minimum,
    "multiply": keras.layers.Multiply,
}

_SCALING = "include_preprocessing"
_NO_NETWORK = "URL fetch failure"
_ARGUMENTS = component.APPLICATIONS[component.APPLICATION]["arguments"]
_DEFAULTS = {name: entry["default"] for name, entry in _ARGUMENTS.items() if "default" in entry}


def apply_network(arguments: Mapping[str, Any], inputs: Any) -> tuple[keras.Model, Any]:
    """A network of `keras.applications`, and its output.

    Args:
        arguments: of `Application` by name, checked; defaults may be left out.
        inputs: a Keras tensor of images.

    Raises:
        ValueError: it does not take images of this shape.
        DataError: its weights cannot be downloaded.
    """
    options = {**_DEFAULTS, **arguments}
    build = getattr(keras.applications, options["name"])
    module = sys.modules[build.__module__]
    # Some contain layers that scale pixels, which can be switched off.
    scales_itself = _SCALING in inspect.signature(build).parameters
    given = {_SCALING: options["preprocess"]} if scales_itself else {}
    try:
        network = build(
            include_top=False,
            weights=options["weights"],
            input_shape=tuple(inputs.shape[1:]),
            pooling=options["pooling"],
            **given,
        )
    except Exception as error:  # Keras has no class for it.
        if _NO_NETWORK not in str(error):
            raise
        raise DataError(
            f"the weights of {options['name']} cannot be downloaded: {error}"
        ) from error
    network.trainable = options["trainable"]
    images = module.preprocess_input(inputs) if options["preprocess"] else inputs
    return network, network(images)


def frozen_statistics(arguments: Mapping[str, Any], network: keras.Model) -> list[keras.Layer]:
    """The layers of a pretrained network that must keep their means and variances.

    Statistics of few new images would destroy its features, see
    <https://keras.io/guides/transfer_learning/>. The `training=False` of that guide has no effect in
    Keras 3: a model in training sets the mode of all its parts.
    """
    if {**_DEFAULTS, **arguments}["weights"] is None:
        return []
    return [x for x in network.layers if isinstance(x, keras.layers.BatchNormalization)]


# What Keras and TensorFlow raise when a layer does not fit its input. Not all errors of operations:
# out of memory is another problem.
REFUSALS = (
    *(TypeError, ValueError, AttributeError, IndexError, ArithmeticError),
    *(tf.errors.InvalidArgumentError, tf.errors.FailedPreconditionError),
    *(tf.errors.UnimplementedError, tf.errors.NotFoundError, tf.errors.OutOfRangeError),
    *(tf.errors.InternalError, tf.errors.UnknownError),
)
TOO_LARGE = (tf.errors.ResourceExhaustedError, MemoryError)


def begin_anew(precision: str) -> None:
    """Resets Keras, so that neither earlier models nor the user's settings have an effect.

    Args:
        precision: Keras's dtype policy.
    """
    # Layers are numbered per session; a fresh one always gives the same names.
    keras.utils.clear_session()
    _free_graphs()
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy(precision)


def _free_graphs() -> None:
    """Frees the graphs of earlier training steps, at least 6 MB each.

    A step sums its gradients over replicas by an operation with its own gradient function. For every
    trace of a step TensorFlow registers it under a new name and never removes it, nor its graph. It
    is looked up only while that step is traced.
    """
    entries = getattr(getattr(ops, "gradient_registry", None), "_registry", {})
    for name in [name for name in entries if name.startswith("CustomGradient-")]:
        del entries[name]


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
        IncompatibleSpec: a layer refuses its arguments or its input.
    """
    inputs = keras.Input(input_shape, dtype=dtype, name="input")
    named: list[Named] = []
    outputs = inputs
    for index, layer in enumerate(layers):
        outputs = _layer(layer, outputs, ("model", index), _Builder(named))
    made = [Made(layer.shape, layer.layer.count_params()) for layer in named]
    try:
        return Wired(keras.Model(inputs, outputs), named, structure.of(layers, made, input_shape))
    except ValueError as error:
        raise IncompatibleSpec("NN124", ("model",), components.reason(error)) from error


@dataclass(frozen=True)
class _Builder:
    """Applies layers to tensors and collects them, with the names of the composites around them."""

    layers: list[Named]
    names: frozenset[str] = frozenset()

    def apply_stack(self, layers: Any, inputs: Any, path: Path) -> Any:
        """The output of a stack inside a composite."""
        for index, value in enumerate(component.as_stack(layers)):
            at = (*path, index) if isinstance(layers, list) else path
            inputs = _layer(catalogue.parse_component("layers", value), inputs, at, self)
        return inputs

    def add(self, layer: keras.Layer, outputs: Any, *, frozen: Sequence[keras.Layer] = ()) -> Any:
        """Adds a layer that was applied, and returns its output."""
        named = Named(layer, self.names, layer.trainable, frozen)
        named.set_frozen(frozen=False)
        self.layers.append(named)
        return outputs

    def inside(self, layer: Component) -> _Builder:
        """The builder for the layers inside a layer."""
        return _Builder(self.layers, self.names | component.layer_names(layer))


def _apply_composite(
    name: str, arguments: Mapping[str, Any], inputs: Any, path: Path, inside: _Builder
) -> Any:
    """The output of a composite.

    Raises:
        ValueError: the shapes of its branches do not fit together.
    """
    apply = inside.apply_stack
    match name:
        case "Block":
            return apply(arguments["layers"], inputs, (*path, "layers"))
        case "Repeat":
            for _ in range(arguments["times"]):
                inputs = apply(arguments["layers"], inputs, (*path, "layers"))
            return inputs
        case "Residual":
            main = apply(arguments["main"], inputs, (*path, "main"))
            shortcut = apply(arguments.get("shortcut", []), inputs, (*path, "shortcut"))
            merge, branches = "add", [main, shortcut]
        case _:
            branches = [
                apply(stack, inputs, (*path, "paths", index))
                for index, stack in enumerate(arguments["paths"])
            ]
            default = component.COMPOSITES[name]["arguments"]["merge"]["default"]
            merge = arguments.get("merge", default)
    layer = MERGES[merge]()
    return inside.add(layer, layer(branches))


def _layer(layer_spec: Component, inputs: Any, path: Path, around: _Builder) -> Any:
    """The output of a layer or composite.

    Args:
        path: of the layer in the spec.
        around: of the stack that it is in.

    Raises:
        IncompatibleSpec: the layer refuses its arguments or its input.
        DataError: the weights of a network cannot be downloaded.
    """
    name, inside = layer_spec.name, around.inside(layer_spec)
    try:
        if name in component.COMPOSITES:
            return _apply_composite(name, layer_spec.arguments, inputs, (*path, name), inside)
        if name == component.APPLICATION:
            network, outputs = apply_network(layer_spec.arguments, inputs)
            frozen = frozen_statistics(layer_spec.arguments, network)
            return inside.add(network, outputs, frozen=frozen)
        layer = components.instantiate("layers", layer_spec)
        outputs = layer(inputs)
    except REFUSALS as error:
        shape = tuple(inputs.shape[1:])
        reason = components.reason(error)
        message = f"{name} cannot follow an output of shape {shape}: {reason}"
        raise IncompatibleSpec("NN124", path, message) from error
    if isinstance(outputs, (tuple, list, dict)):
        message = f"{name} has {len(outputs)} outputs, but a stack needs one"
        raise IncompatibleSpec("NN124", path, message)
    if outputs is inputs:
        message = f"Keras would silently leave {name} out of the model"
        raise IncompatibleSpec("NN124", path, message)
    return inside.add(layer, outputs)


def summary(model: keras.Model) -> str:
    """Keras's summary as text."""
    lines: list[str] = []
    # Without a terminal Keras prints 80 columns and cuts longer lines.
    model.summary(print_fn=lines.append, line_length=80)
    return "\n".join(lines) + "\n"
