"""Every key of the spec language with its values, its default and its meaning, from the models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from nnrun.spec import meanings
from nnrun.spec.base import Spec
from nnrun.spec.component import Component
from nnrun.spec.dataset_base import DatasetBase
from nnrun.spec.experiment import Experiment
from nnrun.spec.steps import STEPS, Step
from nnrun.spec.tree import dotted
from nnrun.spec.words import listed

TOP = "top level"


@dataclass(frozen=True)
class Key:
    """One key, or one argument of a Keras name.

    Args:
        value: what it may be, in words; None for a name that is only listed.
        default: a plain value; None also where there is none.
        fallback: what stands in for a default that is no value, such as the file's stem.
    """

    name: str
    meaning: str
    value: str | None = None
    required: bool = False
    default: Any = None
    fallback: str = ""


@dataclass(frozen=True)
class Section:
    """Keys that belong together.

    Args:
        title: where they stand, such as `validation.kfold`, or the name of what takes them.
        meaning: of the whole, in one or a few sentences.
        kind: what the title names, such as `step`; empty for a part of the spec.
    """

    title: str
    meaning: str
    keys: tuple[Key, ...]
    kind: str = ""


# These two are settled before the models see the spec.
_STEM = "the file's stem"
EXTENDS = Key(
    "extends",
    "A spec to build on, relative to this file: mappings merge, anything else replaces.",
    "text",
    default="",
)


BLOCKS = Key(
    "blocks",
    "Stacks of layers by name, each with `parameters` and `layers`, to be used in `model`.",
    "mapping",
    default={},
)


def parts() -> tuple[Section, ...]:
    """The top level and every mapping below it, but for data sets and steps."""
    top, *below = _walk(Experiment, ())
    return (Section(top.title, top.meaning, (EXTENDS, BLOCKS, *top.keys)), *below)


def datasets() -> tuple[Section, ...]:
    """Every data set with its arguments."""
    models = nested(Experiment.model_fields["dataset"].annotation)
    return tuple(_tagged(cls, "name", "data set") for cls in models)


def steps() -> tuple[Section, ...]:
    """Every prepare step with its arguments."""
    return tuple(_tagged(cls, "step", "step") for cls in STEPS.values())


def nested(annotation: Any) -> tuple[type[Spec], ...]:
    """The mappings of the spec language that a type holds; a Keras name is none."""
    if isinstance(annotation, type) and not get_args(annotation):
        own = issubclass(annotation, Spec) and not issubclass(annotation, Component)
        return (annotation,) if own else ()
    return tuple(cls for inner in get_args(annotation) for cls in nested(inner))


def meaning(field: FieldInfo) -> str:
    """A field's description on one line."""
    meanings.add()
    return " ".join((field.description or "").split())


def summary(cls: type[Spec]) -> str:
    """The first paragraph of a model's docstring on one line."""
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split())


def paragraph(cls: type[Spec]) -> str:
    """A model's docstring on one line."""
    return " ".join((cls.__doc__ or "").split())


def _walk(cls: type[Spec], path: tuple[str, ...]) -> Iterator[Section]:
    keys = tuple(_key(name, field) for name, field in cls.model_fields.items())
    yield Section(dotted(path) or TOP, paragraph(cls), keys)
    for name, field in cls.model_fields.items():
        for inner in nested(field.annotation):
            if not issubclass(inner, DatasetBase | Step):
                yield from _walk(inner, (*path, name))


def _tagged(cls: type[Spec], tag: str, kind: str) -> Section:
    """A data set or a step; `prepare` is a part of every data set and so of none."""
    fields = cls.model_fields
    keys = tuple(_key(name, fields[name]) for name in fields if name not in (tag, "prepare"))
    return Section(get_args(fields[tag].annotation)[0], paragraph(cls), keys, kind)


def _key(name: str, field: FieldInfo) -> Key:
    value = kind(field.annotation, field.metadata)
    if field is Experiment.model_fields["name"]:
        return Key(name, meaning(field), value, fallback=_STEM)
    if field.is_required():
        return Key(name, meaning(field), value, required=True)
    default = field.get_default(call_default_factory=True)
    if isinstance(default, Spec):
        return Key(name, meaning(field), value)
    if default is not None and type(None) in get_args(field.annotation):
        value += " or `null`"
    plain = list(default) if isinstance(default, tuple) else default
    return Key(name, meaning(field), value, default=plain)


_WORDS = {int: "whole number", float: "number", str: "text", bool: "true or false", dict: "mapping"}
_BOUNDS = {"gt": "above", "ge": "from", "lt": "below", "le": "to"}
# Bounds from here on keep a number within what a computer holds, and are not worth a word.
_HUGE = 2**30


def kind(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """A type as a person would say it.

    Example:
        >>> [kind(each) for each in (int | None, tuple[str, ...], Literal["first", "last"])]
        ['whole number', 'list', '`first` or `last`']
    """
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kind(inner[0], inner[1:])
    if origin is Literal:
        return listed([f"`{word}`" for word in inner], "or")
    if origin in (Union, UnionType):
        kinds = [kind(each) for each in inner if each is not type(None)]
        return ", or ".join(dict.fromkeys(kinds))
    if (origin or annotation) in (tuple, list):
        return "list"
    if (origin or annotation) in _WORDS:
        return _WORDS[origin or annotation] + _range(metadata)
    return "name, with arguments" if annotation is Component else "mapping"


def _range(metadata: Sequence[Any]) -> str:
    """Bounds, which pydantic keeps one by one or in a field."""
    flat = [each for holder in metadata for each in getattr(holder, "metadata", (holder,))]
    limits = [(bound, getattr(each, bound, None)) for each in flat for bound in _BOUNDS]
    words = [f"{_BOUNDS[bound]} {limit:g}" for bound, limit in limits if _worth(limit)]
    return f" {' and '.join(words)}" if words else ""


def _worth(limit: float | None) -> bool:
    return limit is not None and abs(limit) < _HUGE
