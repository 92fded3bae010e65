"""Every key of a spec with its values, default and meaning, for `nnrun keys`."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from nnrun.errors import CommandError
from nnrun.spec import catalogue, language
from nnrun.spec.catalogue import Argument
from nnrun.spec.component import STACKS, Component, Spec
from nnrun.spec.dataset import DatasetBase
from nnrun.spec.experiment import Experiment
from nnrun.spec.keras_names import NOUNS, TYPES
from nnrun.spec.prepare import STEPS, Step
from nnrun.spec.suggest import nearest
from nnrun.spec.text import join_words
from nnrun.spec.tree import dotted


@cache
def add_descriptions() -> None:
    """Sets the descriptions of all fields from the strings below them in the source.

    Pydantic could do so for each class, but that takes 50 ms at each start.
    """
    for part in spec_classes(Spec):
        for cls in reversed(part.__mro__):
            for name in _written(cls).keys() & part.model_fields.keys():
                part.model_fields[name].description = _written(cls)[name]


def spec_classes(above: type[Spec]) -> Iterator[type[Spec]]:
    """All subclasses, in order of definition."""
    for part in above.__subclasses__():
        yield part
        yield from spec_classes(part)


def _written(cls: type) -> dict[str, str]:
    """The strings below the fields of a class, by field."""
    if cls is Spec or not issubclass(cls, Spec):
        return {}
    return _module(cls.__module__).get(cls.__name__, {})


@cache
def _module(name: str) -> dict[str, dict[str, str]]:
    try:
        classes = ast.parse(inspect.getsource(sys.modules[name])).body
    except OSError:
        return {}  # installed without its source
    return {each.name: dict(_fields(each)) for each in classes if isinstance(each, ast.ClassDef)}


def _fields(cls: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, below in zip(cls.body, cls.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                yield name, inspect.cleandoc(text)


TOP = "top level"


@dataclass(frozen=True)
class Key:
    """One key, or one argument of a Keras class.

    Args:
        value: its type, in words; None for a name in a list.
        default: a plain value; None also if there is no default.
        fallback: a default that is not a value, such as the file's stem.
    """

    name: str
    meaning: str
    value: str | None = None
    required: bool = False
    default: Any = None
    fallback: str = ""


@dataclass(frozen=True)
class Section:
    """A group of keys.

    Args:
        title: their place, such as `validation.kfold`, or the name of a dataset, step or class.
        meaning: a short description.
        kind: what the title names, such as `step`; empty for a section of the spec.
    """

    title: str
    meaning: str
    keys: tuple[Key, ...]
    kind: str = ""


_STEM = "the file's stem"
EXTENDS = Key(
    "extends",
    "A spec to extend, relative to this file. Mappings are merged, other values replaced.",
    "text",
    default="",
)


BLOCKS = Key(
    "blocks",
    "Reusable stacks of layers for `model`: `parameters` and `layers` by name.",
    "mapping",
    default={},
)


def parts() -> tuple[Section, ...]:
    """The top level and every mapping below it, except datasets and steps."""
    top, *below = _walk(Experiment, ())
    return (Section(top.title, top.meaning, (EXTENDS, BLOCKS, *top.keys)), *below)


def datasets() -> tuple[Section, ...]:
    """Every dataset with its arguments."""
    return tuple(_tagged(cls, "name", "dataset") for cls in language.data_sets().values())


def steps() -> tuple[Section, ...]:
    """Every prepare step with its arguments."""
    return tuple(_tagged(cls, "step", "step") for cls in STEPS.values())


def nested(annotation: Any) -> tuple[type[Spec], ...]:
    """The mappings in a type, without Keras components."""
    return tuple(
        model
        for model in language.models(annotation)
        if issubclass(model, Spec) and not issubclass(model, Component)
    )


def meaning(field: FieldInfo) -> str:
    """A field's description on one line."""
    add_descriptions()
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
    """A dataset or a step; `prepare`, which all datasets share, is left out."""
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
# Larger bounds only keep numbers within their type and are not shown.
_HUGE = 2**30


