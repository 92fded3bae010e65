"""Pieces of JSON Schema, draft 07: what one value may be, and what an editor says of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nnrun.spec import scalars

Schema = dict[str, Any]
NEEDED: Any = object()
"""Stands for the default of what has none."""

# nnrun reads `1e-4` and `10_000` as numbers, but what checks a spec by this schema may read them as
# text: YAML 1.1 knows no `1e-4` without a point, YAML 1.2 no `_`. So text that looks like a number
# is let through wherever a number may stand.
_TEXT = {
    "integer": (f"^({scalars.DECIMAL}|{scalars.BASED})$", "must be a whole number"),
    "number": (f"^({scalars.FLOAT}|{scalars.BASED})$", "must be a number"),
}
_SAID = frozenset(("description", "markdownDescription", "default"))


def typed(types: Iterable[str], choices: Sequence[str] = ()) -> Schema:
    """A value of one of JSON's types, anything where there are none; text is one of the choices."""
    others = [name for name in types if name != "string"]
    if not choices:
        return numeric({"type": _one(types)}) if (types := tuple(types)) else {}
    if not types:
        return {"anyOf": [{"enum": list(choices)}, {"not": {"type": "string"}}]}
    if set(others) <= {"null"}:
        return {"enum": [*choices, *(None for _ in others)]}
    return {"anyOf": [{"enum": list(choices)}, typed(others)]}


def numeric(schema: Schema) -> Schema:
    """The schema, where it asks for a number, with numbers that are read as text."""
    types = _types(schema)
    kind = next((kind for kind in ("number", "integer") if kind in types), None)
    if kind is None or "string" in types:
        return schema
    pattern, message = _TEXT[kind]
    text = {"pattern": pattern, "patternErrorMessage": message}
    return {**schema, "type": [*types, "string"], **text}


def _types(schema: Schema) -> list[str]:
    """JSON's types for a value; a reference and a choice are words."""
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
    # An editor proposes the keys of a mapping only where nothing else may stand in its place.
    if "type" in schema and "properties" not in schema:
        return {**schema, "type": list(dict.fromkeys([*_types(schema), "null"]))}
    return either(schema, {"type": "null"})


def either(*schemas: Schema) -> Schema:
    """One of several, those that are one of several themselves taken apart."""
    flat = [each for schema in schemas for each in _alternatives(schema)]
    return {"anyOf": [each for place, each in enumerate(flat) if each not in flat[:place]]}


def _alternatives(schema: Schema) -> list[Schema]:
    return list(schema["anyOf"]) if schema.keys() == {"anyOf"} else [schema]


def described(schema: Schema, text: str, default: Any = NEEDED) -> Schema:
    """The schema with what an editor says of it.

    Args:
        schema: its own description and default, if any, give way.
        text: in Markdown.
        default: said in the text too, because editors do not show it. `null` stays in the text
            only: an editor would write it out, and nobody means it. So does what is empty.
    """
    is_telling = default is not NEEDED and default not in ("", [])
    if is_telling and "efault" not in text:
        text = f"{text} Default: {default if isinstance(default, str) else json.dumps(default)}."
    inner = {key: value for key, value in schema.items() if key not in _SAID}
    # A reader of draft 07 sees nothing beside a reference.
    inner = {"anyOf": [inner]} if "$ref" in inner else inner
    markdown = {"markdownDescription": text} if "`" in text else {}
    kept = {"default": default} if is_telling and default is not None else {}
    return {**inner, "description": text, **markdown, **kept}


def reference(name: str) -> Schema:
    """A definition by its name."""
    return {"$ref": f"#/definitions/{name}"}


def mapping(properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    """A mapping of these keys and no others."""
    needed = {"required": list(required)} if required else {}
    return {
        "type": "object",
        "properties": dict(properties),
        **needed,
        "additionalProperties": False,
    }


def word(words: Mapping[str, str]) -> Schema:
    """One of some words, each with its description."""
    return {
        "type": "string",
        "enum": list(words),
        "markdownEnumDescriptions": list(words.values()),
    }


def single(words: Mapping[str, Schema], alone: Schema | None = None) -> Schema:
    """One of some words with what follows it, or a word alone."""
    # The limit stands beside the keys rather than with them: where it is reached, as it is while
    # the first word is typed, a language server proposes none of them.
    one: Schema = {"type": "object", "minProperties": 1, "maxProperties": 1}
    # Where no alternative fits it complains of the first: of a word, that it is none of the words.
    return {
        **mapping(words),
        "type": ["object", "string"] if alone else "object",
        "anyOf": [alone, one] if alone else [one],
    }


def followed(arguments: Schema, lone: Schema | None) -> Schema:
    """What may follow a name: its arguments, nothing where none is needed, or a lone value."""
    nothing = [] if "required" in arguments else [{"type": "null"}]
    alternatives = either(arguments, *nothing, *([lone] if lone else []))
    # Of these types an editor makes room for the first one when it writes the name.
    types = [name for each in alternatives["anyOf"] for name in _types(each)]
    return {"type": list(dict.fromkeys(types)), **alternatives}


def as_text(schema: Schema) -> str:
    """JSON with a line for every definition, so that a change of one is a change of a line."""
    head = {key: value for key, value in schema.items() if key != "definitions"}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    rows = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in schema["definitions"].items()]
    lines.append('"definitions": {\n' + ",\n".join(rows) + "\n}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
