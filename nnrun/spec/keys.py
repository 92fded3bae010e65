"""Every key of a spec with its values, default and meaning, for `nnrun keys`."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from nnrun.errors import CommandError, SpecError
from nnrun.spec import catalogue, code, language, signatures
from nnrun.spec.catalogue import OwnName
from nnrun.spec.component import NAMED_STACKS, STACKS, Argument, Component, Entry, Spec
from nnrun.spec.dataset import DATASETS, DatasetBase
from nnrun.spec.experiment import Experiment
from nnrun.spec.keras_names import NOUNS, TYPES
from nnrun.spec.prepare import STEPS
from nnrun.spec.suggest import known_names
from nnrun.spec.text import join_words
from nnrun.spec.tree import dotted

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
    default: object = None
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


EXTENDS = Key(
    "extends",
    "A spec to extend, relative to this file. Mappings are merged, other values replaced.",
    "text",
    default="",
)
_STACKS = "Reusable stacks of layers for `model`: `parameters` and `layers` by name."
BLOCKS = Key("blocks", _STACKS, "mapping", default={})


def parts() -> tuple[Section, ...]:
    """The top level and every mapping below it, except those of datasets and steps."""
    top, *below = (
        _section(dotted(path) or TOP, model)
        for path, model in language.walk_models(Experiment)
        if path[:1] != ("dataset",)
    )
    return (replace(top, keys=(EXTENDS, BLOCKS, *top.keys)), *below)


def datasets() -> tuple[Section, ...]:
    """Every dataset with its arguments, without `prepare`, and the mappings below them."""
    own = (
        _section(name, cls, kind="dataset", hidden=("name", "prepare"))
        for name, cls in DATASETS.items()
    )
    below = dict.fromkeys(
        (dotted(path), model)
        for path, model in language.walk_models(Experiment)
        if path[:1] == ("dataset",) and not issubclass(model, DatasetBase)
    )
    return (*own, *(_section(title, model) for title, model in below))


def steps() -> tuple[Section, ...]:
    """Every prepare step with its arguments."""
    return tuple(_section(name, cls, kind="step", hidden=("step",)) for name, cls in STEPS.items())


def _section(
    title: str, model: type[BaseModel], *, kind: str = "", hidden: Sequence[str] = ()
) -> Section:
    fields = {name: field for name, field in model.model_fields.items() if name not in hidden}
    keys = tuple(_key(name, field) for name, field in fields.items())
    return Section(title, " ".join((model.__doc__ or "").split()), keys, kind)


def _key(name: str, field: FieldInfo) -> Key:
    value = kind(field.annotation, field.metadata)
    if field is Experiment.model_fields["name"]:
        return Key(name, meaning(field), value, fallback="the file's stem")
    if field.is_required():
        return Key(name, meaning(field), value, required=True)
    default = field.get_default(call_default_factory=True)
    if isinstance(default, Spec):
        return Key(name, meaning(field), value)
    if default is not None and NoneType in get_args(field.annotation):
        value += " or `null`"
    plain = list(default) if isinstance(default, tuple) else default
    return Key(name, meaning(field), value, default=plain)


def summary(cls: type[BaseModel]) -> str:
    """The first paragraph of a model's docstring on one line."""
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split())


def meaning(field: FieldInfo) -> str:
    """A field's description on one line."""
    add_descriptions()
    return " ".join((field.description or "").split())


@cache
def add_descriptions() -> None:
    """Sets the descriptions of all fields from the strings below them in the source.

    Pydantic could do so for each class, but that takes 50 ms at each start.
    """
    for part in spec_classes(Spec):
        for cls in reversed(part.__mro__[: part.__mro__.index(Spec)]):
            for name, text in _docstrings(cls.__module__).get(cls.__name__, {}).items():
                if name in part.model_fields:
                    part.model_fields[name].description = text


def spec_classes(above: type[Spec]) -> Iterator[type[Spec]]:
    """All subclasses, in order of definition."""
    for part in above.__subclasses__():
        yield part
        yield from spec_classes(part)


@cache
def _docstrings(module: str) -> dict[str, dict[str, str]]:
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except OSError:
        return {}  # installed without its source
    return {cls.name: dict(_fields(cls)) for cls in tree.body if isinstance(cls, ast.ClassDef)}


