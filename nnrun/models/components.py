"""Creates Keras objects from their names in a spec."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

from nnrun.errors import CodeError
from nnrun.spec import catalogue, code, signatures
from nnrun.spec.code import CodeFile
from nnrun.spec.component import Component, matches, wiring
from nnrun.spec.training import FrozenPart, Training

# Lines of a traceback, which Keras and TensorFlow put into their messages.
_FROM_GRAPH = ("in user code:", "Graph execution error:", "Detected at node", "File ", "[[", "<")
_SKIPPED = (*_FROM_GRAPH, *code.AROUND)
_COLOUR = re.compile(r"\x1b\[\d*m")
_ERROR_NAME = re.compile(r"^[A-Za-z]+Error: ")


@dataclass(frozen=True)
class Named:
    """A Keras layer with its names in the spec.

    Args:
        layer: as it is in the model.
        names: its name in the spec, and those of the composites around it.
        trainable: whether it is trained unless a stage freezes it.
        frozen: layers inside it that never train.
    """

    layer: keras.Layer
    names: frozenset[str]
    trainable: bool
    frozen: Sequence[keras.Layer] = ()

    def matches(self, pattern: str) -> bool:
        """Whether a name or pattern is one of its names in the spec or in Keras."""
        return matches(pattern, self.names | {self.layer.name})

    def freeze(self, rules: Mapping[str, FrozenPart]) -> None:
        """Freezes the layer, or a part of it, and lets the rest train if the spec does.

        Args:
            rules: parts to freeze, by name or pattern of a layer.
        """
        parts = [part for pattern, part in rules.items() if self.matches(pattern)]
        self.layer.trainable = self.trainable and FrozenPart() not in parts
        # Keras hands a value that a network has already to none of its layers.
        for layer in getattr(self.layer, "layers", ()):
            layer.trainable = self.layer.trainable
        for part in parts if self.layer.trainable else ():
            for layer in self.inner(part):
                layer.trainable = False
        for layer in self.frozen:
            layer.trainable = False

    def inner(self, part: FrozenPart) -> list[keras.Layer]:
        """The layers inside it that a stage freezes; none if it has no layers inside."""
        layers = list(getattr(self.layer, "layers", ()))
        layers = layers[: max(0, len(layers) - part.except_last)]
        return [
            layer
            for layer in layers
            if any(matches(pattern, {layer.name}) for pattern in part.layers)
        ]


def instantiate(kind: str, component: Component) -> Any:
    """The Keras object of a component.

    Args:
        kind: the catalogue's, such as `layers`.
        component: checked against the catalogue.

    Returns:
        An instance; or the name itself if Keras accepts it, such as `mse`, because Keras then
        reports the metric under that name.
    """
    own = code.is_own(component.name)
    target = code.find(component.name) if own else _of_keras(kind, component.name)
    if not isinstance(target, type):
        return target if own else component.name
    left_out = wiring(component.name) if kind == "layers" else {}
    arguments = {
        name: _argument(catalogue.argument_kind(kind, component.name, name), value)
        for name, value in component.arguments.items()
        if name not in left_out
    }
    # Keras computes a schedule in the type of its first learning rate, and whole numbers fail.
    rate = arguments.get("initial_learning_rate")
    if kind == "schedules" and isinstance(rate, int):
        arguments["initial_learning_rate"] = float(rate)
    instance = target(**arguments)
    if own:
        _keep_arguments(component.name, instance, arguments)
    return instance


def _of_keras(kind: str, name: str) -> object:
    return getattr(getattr(keras.optimizers if kind == "schedules" else keras, kind), name, None)


def component_class(kind: str, name: str) -> object:
    """The class of a component."""
    return code.find(name) if code.is_own(name) else _of_keras(kind, name)


def _keep_arguments(name: str, instance: object, arguments: Mapping[str, object]) -> None:
    """Makes sure that a saved model holds the arguments of an object of the user's code.

    Keras keeps plain values of layers that take `**kwargs` by itself; of other objects only what
    `get_config` returns.
    """
    if not hasattr(instance, "get_config"):
        return
    if type(instance).get_config.__module__.startswith("keras."):
        instance.get_config = partial(_config, instance.get_config, arguments, type(instance))
        return
    if lost := [key for key in arguments if key not in instance.get_config()]:
        raise CodeError(
            f"{name}.get_config does not return {', '.join(lost)}, so that a saved model would lose "
            "it; add it, or leave get_config out"
        )


def _config(
    config: Callable[[], dict[str, object]], arguments: Mapping[str, object], cls: type
) -> dict[str, object]:
    """The configuration of an object with its arguments, without those that it cannot take."""
    accepted = inspect.signature(cls).parameters
    is_open = any(p.kind == inspect.Parameter.VAR_KEYWORD for p in accepted.values())
    whole = {**config(), **arguments}
    return {key: value for key, value in whole.items() if is_open or key in accepted}


def use_code(files: Sequence[CodeFile]) -> None:
    """Gives the names of the user's files their meaning, for checks, for Keras and in saved models.

    Raises:
        IncompatibleSpec: a file is not allowed.
        CodeError: a file raised an error.
    """
    code.activate(files)
    catalogue.use_own(signatures.read(tuple(files))[0])
    for module, value in _savable():
        if keras.saving.get_registered_name(value) == value.__name__:
            keras.saving.register_keras_serializable(module)(value)
        base = getattr(getattr(value, "from_config", None), "__func__", None)
        if base is keras.Layer.from_config.__func__:
            value.from_config = classmethod(_from_config)  # type: ignore[attr-defined]


def _from_config(cls: type, config: dict[str, object]) -> object:
    """A layer whose arguments may be Keras objects; Keras leaves them as dictionaries."""
    return cls(**keras.saving.deserialize_keras_object(config))


def registered_names() -> frozenset[str]:
    """The names of the user's classes and functions in saved models, such as `layers>Gate`."""
    return frozenset(keras.saving.get_registered_name(value) for _, value in _savable())


