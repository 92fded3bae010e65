"""Wires the layers of a spec into a Keras model, with the functional API underneath."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import tensorflow as tf
from tensorflow.python.framework import ops

from nnrun.errors import DataError, IncompatibleSpec
from nnrun.models import components, structure
from nnrun.models.components import Named
from nnrun.models.structure import Made, Structure
from nnrun.spec import catalogue, component
from nnrun.spec import component as spec_applications
from nnrun.spec import component as spec_composites
from nnrun.spec.component import Component

# Wires the stacks inside a stack into Keras's own layers.

Path = tuple[str | int, ...]


class Within(Protocol):
    """The inside of a composite."""

    def go(self, layers: Any, inputs: Any, path: Path) -> Any:
        """What the layers of a stack, which stand at a path of the spec, make of a tensor."""

    def keep(self, layer: keras.Layer, outputs: Any) -> Any:
        """Notes a layer that has put something out, and gives that back."""


MERGES: Mapping[str, type[keras.Layer]] = {
    "concatenate": keras.layers.Concatenate,
    "add": keras.layers.Add,
    "average": keras.layers.Average,
    "maximum": keras.layers.Maximum,
    "minimum": keras.layers.Minimum,
    "multiply": keras.layers.Multiply,
}


def composite_outputs(
    name: str, arguments: Mapping[str, Any], inputs: Any, path: Path, within: Within
) -> Any:
    """What a composite makes of a tensor.

    Args:
        name: of `nnrun.spec.composites.LAYERS`.
        arguments: by name, checked; defaults may be left out.
        inputs: a Keras tensor.
        path: of the arguments in the spec.
        within: makes the layers inside.

    Raises:
        ValueError: the ways do not end in shapes that go together.
    """
    go = within.go
    match name:
        case "Block":
            return go(arguments["layers"], inputs, (*path, "layers"))
        case "Repeat":
            for _ in range(arguments["times"]):
                inputs = go(arguments["layers"], inputs, (*path, "layers"))
            return inputs
        case "Residual":
            main = go(arguments["main"], inputs, (*path, "main"))
            shortcut = go(arguments.get("shortcut", []), inputs, (*path, "shortcut"))
            return _merged("add", [main, shortcut], within)
    ways = [
        go(each, inputs, (*path, "paths", index)) for index, each in enumerate(arguments["paths"])
    ]
    merge = arguments.get("merge", component.COMPOSITES[name]["arguments"]["merge"]["default"])
    return _merged(merge, ways, within)


def _merged(merge: str, ways: list[Any], within: Within) -> Any:
    layer = MERGES[merge]()
    return within.keep(layer, layer(ways))


# The networks of `keras.applications`, as one layer in a stack.

_SCALING = "include_preprocessing"
_NO_NETWORK = "URL fetch failure"
_ARGUMENTS = component.APPLICATIONS[component.APPLICATION]["arguments"]
_DEFAULTS = {name: about["default"] for name, about in _ARGUMENTS.items() if "default" in about}


def made(arguments: Mapping[str, Any], inputs: Any) -> tuple[keras.Model, Any]:
    """A network, and what it makes of pictures.

    Args:
        arguments: of `Application` by name, checked; defaults may be left out.
        inputs: a Keras tensor of pictures.

    Raises:
        ValueError: it takes no pictures of this size or with so many colours.
        DataError: its weights cannot be downloaded.
    """
    told = {**_DEFAULTS, **arguments}
    build = getattr(keras.applications, told["name"])
    module = sys.modules[build.__module__]
    # Some hold layers that scale pixels, unless told not to.
    scales_itself = _SCALING in inspect.signature(build).parameters
    given = {_SCALING: told["preprocess"]} if scales_itself else {}
    try:
        network = build(
            include_top=False,
            weights=told["weights"],
            input_shape=tuple(inputs.shape[1:]),
            pooling=told["pooling"],
            **given,
        )
    except Exception as error:  # Keras has no class for it.
        if _NO_NETWORK not in str(error):
            raise
        raise DataError(f"the weights of {told['name']} cannot be downloaded: {error}") from error
    network.trainable = told["trainable"]
    pictures = module.preprocess_input(inputs) if told["preprocess"] else inputs
    return network, network(pictures)


def learnt_statistics(arguments: Mapping[str, Any], network: keras.Model) -> list[keras.Layer]:
    """The layers of a network whose means and variances are those of all that it has learnt from.

    Those of a few new pictures would undo what it knows, as Keras's guide says,
    <https://keras.io/guides/transfer_learning/>. Its way, `training=False` where the network is
    called, comes to nothing in Keras 3: a model that trains tells it all its parts.
    """
    if {**_DEFAULTS, **arguments}["weights"] is None:
        return []
    return [each for each in network.layers if isinstance(each, keras.layers.BatchNormalization)]


# What Keras and TensorFlow raise when a layer and its input do not go together. Not all errors of
# operations: a memory that is full is nobody's problem.
REFUSALS = (
    *(TypeError, ValueError, AttributeError, IndexError, ArithmeticError),
    *(tf.errors.InvalidArgumentError, tf.errors.FailedPreconditionError),
    *(tf.errors.UnimplementedError, tf.errors.NotFoundError, tf.errors.OutOfRangeError),
    *(tf.errors.InternalError, tf.errors.UnknownError),
)
TOO_LARGE = (tf.errors.ResourceExhaustedError, MemoryError)


def begin_anew(precision: str) -> None:
    """Forgets earlier models and settings of a person's own, so that only the spec decides.

    Args:
        precision: Keras's dtype policy.
    """
    # Layers are numbered through a process; a fresh session gives the same names each time.
    keras.utils.clear_session()
    _let_graphs_go()
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy(precision)


def _let_graphs_go() -> None:
    """Frees the graphs of earlier training steps, 6 MB and more each.

    A step sums its gradients over replicas, also where there is one, by an operation that has a
    gradient of its own. TensorFlow enters that under a new name for every trace of a step, and keeps
    it, and with it the graph, as long as the process lives. It is looked up only while the same
    step is traced.
    """
    entries = getattr(getattr(ops, "gradient_registry", None), "_registry", {})
    for name in [name for name in entries if name.startswith("CustomGradient-")]:
        del entries[name]


@dataclass(frozen=True)
class Wired:
    """A model, not compiled yet, its layers as far as the spec names them, and how they stand."""

    model: keras.Model
    layers: Sequence[Named]
    structure: Structure


def build(
    layers: Sequence[Component], input_shape: tuple[int, ...], *, dtype: str = "float32"
) -> keras.Model:
    """A stack of layers as an uncompiled model; arguments and errors as of `wire`."""
    return wire(layers, input_shape, dtype=dtype).model


def wire(
    layers: Sequence[Component], input_shape: tuple[int, ...], *, dtype: str = "float32"
) -> Wired:
    """A stack of layers as an uncompiled model, with what its layers are called.

    Args:
        layers: from the input on.
        input_shape: of one row, without the batch.
        dtype: of the input; `int32` for word indices.

    Raises:
        Misfit: a layer refuses its arguments or its input.
    """
    inputs = keras.Input(input_shape, dtype=dtype, name="input")
    named: list[Named] = []
    outputs = inputs
    for index, layer in enumerate(layers):
        outputs = _layer(layer, outputs, ("model", index), _Within(named))
    made = [Made(each.shape, each.layer.count_params()) for each in named]
    try:
        return Wired(keras.Model(inputs, outputs), named, structure.of(layers, made, input_shape))
    except ValueError as error:
        raise IncompatibleSpec("NN124", ("model",), components.reason(error)) from error


@dataclass(frozen=True)
class _Within:
    """What a layer stands in: the names of it, and the list of layers that are made."""

    made: list[Named]
    names: frozenset[str] = frozenset()

    def go(self, layers: Any, inputs: Any, path: Path) -> Any:
        """What the layers of a stack inside another make of a tensor."""
        for index, value in enumerate(spec_composites.as_stack(layers)):
            at = (*path, index) if isinstance(layers, list) else path
            component = catalogue.parse_component("layers", value)
            inputs = _layer(component, inputs, at, self)
        return inputs

    def keep(self, layer: keras.Layer, outputs: Any, *, still: Sequence[keras.Layer] = ()) -> Any:
        """Notes a layer that has put something out, and gives that back."""
        named = Named(layer, self.names, layer.trainable, still)
        named.stand_still(wanted=False)
        self.made.append(named)
        return outputs

    def into(self, component: Component) -> _Within:
        """Within one of its layers."""
        return _Within(self.made, self.names | spec_composites.layer_names(component))


def _layer(component: Component, inputs: Any, path: Path, above: _Within) -> Any:
    """What a layer of Keras's, or one of several, makes of a tensor.

    Args:
        path: of the component in the spec.
        above: what it stands in.

    Raises:
        Misfit: the layer refuses its arguments or its input.
        DataError: the weights of a network cannot be downloaded.
    """
    name, within = component.name, above.into(component)
    try:
        if name in spec_composites.COMPOSITES:
            return composite_outputs(name, component.arguments, inputs, (*path, name), within)
        if name == spec_applications.APPLICATION:
            network, outputs = made(component.arguments, inputs)
            still = learnt_statistics(component.arguments, network)
            return within.keep(network, outputs, still=still)
        layer = components.instantiate("layers", component)
        outputs = layer(inputs)
    except REFUSALS as error:
        shape = tuple(inputs.shape[1:])
        reason = components.reason(error)
        message = f"{name} cannot follow an output of shape {shape}: {reason}"
        raise IncompatibleSpec("NN124", path, message) from error
    if isinstance(outputs, (tuple, list, dict)):
        message = f"{name} puts out {len(outputs)} values, and a stack has one"
        raise IncompatibleSpec("NN124", path, message)
    if outputs is inputs:
        message = f"Keras would leave {name} out of the model without a word"
        raise IncompatibleSpec("NN124", path, message)
    return within.keep(layer, outputs)


def summary(model: keras.Model) -> str:
    """Keras's summary as text."""
    lines: list[str] = []
    # Without a terminal Keras prints 80 columns and cuts longer lines.
    model.summary(print_fn=lines.append, line_length=80)
    return "\n".join(lines) + "\n"
