"""The spec as JSON Schema, draft 07, for completion and checks in editors.

It accepts all valid specs, and some invalid ones: it cannot check the data or combinations of keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nnrun.spec import blocks, catalogue, component, keras_names, keys, tree
from nnrun.spec.catalogue import Argument, Entry
from nnrun.spec.component import Spec
from nnrun.spec.experiment import Experiment
from nnrun.spec.keys import BLOCKS, EXTENDS
from nnrun.spec.prepare import STEPS, first_argument

Schema = dict[str, Any]
NEEDED: Any = object()
"""The default of a required key."""

# Some YAML readers take `1e-4` (1.1) or `10_000` (1.2) for text, which is a number in nnrun. So text
# that looks like a number is allowed in place of a number.
_TEXT = {
    "integer": (f"^({tree.DECIMAL}|{tree.BASED})$", "must be a whole number"),
    "number": (f"^({tree.FLOAT}|{tree.BASED})$", "must be a number"),
}
_SAID = frozenset(("description", "markdownDescription", "default"))


def typed(types: Iterable[str], choices: Sequence[str] = ()) -> Schema:
    """A value of some JSON types (any if none); text must be one of the choices."""
    others = [name for name in types if name != "string"]
    if not choices:
        return numeric({"type": _one(types)}) if (types := tuple(types)) else {}
    if not types:
        return {"anyOf": [{"enum": list(choices)}, {"not": {"type": "string"}}]}
    if set(others) <= {"null"}:
        return {"enum": [*choices, *(None for _ in others)]}
    return {"anyOf": [{"enum": list(choices)}, typed(others)]}


def numeric(schema: Schema) -> Schema:
    """The schema, also for numbers that are read as text."""
    types = _types(schema)
    kind = next((kind for kind in ("number", "integer") if kind in types), None)
    if kind is None or "string" in types:
        return schema
    pattern, message = _TEXT[kind]
    text = {"pattern": pattern, "patternErrorMessage": message}
    return {**schema, "type": [*types, "string"], **text}


def _types(schema: Schema) -> list[str]:
    """The JSON types of a schema; references and choices are strings."""
    types = schema.get("type", "string" if {"$ref", "enum"} & schema.keys() else [])
    return [types] if isinstance(types, str) else list(types)


def _one(types: Sequence[str]) -> str | list[str]:
    return types[0] if len(types) == 1 else list(types)


def nullable(schema: Schema) -> Schema:
    """The same, or `null`."""
    if not schema:
        return schema
    if "enum" in schema:
        return {**schema, "enum": list(dict.fromkeys([*schema["enum"], None]))}
    # Editors complete the keys of a mapping only if no other type is allowed.
    if "type" in schema and "properties" not in schema:
        return {**schema, "type": list(dict.fromkeys([*_types(schema), "null"]))}
    return either(schema, {"type": "null"})


def either(*schemas: Schema) -> Schema:
    """One of several schemas, flattened."""
    flat = [each for schema in schemas for each in _alternatives(schema)]
    return {"anyOf": [each for place, each in enumerate(flat) if each not in flat[:place]]}


def _alternatives(schema: Schema) -> list[Schema]:
    return list(schema["anyOf"]) if schema.keys() == {"anyOf"} else [schema]


def described(schema: Schema, text: str, default: Any = NEEDED) -> Schema:
    """The schema with another description and default.

    Args:
        schema: with or without a description.
        text: in Markdown.
        default: added to the text too, because editors do not show it. Null and empty values are
            only in the text, so that editors do not insert them.
    """
    is_telling = default is not NEEDED and default not in ("", [])
    if is_telling and "efault" not in text:
        text = f"{text} Default: {default if isinstance(default, str) else json.dumps(default)}."
    inner = {key: value for key, value in schema.items() if key not in _SAID}
    # In draft 07 keys beside a reference are ignored.
    inner = {"anyOf": [inner]} if "$ref" in inner else inner
    markdown = {"markdownDescription": text} if "`" in text else {}
    kept = {"default": default} if is_telling and default is not None else {}
    return {**inner, "description": text, **markdown, **kept}


def reference(name: str) -> Schema:
    """A reference to a definition."""
    return {"$ref": f"#/definitions/{name}"}


def mapping(properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    """A mapping with only these keys."""
    needed = {"required": list(required)} if required else {}
    return {
        "type": "object",
        "properties": dict(properties),
        **needed,
        "additionalProperties": False,
    }


def word(words: Mapping[str, str]) -> Schema:
    """One of some words, with descriptions."""
    return {
        "type": "string",
        "enum": list(words),
        "markdownEnumDescriptions": list(words.values()),
    }


def single(words: Mapping[str, Schema], alone: Schema | None = None) -> Schema:
    """One of some words with its arguments, or a word alone."""
    # The limit is separate from the keys, otherwise editors propose no key while one is typed.
    one: Schema = {"type": "object", "minProperties": 1, "maxProperties": 1}
    # Editors report the first alternative if none fits.
    return {
        **mapping(words),
        "type": ["object", "string"] if alone else "object",
        "anyOf": [alone, one] if alone else [one],
    }


def followed(arguments: Schema, lone: Schema | None) -> Schema:
    """The value of a name: arguments, nothing if none is required, or a single value."""
    nothing = [] if "required" in arguments else [{"type": "null"}]
    alternatives = either(arguments, *nothing, *([lone] if lone else []))
    # Editors insert a value of the first type.
    types = [name for each in alternatives["anyOf"] for name in _types(each)]
    return {"type": list(dict.fromkeys(types)), **alternatives}


def as_text(schema: Schema) -> str:
    """JSON with one line per definition, for readable diffs."""
    head = {key: value for key, value in schema.items() if key != "definitions"}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    rows = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in schema["definitions"].items()]
    lines.append('"definitions": {\n' + ",\n".join(rows) + "\n}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


# Kinds of Keras components by key.
KINDS = {
    "model": "layers",
    "optimizer": "optimizers",
    "loss": "losses",
    "metrics": "metrics",
    "callbacks": "callbacks",
}
WHOLE, EXTENDING = "spec", "spec.extending"
# Of pydantic; titles are names of classes.
_LEFT_OUT = frozenset(("title", "$defs", "discriminator", "$ref", "oneOf", "default"))


class Keys:
    """Turns pydantic's schema, draft 2020-12 with `$defs`, into draft 07."""

    def __init__(self) -> None:
        keys.add_descriptions()
        for part in keys.spec_classes(Spec):
            part.model_rebuild(force=True)
        self.whole = Experiment.model_json_schema()
        self.models: dict[str, Schema] = self.whole["$defs"]

    def definitions(self) -> Iterator[tuple[str, Schema]]:
        """A spec, a spec that extends another, and the prepare steps."""
        spec = self._draft07(self.whole)
        extends = {"type": "string", "minLength": 1, "description": EXTENDS.meaning}
        spec["properties"] = {"extends": extends, "blocks": _blocks(), **spec["properties"]}
        # The default name is the file's stem.
        spec["required"] = [key for key in spec["required"] if key != "name"]
        yield WHOLE, spec
        # Required keys may be in the extended spec.
        yield EXTENDING, _loosened(spec)
        yield from self._steps()

    def _steps(self) -> Iterator[tuple[str, Schema]]:
        """A step of `prepare`, and the arguments of each."""
        steps = {name: self._draft07(self.models[cls.__name__]) for name, cls in STEPS.items()}
        alone = {name: s["description"] for name, s in steps.items() if "required" not in s}
        words = {name: reference(f"steps.{name}") for name in steps}
        yield "steps", described(single(words, word(alone)), "A step of `prepare`.")
        for name, schema in steps.items():
            yield f"steps.{name}", _step(name, schema)

    def _draft07(self, schema: Schema, key: str = "") -> Schema:
        """A part of pydantic's schema, with references expanded.

        Args:
            schema: pydantic's.
            key: of the spec.
        """
        result = {name: value for name, value in schema.items() if name not in _LEFT_OUT}
        if "oneOf" in schema and "discriminator" not in schema:
            result["anyOf"] = schema["oneOf"]
        if "properties" in result:
            properties = result["properties"].items()
            result["properties"] = {name: self._draft07(each, name) for name, each in properties}
        for name in ("items", "additionalProperties"):
            if isinstance(result.get(name), dict):
                result[name] = self._draft07(result[name], key)
        if "anyOf" in result:
            result |= self._any_of(result.pop("anyOf"), key)
        if "$ref" in schema or "discriminator" in schema:
            result = self._inner(schema, key) | result
        text, default = schema.get("description"), schema.get("default", NEEDED)
        if text is None:
            return numeric(result)
        # Keys of a mapping have their own defaults.
        return described(numeric(result), text, NEEDED if isinstance(default, dict) else default)

    def _any_of(self, alternatives: list[Schema], key: str) -> Schema:
        null = {"type": "null"}
        schema = [self._draft07(each, key) for each in alternatives if each != null]
        result = schema[0] if len(schema) == 1 else either(*schema)
        return nullable(result) if null in alternatives else result

    def _inner(self, schema: Schema, key: str) -> Schema:
        """The definition of a reference, or of one of several models."""
        match schema:
            case {"discriminator": {"propertyName": "name"}, "oneOf": alternatives}:
                return self._named(alternatives, key)
            case {"discriminator": _}:
                return reference("steps")
        name = schema["$ref"].rpartition("/")[2]
        return reference(KINDS[key]) if name == "Component" else self._draft07(self.models[name])

    def _named(self, alternatives: list[Schema], key: str) -> Schema:
        """One of several mappings, selected by `name`; or the name alone."""
        mappings = [self._draft07(each, key) for each in alternatives]
        docs = {each["properties"]["name"]["const"]: each["description"] for each in mappings}
        for each in mappings:
            name = each["properties"]["name"]
            each["properties"]["name"] = described(name, each["description"])
        return either(word(docs), *mappings)


