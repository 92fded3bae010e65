"""Something of Keras's by its name: a layer, an optimizer, a loss, a metric, a callback."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer
from pydantic_core import PydanticCustomError

from nnrun.spec.base import Spec


class Component(Spec):
    """A Keras name with its arguments, as yet unbuilt."""

    name: str
    """Keras's own name, such as `Dense` or `rmsprop`."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """By name. A lone value is kept under the empty name until the catalogue names it."""


def _parsed(value: Any) -> Any:
    match value:
        case Component():
            return value
        case str():
            return Component(name=value)
        case dict() if len(value) == 1:
            [(name, arguments)] = value.items()
            return Component(name=str(name), arguments=as_arguments(arguments))
    raise PydanticCustomError(
        "component",
        "expected a name, or one name with its arguments such as 'Dense: {{units: 16}}'",
    )


def as_arguments(value: Any) -> dict[str, Any]:
    """`Dense:` has none, `Dense: 16` one without a name, `Dense: {units: 16}` one with a name."""
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"": value}


def _written(component: Component) -> Any:
    return {component.name: component.arguments} if component.arguments else component.name


Named = Annotated[Component, BeforeValidator(_parsed), PlainSerializer(_written)]
