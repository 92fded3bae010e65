"""Every key of the spec language with its values, its default and its meaning, from the models."""

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
from nnrun.spec import catalogue
from nnrun.spec.catalogue import Argument
from nnrun.spec.component import STACKS, Component, Spec
from nnrun.spec.dataset import DatasetBase
from nnrun.spec.experiment import Experiment
from nnrun.spec.keras_names import NOUNS, TYPES
from nnrun.spec.prepare import STEPS, Step
from nnrun.spec.suggest import nearest
from nnrun.spec.text import join_words
from nnrun.spec.tree import dotted

# Which keys the language has, and where each of them stands: read from the models.


# The meaning of each key, which stands below it in the source.
#
# Pydantic reads it from there as it makes a class, 50 ms for all of them. Few commands ask for it.


@cache
def add_descriptions() -> None:
    """Describes the fields of all parts of the language."""
    for part in spec_classes(Spec):
        for cls in reversed(part.__mro__):
            for name in _written(cls).keys() & part.model_fields.keys():
                part.model_fields[name].description = _written(cls)[name]


def spec_classes(above: type[Spec]) -> Iterator[type[Spec]]:
    """All parts that are of a kind, in the order in which they were made."""
    for part in above.__subclasses__():
        yield part
        yield from spec_classes(part)


def _written(cls: type) -> dict[str, str]:
    """Field and meaning, where a text stands below a field in the class's own lines."""
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
    """Bounds, which pydantic keeps one by one or in a field."""
    flat = [each for holder in metadata for each in getattr(holder, "metadata", (holder,))]
    limits = [(bound, getattr(each, bound, None)) for each in flat for bound in _BOUNDS]
    words = [f"{_BOUNDS[bound]} {limit:g}" for bound, limit in limits if _worth(limit)]
    return f" {' and '.join(words)}" if words else ""


def _worth(limit: float | None) -> bool:
    return limit is not None and abs(limit) < _HUGE


# What a word of the spec language means: a part, a key, a data set, a step or a Keras name.

GROUPS: dict[str, Callable[[], tuple[Section, ...]]] = {
    "spec": parts,
    "steps": steps,
    "prepare": steps,
    "datasets": datasets,
    "dataset": datasets,
}
# What an argument may be that names something of Keras's.
_VALUES = {
    **NOUNS,
    "file": "file of the run",
    "schedules": "number or learning rate schedule",
    STACKS: "list of stacks of layers",
}


def everything() -> tuple[Section, ...]:
    """All but the names of Keras: the parts of a spec, the steps, the data sets."""
    return (*parts(), *steps(), *datasets())


def look_up(word: str) -> tuple[Section, ...]:
    """All that a word means.

    Args:
        word: a group such as `steps`, a kind such as `layers`, a part such as `training`, or the
            name of a key, a data set, a step or something of Keras's.

    Raises:
        CommandError: it means nothing; with the nearest word that means something.
    """
    if word in GROUPS:
        return GROUPS[word]()
    if word in NOUNS:
        return (of_kind(word),)
    found = _part(word) or (*_named(word), *_keras(word), *_single(word))
    if not found:
        near = nearest(word, _words())
        hint = f"did you mean '{near}'?" if near else f"there are {join_words(_openings(), 'and')}"
        raise CommandError(f"there is no key or name '{word}'; {hint}")
    return found


def of_kind(kind: str) -> Section:
    """The names of a kind of Keras's, with a sentence each.

    Args:
        kind: such as `layers`; one of `NOUNS`.
    """
    others: dict[str, list[str]] = {}
    for word in catalogue.names(kind):
        others.setdefault(catalogue.canonical_name(kind, word), []).append(word)
    listing = tuple(Key(name, _sentence(kind, name, words)) for name, words in others.items())
    return Section(kind, f"What a {NOUNS[kind]} may be called.", listing)


def _sentence(kind: str, name: str, words: list[str]) -> str:
    entry = catalogue.entry(kind, name)
    sentence = entry.doc if entry else "Chosen by the labels."
    also = [f"`{word}`" for word in words if word != name]
    return f"{sentence} Also {join_words(also, 'or')}." if also else sentence


def _part(word: str) -> tuple[Section, ...]:
    """A part of the spec with those below it, by its path or by the end of it."""
    whole = next(
        (part.title for part in parts() if word in (part.title, part.title.split(".")[-1])), ""
    )
    return tuple(part for part in parts() if whole and f"{part.title}.".startswith(f"{whole}."))


def _named(word: str) -> Iterator[Section]:
    return (section for section in (*steps(), *datasets()) if section.title == word)


def _single(word: str) -> Iterator[Section]:
    """Sections cut down to the key of that name, such as `epochs` or `training.epochs`."""
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
    """What an argument may be, as far as that is known."""
    if argument.kind:
        return _VALUES[argument.kind]
    if argument.choices:
        return join_words([f"`{choice}`" for choice in argument.choices], "or")
    return join_words(
        [TYPES[each].removeprefix("a ") for each in argument.types if each != "null"], "or"
    )


def _openings() -> list[str]:
    """Words to begin with."""
    return [*GROUPS, *NOUNS, *(part.title for part in parts()[1:])]


def _words() -> Iterator[str]:
    yield from _openings()
    for section in everything():
        yield section.title
        yield from (key.name for key in section.keys)
    for kind in NOUNS:
        yield from catalogue.names(kind)