def _blocks() -> Schema:
    """Blocks by name; layers are not checked."""
    properties: dict[str, Schema] = {
        blocks.PARAMETERS: {"description": "Names, each with or without a default."},
        blocks.LAYERS: {
            "type": "array",
            "minItems": 1,
            "description": "Layers, with `$name` for parameters.",
        },
    }
    named = {f"^{blocks.NAME}$": mapping(properties, [blocks.LAYERS])}
    schema = {"type": "object", "patternProperties": named, "additionalProperties": False}
    return described(schema, BLOCKS.meaning)


def _step(name: str, schema: Schema) -> Schema:
    """The value of a step: arguments, nothing, or a single value."""
    arguments = STEPS[name].model_fields.keys() - {"step"}
    properties = {key: each for key, each in schema["properties"].items() if key in arguments}
    needed = schema.get("required", [])
    first = first_argument(name)
    is_enough = first in properties and {*needed} <= {first}
    lone = properties[first] if is_enough else None
    return described(followed(mapping(properties, needed), lone), schema["description"])


def _loosened(schema: Schema) -> Schema:
    """Without required keys in nested mappings; lists are not merged."""
    loose = {key: value for key, value in schema.items() if key != "required"}
    if "properties" in loose:
        inner = loose["properties"].items()
        loose["properties"] = {key: _loosened(value) for key, value in inner}
    if "anyOf" in loose:
        loose["anyOf"] = [_loosened(each) for each in loose["anyOf"]]
    return loose