def kind(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """A type in words.

    Example:
        >>> [kind(each) for each in (int | None, tuple[str, ...], Literal["first", "last"])]
        ['whole number', 'list', '`first` or `last`']
    """
    context, inner = get_origin(annotation), get_args(annotation)
    if context is Annotated:
        return kind(inner[0], inner[1:])
    if context is Literal:
        return join_words([f"`{word}`" for word in inner], "or")
    if context in (Union, UnionType):
        kinds = [kind(each) for each in inner if each is not type(None)]
        return ", or ".join(dict.fromkeys(kinds))
    if (context or annotation) in (tuple, list):
        return "list"
    if (context or annotation) in _WORDS:
        return _WORDS[context or annotation] + _range(metadata)
    return "name, with arguments" if annotation is Component else "mapping"


def _range(metadata: Sequence[Any]) -> str:
    """Bounds in words; pydantic keeps them one by one or in a field."""
    flat = [each for holder in metadata for each in getattr(holder, "metadata", (holder,))]
    limits = [(bound, getattr(each, bound, None)) for each in flat for bound in _BOUNDS]
    words = [
        f"{_BOUNDS[bound]} {limit:g}"
        for bound, limit in limits
        if limit is not None and abs(limit) < _HUGE
    ]
    return f" {' and '.join(words)}" if words else ""


GROUPS: dict[str, Callable[[], tuple[Section, ...]]] = {
    "spec": parts,
    "steps": steps,
    "prepare": steps,
    "datasets": datasets,
    "dataset": datasets,
}
# Types of arguments that are Keras components or files.
_VALUES = {
    **NOUNS,
    "file": "file of the run",
    "schedules": "number or learning rate schedule",
    STACKS: "list of stacks of layers",
}


def everything() -> tuple[Section, ...]:
    """All sections, steps and datasets."""
    return (*parts(), *steps(), *datasets())


def look_up(word: str) -> tuple[Section, ...]:
    """All meanings of a word.

    Args:
        word: a group such as `steps`, a kind such as `layers`, a section such as `training`, or
            the name of a key, dataset, step or Keras class.

    Raises:
        CommandError: it is unknown; with the nearest known word.
    """
    if word in GROUPS:
        return GROUPS[word]()
    if word in NOUNS:
        return (of_kind(word),)
    named = (section for section in (*steps(), *datasets()) if section.title == word)
    sections = _part(word) or (*named, *_keras(word), *_single(word))
    if not sections:
        near = nearest(word, _words())
        hint = f"did you mean '{near}'?" if near else f"there are {join_words(_openings(), 'and')}"
        raise CommandError(f"there is no key or name '{word}'; {hint}")
    return sections


def of_kind(kind: str) -> Section:
    """The Keras names of a kind, such as `layers`, with a sentence each."""
    others: dict[str, list[str]] = {}
    for word in catalogue.names(kind):
        others.setdefault(catalogue.canonical_name(kind, word), []).append(word)
    listing = tuple(Key(name, _sentence(kind, name, words)) for name, words in others.items())
    return Section(kind, f"Names of a {NOUNS[kind]}.", listing)


def _sentence(kind: str, name: str, words: list[str]) -> str:
    entry = catalogue.entry(kind, name)
    sentence = entry.doc if entry else "Chosen according to the labels."
    also = [f"`{word}`" for word in words if word != name]
    return f"{sentence} Also {join_words(also, 'or')}." if also else sentence


def _part(word: str) -> tuple[Section, ...]:
    """A section of the spec with those below it, by its path or the end of its path."""
    whole = next(
        (part.title for part in parts() if word in (part.title, part.title.split(".")[-1])), ""
    )
    return tuple(part for part in parts() if whole and f"{part.title}.".startswith(f"{whole}."))


def _single(word: str) -> Iterator[Section]:
    """Sections with only the key of that name, such as `epochs` or `training.epochs`."""
    for section in everything():
        for key in section.keys:
            if word in (key.name, f"{section.title}.{key.name}"):
                yield replace(section, keys=(key,))


def _keras(word: str) -> Iterator[Section]:
    for kind, noun in NOUNS.items():
        if entry := catalogue.entry(kind, word):
            arguments = tuple(map(_argument, entry.accepted.values()))
            yield Section(entry.name, entry.doc, arguments, noun)


def _argument(argument: Argument) -> Key:
    return Key(
        argument.name,
        argument.doc,
        _value(argument),
        required=argument.required,
        default=argument.default,
    )


def _value(argument: Argument) -> str:
    """The type of an argument in words, if known."""
    if argument.kind:
        return _VALUES[argument.kind]
    if argument.choices:
        return join_words([f"`{choice}`" for choice in argument.choices], "or")
    return join_words(
        [TYPES[each].removeprefix("a ") for each in argument.types if each != "null"], "or"
    )


def _openings() -> list[str]:
    return [*GROUPS, *NOUNS, *(part.title for part in parts()[1:])]


def _words() -> Iterator[str]:
    yield from _openings()
    for section in everything():
        yield section.title
        yield from (key.name for key in section.keys)
    for kind in NOUNS:
        yield from catalogue.names(kind)