def uses_code(model: keras.Model, training: Training) -> bool:
    """Whether code of the user computes in a training step."""
    parts = (training.optimizer, training.loss, *training.metrics)
    if any(code.is_own(part.name) for part in parts):
        return True
    names = registered_names()
    return bool(names) and any(f'"{name}"' in model.to_json() for name in names)


def _savable() -> Iterator[tuple[str, Callable[..., object]]]:
    """The classes and functions of the files in use that Keras can save, with their modules."""
    for module in code.modules():
        for value in vars(module).values():
            is_component = hasattr(value, "get_config") if isinstance(value, type) else True
            if getattr(value, "__module__", None) == module.__name__ and is_component:
                yield module.__name__.rpartition(".")[2], value


def _argument(kind: str | None, value: object) -> object:
    """An argument that may itself be a Keras object, as in `kernel_regularizer: {L2: 0.01}`."""
    if kind in (None, "file"):
        return value
    if isinstance(value, list):
        return [_argument(kind, item) for item in value]
    # Keras accepts other components by name, but not these.
    by_name = isinstance(value, str) and kind not in ("layers", "optimizers")
    by_name = by_name and not code.is_own(str(value))
    if by_name or not isinstance(value, (str, dict)):
        return value
    return instantiate(kind, catalogue.parse_component(kind, value))


def reason(error: Exception) -> str:
    """The message of a Keras or TensorFlow error, on one line and without its traceback.

    It is the first line of a plain error, and the last one of an error from inside a graph.
    """
    line = code.line_of(error)
    return f"{_first_line(error)} ({line})" if line else _first_line(error)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in _COLOUR.sub("", str(error)).splitlines()]
    messages = [line for line in lines if line and not line.startswith(_SKIPPED)]
    if not messages:
        return type(error).__name__
    from_graph = lines[0].startswith(_FROM_GRAPH)
    return _ERROR_NAME.sub("", messages[-1] if from_graph else messages[0])