# These can be partial in a spec that extends another. Others are in lists, which are not merged.
MERGED = frozenset(("optimizers", "losses", "schedules"))

# The definition of names without arguments.
ALONE = "alone"
ANYTHING = ("string", "number", "boolean", "array")


def definitions() -> Iterator[tuple[str, Schema]]:
    """Each kind, and each of its classes with arguments."""
    for kind in keras_names.NOUNS:
        names = catalogue.names(kind)
        yield kind, _kind(kind)
        yield f"{kind}.{ALONE}", _alone(kind)
        if kind != "activations":
            for name in dict.fromkeys(catalogue.canonical_name(kind, each) for each in names):
                yield f"{kind}.{name}", _arguments(kind, name)


def _entry(kind: str, name: str) -> Entry:
    return catalogue.entry(kind, name) or Entry(name, "Depends on the labels.", {}, {})


def _needed(kind: str, entry: Entry) -> list[str]:
    return [name for name, each in entry.accepted.items() if each.required and kind not in MERGED]


def _alone(kind: str) -> Schema:
    """The names of a kind without required arguments."""
    entries = {name: _entry(kind, name) for name in catalogue.names(kind)}
    return word({name: each.doc for name, each in entries.items() if not _needed(kind, each)})


def _kind(kind: str) -> Schema:
    """A component of a kind, alone or with its arguments."""
    noun = keras_names.NOUNS[kind]
    description = f"A Keras {noun}."
    alone = reference(f"{kind}.{ALONE}")
    if kind == "activations":
        return described(alone, description)
    names = {name: catalogue.canonical_name(kind, name) for name in catalogue.names(kind)}
    words = {name: reference(f"{kind}.{own}") for name, own in names.items()}
    if kind == "layers":
        return described(_or_a_block(single(words, alone)), description)
    return described(single(words, None if kind == "schedules" else alone), description)


