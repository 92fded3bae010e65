"""What follows a name of Keras's, from the catalogue: its arguments, their types and words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nnrun.spec import arguments, blocks, catalogue, components, composites
from nnrun.spec.catalogue import Argument, Entry
from nnrun.spec.schema.values import (
    Schema,
    described,
    either,
    followed,
    mapping,
    nullable,
    numeric,
    reference,
    single,
    typed,
    word,
)
from nnrun.spec.words import article

# A spec that extends another may hold a part of these, because mappings merge. All other names are
# parts of lists, which do not.
MERGED = frozenset(("optimizers", "losses", "schedules"))

# Names the definition of the words that stand alone; no class of Keras's is called so.
ALONE = "alone"
ANYTHING = ("string", "number", "boolean", "array")


def definitions() -> Iterator[tuple[str, Schema]]:
    """Each kind of name, and each name of a kind with its arguments."""
    for kind in components.NOUNS:
        names = catalogue.names(kind)
        yield kind, _kind(kind)
        yield f"{kind}.{ALONE}", _alone(kind)
        if kind != "activations":
            for name in dict.fromkeys(catalogue.meaning(kind, each) for each in names):
                yield f"{kind}.{name}", _arguments(kind, name)


def _entry(kind: str, name: str) -> Entry:
    return catalogue.entry(kind, name) or Entry(name, "What the labels make of it.", {}, {})


def _needed(kind: str, entry: Entry) -> list[str]:
    return [name for name, each in entry.accepted.items() if each.required and kind not in MERGED]


def _alone(kind: str) -> Schema:
    """The words of a kind that need nothing after them."""
    entries = {name: _entry(kind, name) for name in catalogue.names(kind)}
    return word({name: each.doc for name, each in entries.items() if not _needed(kind, each)})


def _kind(kind: str) -> Schema:
    """A name of a kind, alone or with its arguments."""
    noun = components.NOUNS[kind]
    description = f"{article(noun).capitalize()} of Keras's."
    alone = reference(f"{kind}.{ALONE}")
    if kind == "activations":
        return described(alone, description)
    names = {name: catalogue.meaning(kind, name) for name in catalogue.names(kind)}
    words = {name: reference(f"{kind}.{own}") for name, own in names.items()}
    if kind == "layers":
        return described(_or_a_block(single(words, alone)), description)
    return described(single(words, None if kind == "schedules" else alone), description)


def _or_a_block(layers: Schema) -> Schema:
    """A layer, or the name of a block with what is handed over; which there are, nnrun knows."""
    name = f"^{blocks.NAME}$"
    alone = {"type": "string", "pattern": name}
    return {**layers, "patternProperties": {name: {}}, "anyOf": [*layers["anyOf"], alone]}


def _arguments(kind: str, name: str) -> Schema:
    """What may follow a name: its arguments, nothing, or a lone value."""
    entry = _entry(kind, name)
    needed = _needed(kind, entry)
    properties = {key: _argument(kind, entry, each) for key, each in entry.accepted.items()}
    lone = _lone(kind, entry) if {*needed} <= {entry.first} else None
    said = [f"`{a.name}`{' (needed)' * a.required}" for a in entry.arguments.values()]
    more = f"\n\nArguments: {', '.join(said)}" if said else ""
    return {
        "description": entry.doc,
        "markdownDescription": entry.doc + more,
        **followed(mapping(properties, needed), lone),
    }


def _argument(kind: str, entry: Entry, argument: Argument) -> Schema:
    value = _value(kind, entry, argument)
    said = argument.doc or f"Keras does not describe `{argument.name}`."
    if argument.required:
        return described(value, said)
    value = nullable(value) if arguments.may_be_null(argument) else value
    return described(value, said, argument.default)


def _value(kind: str, entry: Entry, argument: Argument) -> Schema:
    """What `components.check` lets through."""
    if argument.kind == "file":
        return {"type": "string", "minLength": 1}
    if argument.kind == "schedules":
        schedule = reference("schedules")
        return schedule if argument.required else either(numeric({"type": "number"}), schedule)
    if argument.kind == composites.STACKS:
        stack = {"type": "array", "items": reference("layers")}
        return {"type": "array", "minItems": 2, "items": either(stack, reference("layers"))}
    if argument.kind == "layers":
        return either(reference("layers"), {"type": "array", "items": reference("layers")})
    return reference(argument.kind) if argument.kind else _plain(kind, entry, argument)


def _plain(kind: str, entry: Entry, argument: Argument) -> Schema:
    """What `arguments.expected` lets through."""
    if kind == "layers" and argument.required and argument.name in arguments.COUNTS:
        return numeric({"type": "integer", "exclusiveMinimum": 0})
    if entry.name in arguments.DROPPING and argument.name == "rate":
        return numeric({"type": "number", "minimum": 0, "maximum": 1})
    if argument.name in arguments.MIXED:
        return {}
    if argument.name in arguments.READ:
        return typed(("array", "null"), ())
    if kind in arguments.NAMED and argument.name == "name" and not argument.choices:
        return {"type": ["string", "null"], "pattern": arguments.NAME}
    if kind == "callbacks" and argument.name == "monitor":
        return {"type": "string"}
    return typed(argument.types, arguments.choices(argument))


def _lone(kind: str, entry: Entry) -> Schema | None:
    """The first argument without its name; a mapping holds arguments by name, so it is none."""
    if entry.first is None:
        return None
    first = entry.arguments[entry.first]
    if first.kind == "schedules":
        return numeric({"type": "number"})
    if first.kind == "layers":
        several = {"type": "array", "items": reference("layers")}
        return either(reference(f"layers.{ALONE}"), several)
    if first.kind == composites.STACKS:
        return _value(kind, entry, first)
    if first.kind not in (None, "file"):
        return reference(f"{first.kind}.{ALONE}")
    types = tuple(name for name in first.types or ANYTHING if name not in ("object", "null"))
    return _value(kind, entry, replace(first, types=types)) if types else None