def _fields(cls: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, below in zip(cls.body, cls.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                yield name, inspect.cleandoc(text)


_WORDS: dict[object, str] = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "true or false",
    dict: "mapping",
    tuple: "list",
    list: "list",
    Component: "name, with arguments",
}
_BOUNDS = {"gt": "above", "ge": "from", "lt": "below", "le": "to"}
# Larger bounds only keep numbers within their type and are not shown.
_HUGE = 10**9


def kind(annotation: object, metadata: Sequence[object] = ()) -> str:
    """A type in words."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kind(inner[0], inner[1:])
    if origin is Literal:
        return join_words([f"`{word}`" for word in inner], "or")
    if origin in (Union, UnionType):
        kinds = [kind(choice) for choice in inner if choice is not NoneType]
        return ", or ".join(dict.fromkeys(kinds))
    return _WORDS.get(origin or annotation, "mapping") + _range(metadata)


def _range(metadata: Sequence[object]) -> str:
    """Bounds in words; pydantic keeps them one by one or in a field."""
    flat = [bound for holder in metadata for bound in getattr(holder, "metadata", (holder,))]
    limits = [
        (word, getattr(bound, name, _HUGE)) for bound in flat for name, word in _BOUNDS.items()
    ]
    words = [f"{word} {limit:g}" for word, limit in limits if abs(limit) < _HUGE]
    return f" {' and '.join(words)}" if words else ""


GROUPS: dict[str, Callable[[], tuple[Section, ...]]] = {
    "spec": parts,
    **dict.fromkeys(("steps", "prepare"), steps),
    **dict.fromkeys(("datasets", "dataset"), datasets),
}
# Types of arguments that are Keras components or files.
_VALUES = {
    **NOUNS,
    "file": "file of the run",
    "path": "path, relative to the spec",
    "schedules": "number or learning rate schedule",
    STACKS: "list of stacks of layers",
    NAMED_STACKS: "mapping from names to stacks of layers",
}


def everything() -> tuple[Section, ...]:
    """All sections, steps and datasets."""
    return (*parts(), *steps(), *datasets())


def look_up(word: str) -> tuple[Section, ...]:
    """All meanings of the name of a group, kind, section, key, dataset, step or Keras class.

    Raises:
        CommandError: it is unknown; with the nearest known word.
    """
    if word in GROUPS:
        return GROUPS[word]()
    if own := _own(word):
        return own
    if word in NOUNS:
        return (of_kind(word),)
    named = (section for section in (*steps(), *datasets()) if section.title == word)
    sections = _part(word) or (*named, *_keras(word), *_single(word))
    if not sections:
        first = [*GROUPS, *NOUNS, *(part.title for part in parts()[1:])]
        words = [w for part in everything() for w in (part.title, *(k.name for k in part.keys))]
        words += [name for kind in NOUNS for name in catalogue.names(kind)]
        hint = known_names(word, [*first, *words], most=len(first))
        raise CommandError(f"there is no key or name '{word}'; {hint}")
    return sections


def _own(word: str) -> tuple[Section, ...]:
    """The names in a Python file `layers.py`, or the one that is meant by `layers.Gate`."""
    path, _, wanted = word.rpartition(".")
    names = "." in word and wanted != "py"
    file = code.on_its_own(Path(f"{path}.py" if names else word))
    if file is None:
        return ()
    own, faults = signatures.read((file,))
    if faults and not own:
        raise SpecError(faults)
    return tuple(
        replace(_of_entry(found.entry, _kinds(found)), title=name)
        for name, found in own.items()
        if not names or name.endswith(f".{wanted}")
    )


def _kinds(own: OwnName) -> str:
    if own.kinds is None:
        return "class"
    if own.is_function:
        return "function"
    return join_words([NOUNS.get(kind, "step") for kind in sorted(own.kinds)], "or") or "class"


def of_kind(kind: str) -> Section:
    """The Keras names of a kind, such as `layers`, with a sentence each."""
    others: dict[str, list[str]] = {}
    for word in catalogue.names(kind):
        others.setdefault(catalogue.canonical_name(kind, word), []).append(word)
    keys = []
    for name, words in others.items():
        sentence = catalogue.described(kind, name).doc
        also = [f"`{word}`" for word in words if word != name]
        keys.append(Key(name, f"{sentence} Also {join_words(also, 'or')}." if also else sentence))
    return Section(kind, f"Names of a {NOUNS[kind]}.", tuple(keys))


def _part(word: str) -> tuple[Section, ...]:
    """A section of the spec with those below it, by its path or the end of its path."""
    titles = (part.title for part in parts())
    whole = next((title for title in titles if word in (title, title.split(".")[-1])), None)
    return tuple(part for part in parts() if whole and f"{part.title}.".startswith(f"{whole}."))


def _single(word: str) -> Iterator[Section]:
    for section in everything():
        for key in section.keys:
            if word in (key.name, f"{section.title}.{key.name}"):
                yield replace(section, keys=(key,))


def _keras(word: str) -> Iterator[Section]:
    for kind, noun in NOUNS.items():
        if catalogue.is_known(kind, word):
            yield _of_entry(catalogue.described(kind, word), noun)


def _of_entry(entry: Entry, noun: str) -> Section:
    keys = (
        Key(a.name, a.doc, _value(a), required=a.required, default=a.default)
        for a in entry.accepted.values()
    )
    return Section(entry.name, entry.doc, tuple(keys), noun)


def _value(argument: Argument) -> str:
    if argument.kind:
        return _VALUES[argument.kind]
    words = [f"`{choice}`" for choice in argument.choices]
    types = [TYPES[name].removeprefix("a ") for name in argument.types if name != "null"]
    return join_words(words or types, "or")