def _or_a_block(layers: Schema) -> Schema:
    """A layer, or any name of a block with its parameters."""
    name = f"^{blocks.NAME}$"
    alone = {"type": "string", "pattern": name}
    return {**layers, "patternProperties": {name: {}}, "anyOf": [*layers["anyOf"], alone]}


def _arguments(kind: str, name: str) -> Schema:
    """The value of a class: arguments, nothing, or a single value."""
    entry = _entry(kind, name)
    needed = _needed(kind, entry)
    properties = {key: _argument(kind, entry, each) for key, each in entry.accepted.items()}
    lone = _lone(kind, entry) if {*needed} <= {entry.first} else None
    names = [f"`{a.name}`{' (required)' * a.required}" for a in entry.arguments.values()]
    more = f"\n\nArguments: {', '.join(names)}" if names else ""
    return {
        "description": entry.doc,
        "markdownDescription": entry.doc + more,
        **followed(mapping(properties, needed), lone),
    }


def _argument(kind: str, entry: Entry, argument: Argument) -> Schema:
    value = _value(kind, entry, argument)
    text = argument.doc or f"Keras does not describe `{argument.name}`."
    if argument.required:
        return described(value, text)
    value = nullable(value) if keras_names.may_be_null(argument) else value
    return described(value, text, argument.default)


def _value(kind: str, entry: Entry, argument: Argument) -> Schema:
    """Values that `keras_names.check` accepts."""
    if argument.kind == "file":
        return {"type": "string", "minLength": 1}
    if argument.kind == "schedules":
        schedule = reference("schedules")
        return schedule if argument.required else either(numeric({"type": "number"}), schedule)
    if argument.kind == component.STACKS:
        stack = {"type": "array", "items": reference("layers")}
        return {"type": "array", "minItems": 2, "items": either(stack, reference("layers"))}
    if argument.kind == "layers":
        return either(reference("layers"), {"type": "array", "items": reference("layers")})
    return reference(argument.kind) if argument.kind else _plain(kind, entry, argument)


def _plain(kind: str, entry: Entry, argument: Argument) -> Schema:
    """Values that `keras_names.expected_value` accepts."""
    if kind == "layers" and argument.required and argument.name in keras_names.COUNTS:
        return numeric({"type": "integer", "exclusiveMinimum": 0})
    if entry.name in keras_names.DROPPING and argument.name == "rate":
        return numeric({"type": "number", "minimum": 0, "maximum": 1})
    if argument.name in keras_names.MIXED:
        return {}
    if argument.name in keras_names.READ:
        return typed(("array", "null"), ())
    if kind in keras_names.NAMED and argument.name == "name" and not argument.choices:
        return {"type": ["string", "null"], "pattern": keras_names.NAME}
    if kind == "callbacks" and argument.name == "monitor":
        return {"type": "string"}
    return typed(argument.types, keras_names.choices(argument))


def _lone(kind: str, entry: Entry) -> Schema | None:
    """The first argument without its name, except as a mapping."""
    if entry.first is None:
        return None
    first = entry.arguments[entry.first]
    if first.kind == "schedules":
        return numeric({"type": "number"})
    if first.kind == "layers":
        several = {"type": "array", "items": reference("layers")}
        return either(reference(f"layers.{ALONE}"), several)
    if first.kind == component.STACKS:
        return _value(kind, entry, first)
    if first.kind not in (None, "file"):
        return reference(f"{first.kind}.{ALONE}")
    types = tuple(name for name in first.types or ANYTHING if name not in ("object", "null"))
    return _value(kind, entry, replace(first, types=types)) if types else None


FILE = "nnrun.schema.json"
"""Name of the shipped file, beside the shipped specs."""


def schema() -> Schema:
    """The schema, from the pydantic models and the catalogue."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "nnrun spec",
        "if": {"required": ["extends"]},
        "then": reference(EXTENDING),
        "else": reference(WHOLE),
        "definitions": {**dict(Keys().definitions()), **dict(definitions())},
    }


def text() -> str:
    """The schema as JSON, one line per definition."""
    return as_text(schema())


def header(address: str = FILE) -> tuple[str, str]:
    """The first lines of a spec, with which editors find the schema.

    Args:
        address: the schema's file, relative to the spec.
    """
    # The first for the YAML language server of VS Code, Neovim and others, the second for PyCharm.
    return f"# yaml-language-server: $schema={address}", f"# $schema: {address}"
