"""The spec as JSON Schema, draft 07, for completion and checks in editors.

It accepts all valid specs, and some invalid ones: it cannot check the data or combinations of keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache

from pydantic.json_schema import JsonSchemaValue as Schema

from nnrun.spec import blocks, catalogue, code, component, keras_names, keys, tree
from nnrun.spec.component import Argument, Entry, Spec
from nnrun.spec.dataset import OWN, OwnData
from nnrun.spec.experiment import Experiment
from nnrun.spec.prepare import STEPS, first_argument

FILE = "nnrun.schema.json"  # name of the shipped file, beside the shipped specs
# These can be partial in a spec that extends another. Others are in lists, which are not merged.
_MERGED = frozenset(("optimizers", "losses", "schedules"))
_ANYTHING = ("string", "number", "boolean", "array")
# Of pydantic; titles are names of classes.
_LEFT_OUT = frozenset(("title", "$defs", "discriminator", "$ref", "oneOf", "default"))
_NEEDED = object()  # the default of a required key
# Some YAML readers take `1e-4` (1.1) or `10_000` (1.2) for text, which is a number in nnrun. So text
# that looks like a number is allowed in place of a number.
_TEXT = {
    "integer": (f"^({tree.DECIMAL}|{tree.BASED})$", "must be a whole number"),
    "number": (f"^({tree.FLOAT}|{tree.BASED})$", "must be a number"),
}


def schema() -> Schema:
    """The schema, from the pydantic models and the catalogue."""
    definitions = (*_spec_definitions(), *_step_definitions(), *_keras_definitions())
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "nnrun spec",
        "if": {"required": ["extends"]},
        "then": _reference("spec.extending"),
        "else": _reference("spec"),
        "definitions": dict(definitions),
    }


def text() -> str:
    """The schema as JSON with one line per definition, for readable diffs."""
    document = schema()
    rows = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in document.pop("definitions").items()]
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in document.items()]
    lines.append('"definitions": {\n' + ",\n".join(rows) + "\n}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def header(address: str = FILE) -> tuple[str, str]:
    """The first lines of a spec: the address of the schema, relative to the spec, for editors."""
    # The first for the YAML language server of VS Code, Neovim and others, the second for PyCharm.
    return f"# yaml-language-server: $schema={address}", f"# $schema: {address}"


def _typed(types: Iterable[str], choices: Sequence[str] = ()) -> Schema:
    """A value of some JSON types (any if none); text must be one of the choices."""
    types = list(types)
    if not choices:
        return _numeric({"type": types[0] if len(types) == 1 else types}) if types else {}
    others = [name for name in types if name != "string"]
    if not types:
        return {"anyOf": [{"enum": list(choices)}, {"not": {"type": "string"}}]}
    if set(others) <= {"null"}:
        return {"enum": [*choices, *(None for _ in others)]}
    return {"anyOf": [{"enum": list(choices)}, _typed(others)]}


def _numeric(schema: Schema) -> Schema:
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


def _nullable(schema: Schema) -> Schema:
    if not schema:
        return schema
    if "enum" in schema:
        return {**schema, "enum": list(dict.fromkeys([*schema["enum"], None]))}
    # Editors complete the keys of a mapping only if no other type is allowed.
    if "type" in schema and "properties" not in schema:
        return {**schema, "type": list(dict.fromkeys([*_types(schema), "null"]))}
    return _either(schema, {"type": "null"})


def _either(*schemas: Schema) -> Schema:
    flat: list[Schema] = []
    for schema in schemas:
        alternatives = schema["anyOf"] if schema.keys() == {"anyOf"} else [schema]
        flat += [alternative for alternative in alternatives if alternative not in flat]
    return {"anyOf": flat}


def _described(schema: Schema, text: str, default: object = _NEEDED) -> Schema:
    """The schema with another description, in Markdown, and default."""
    # Editors show the text only, and insert the default: so null and empty values are only in it.
    has_default = default is not _NEEDED and default not in ("", [])
    if has_default and "efault" not in text:
        text = f"{text} Default: {default if isinstance(default, str) else json.dumps(default)}."
    replaced = ("description", "markdownDescription", "default")
    inner = {key: value for key, value in schema.items() if key not in replaced}
    # In draft 07 keys beside a reference are ignored.
    inner = {"anyOf": [inner]} if "$ref" in inner else inner
    markdown = {"markdownDescription": text} if "`" in text else {}
    kept = {"default": default} if has_default and default is not None else {}
    return {**inner, "description": text, **markdown, **kept}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _mapping(properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    needed = {"required": list(required)} if required else {}
    keys = {"properties": dict(properties), **needed}
    return {"type": "object", **keys, "additionalProperties": False}


def _word(words: Mapping[str, str]) -> Schema:
    descriptions = list(words.values())
    return {"type": "string", "enum": list(words), "markdownEnumDescriptions": descriptions}


def _single(words: Mapping[str, Schema], alone: Schema | None = None) -> Schema:
    """One of some words with its arguments, or a word alone."""
    # The limit is separate from the keys, otherwise editors propose no key while one is typed.
    one: Schema = {"type": "object", "minProperties": 1, "maxProperties": 1}
    types = ["object", "string"] if alone else "object"
    # Editors report the first alternative if none fits.
    return {**_mapping(words), "type": types, "anyOf": [alone, one] if alone else [one]}


def _value_of_name(arguments: Schema, lone: Schema | None) -> Schema:
    """The value of a name: arguments, nothing if none is required, or a single value."""
    nothing = [] if "required" in arguments else [{"type": "null"}]
    schema = _either(arguments, *nothing, *([lone] if lone else []))
    # Editors insert a value of the first type.
    types = [name for alternative in schema["anyOf"] for name in _types(alternative)]
    return {"type": list(dict.fromkeys(types)), **schema}


@cache
def _pydantic_schema() -> Schema:
    keys.add_descriptions()
    for part in keys.spec_classes(Spec):
        part.model_rebuild(force=True)
    return Experiment.model_json_schema()


def _spec_definitions() -> Iterator[tuple[str, Schema]]:
    spec = _draft07(_pydantic_schema())
    extends = {"type": "string", "minLength": 1, "description": keys.EXTENDS.meaning}
    spec["properties"] = {"extends": extends, "blocks": _blocks(), **spec["properties"]}
    # The default name is the file's stem.
    spec["required"] = [key for key in spec["required"] if key != "name"]
    yield "spec", spec
    # Required keys may be in the extended spec.
    yield "spec.extending", _loosened(spec)


def _step_definitions() -> Iterator[tuple[str, Schema]]:
    models = _pydantic_schema()["$defs"]
    steps = {name: _draft07(models[cls.__name__]) for name, cls in STEPS.items()}
    alone = {name: s["description"] for name, s in steps.items() if "required" not in s}
    words = {name: _reference(f"steps.{name}") for name in steps}
    schema, own = _single(words, _word(alone)), {"type": "string", "pattern": code.NAME}
    schema |= {"patternProperties": {code.NAME: {}}, "anyOf": [*schema["anyOf"], own]}
    yield "steps", _described(schema, "A step of `prepare`.")
    for name, schema in steps.items():
        arguments = STEPS[name].model_fields.keys() - {"step"}
        properties = {key: p for key, p in schema["properties"].items() if key in arguments}
        needed, first = schema.get("required", []), first_argument(name)
        lone = properties.get(first) if {*needed} <= {first} else None
        value = _value_of_name(_mapping(properties, needed), lone)
        yield f"steps.{name}", _described(value, schema["description"])


def _draft07(schema: Schema, key: str = "") -> Schema:
    """A part of pydantic's schema (draft 2020-12 with `$defs`), with references expanded."""
    result = {name: value for name, value in schema.items() if name not in _LEFT_OUT}
    if "oneOf" in schema and "discriminator" not in schema:
        result["anyOf"] = schema["oneOf"]
    if "properties" in result:
        properties = result["properties"].items()
        result["properties"] = {name: _draft07(inner, name) for name, inner in properties}
    if "patternProperties" in result:
        patterns = result["patternProperties"].items()
        result["patternProperties"] = {name: _draft07(inner, key) for name, inner in patterns}
        result["additionalProperties"] = False
    for name in ("items", "additionalProperties"):
        if isinstance(result.get(name), dict):
            result[name] = _draft07(result[name], key)
    if "anyOf" in result:
        result |= _any_of(result.pop("anyOf"), key)
    if "$ref" in schema or "discriminator" in schema:
        result = _referenced(schema, key) | result
    text, default = schema.get("description"), schema.get("default", _NEEDED)
    if text is None:
        return _numeric(result)
    # Keys of a mapping have their own defaults.
    return _described(_numeric(result), text, _NEEDED if isinstance(default, dict) else default)


def _any_of(alternatives: list[Schema], key: str) -> Schema:
    null = {"type": "null"}
    schemas = [_draft07(schema, key) for schema in alternatives if schema != null]
    result = schemas[0] if len(schemas) == 1 else _either(*schemas)
    return _nullable(result) if null in alternatives else result


def _referenced(schema: Schema, key: str) -> Schema:
    match schema:
        case {"discriminator": {"propertyName": "name"}, "oneOf": alternatives}:
            return _datasets([_draft07(alternative, key) for alternative in alternatives])
        case {"discriminator": _}:
            return _reference("steps")
    name = schema["$ref"].rpartition("/")[2]
    if name == "Component":
        return _reference(catalogue.KINDS[key])
    return _draft07(_pydantic_schema()["$defs"][name])


def _datasets(mappings: list[Schema]) -> Schema:
    docs = {}
    own: Schema = {"type": "string", "pattern": code.NAME}
    mappings = [m for m in mappings if m["properties"]["name"].get("const") != OWN]
    for mapping in mappings:
        properties, text = mapping["properties"], mapping["description"]
        docs[properties["name"]["const"]] = text
        properties["name"] = _described(properties["name"], text)
    keys = {
        "name": _described(own, str(OwnData.__doc__)),
        "prepare": mappings[0]["properties"]["prepare"],
    }
    return _either(
        _word(docs), own, *mappings, {"type": "object", "properties": keys, "required": ["name"]}
    )


def _blocks() -> Schema:
    """Blocks by name; layers are not checked."""
    parameters = {"description": "Names, each with or without a default."}
    text = "Layers, with `$name` for parameters."
    layers: Schema = {"type": "array", "minItems": 1, "description": text}
    properties = {blocks.PARAMETERS: parameters, blocks.LAYERS: layers}
    named = {f"^{blocks.NAME}$": _mapping(properties, [blocks.LAYERS])}
    schema = {"type": "object", "patternProperties": named, "additionalProperties": False}
    return _described(schema, keys.BLOCKS.meaning)


def _loosened(schema: Schema) -> Schema:
    """Without required keys in nested mappings; lists are not merged."""
    loose = {key: value for key, value in schema.items() if key != "required"}
    if "properties" in loose:
        loose["properties"] = {k: _loosened(value) for k, value in loose["properties"].items()}
    if "anyOf" in loose:
        loose["anyOf"] = [_loosened(alternative) for alternative in loose["anyOf"]]
    return loose


def _keras_definitions() -> Iterator[tuple[str, Schema]]:
    for kind in keras_names.NOUNS:
        names = {name: catalogue.canonical_name(kind, name) for name in catalogue.names(kind)}
        yield kind, _described(_kind(kind, names), f"A Keras {keras_names.NOUNS[kind]}.")
        entries = {name: catalogue.described(kind, name) for name in names}
        alone = {name: entry.doc for name, entry in entries.items() if not _needed(kind, entry)}
        if alone:
            yield f"{kind}.alone", _word(alone)
        if kind != "activations":
            for name in dict.fromkeys(names.values()):
                yield f"{kind}.{name}", _arguments(kind, catalogue.described(kind, name))


def _needed(kind: str, entry: Entry) -> list[str]:
    # Steps of a schedule can be given in epochs.
    free = catalogue.EPOCHS if kind == "schedules" else ()
    return [
        name
        for name, a in entry.accepted.items()
        if a.required and kind not in _MERGED and name not in free
    ]


def _kind(kind: str, names: Mapping[str, str]) -> Schema:
    alone = _reference(f"{kind}.alone")
    own: Schema = {"type": "string", "pattern": code.NAME}
    if kind == "activations":
        return _either(alone, own)
    words = {name: _reference(f"{kind}.{own}") for name, own in names.items()}
    schema = _single(words, None if kind in ("schedules", "sources") else alone)
    if kind == "sources":
        return schema
    # Or any name of the user's code or of a block, alone or with arguments.
    patterns = [code.NAME, *([f"^{blocks.NAME}$"] if kind == "layers" else [])]
    choices = [*schema["anyOf"], *({**own, "pattern": pattern} for pattern in patterns)]
    properties: Schema = {pattern: {} for pattern in patterns}
    types = ["object", "string"]
    return {**schema, "type": types, "patternProperties": properties, "anyOf": choices}


def _arguments(kind: str, entry: Entry) -> Schema:
    needed = _needed(kind, entry)
    properties = {key: _argument(kind, entry, a) for key, a in entry.accepted.items()}
    lone = _lone(kind, entry) if {*needed} <= {entry.first} else None
    names = [f"`{a.name}`{' (required)' * a.required}" for a in entry.arguments.values()]
    more = f"\n\nArguments: {', '.join(names)}" if names else ""
    texts = {"description": entry.doc, "markdownDescription": entry.doc + more}
    return {**texts, **_value_of_name(_mapping(properties, needed), lone)}


def _argument(kind: str, entry: Entry, argument: Argument) -> Schema:
    value = _value(kind, entry, argument)
    text = argument.doc or f"Keras does not describe `{argument.name}`."
    if argument.required:
        return _described(value, text)
    value = _nullable(value) if keras_names.may_be_null(argument) else value
    return _described(value, text, argument.default)


def _value(kind: str, entry: Entry, argument: Argument) -> Schema:
    """Values that `keras_names.check` accepts."""
    layer = _reference("layers")
    stack = {"type": "array", "items": layer}
    match argument.kind:
        case None:
            return _plain(kind, entry, argument)
        case "file":
            return {"type": "string", "minLength": 1}
        case "schedules":
            schedule = _reference("schedules")
            return schedule if argument.required else _either(_typed(["number"]), schedule)
        case component.STACKS:
            return {"type": "array", "minItems": 2, "items": _either(stack, layer)}
        case component.NAMED_STACKS:
            return {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": _either(layer, stack),
            }
        case "layers":
            return _either(layer, stack)
    return _reference(argument.kind)


def _plain(kind: str, entry: Entry, argument: Argument) -> Schema:
    """Values that `keras_names.expected_value` accepts."""
    if entry.name == "Embedding" and argument.name == "input_dim":
        whole = {"type": "integer", "exclusiveMinimum": 0, "maximum": component.LARGEST}
        return {"anyOf": [_numeric(whole), {"const": component.AUTO, "type": "string"}]}
    if kind == "layers" and argument.required and argument.name in keras_names.COUNTS:
        return _numeric({"type": "integer", "exclusiveMinimum": 0, "maximum": component.LARGEST})
    if entry.name in keras_names.DROPPING and argument.name == "rate":
        return _numeric({"type": "number", "minimum": 0, "maximum": 1})
    if argument.name in keras_names.MIXED:
        return {}
    if argument.name in keras_names.READ:
        return {"type": ["array", "null"]}
    if kind in keras_names.NAMED and argument.name == "name" and not argument.choices:
        return {"type": ["string", "null"], "pattern": keras_names.NAME}
    if kind == "callbacks" and argument.name == "monitor":
        return {"type": "string"}
    return _typed(argument.types, keras_names.choices(argument))


def _lone(kind: str, entry: Entry) -> Schema | None:
    """The first argument without its name, except as a mapping."""
    if entry.first is None:
        return None
    first = entry.arguments[entry.first]
    if first.kind == "schedules":
        return _typed(["number"])
    if first.kind == "layers":
        several = {"type": "array", "items": _reference("layers")}
        return _either(_reference("layers.alone"), several)
    if first.kind in (component.STACKS, component.NAMED_STACKS):
        return _value(kind, entry, first)
    if first.kind not in (None, "file"):
        return _reference(f"{first.kind}.alone")
    types = tuple(name for name in first.types or _ANYTHING if name not in ("object", "null"))
    return _value(kind, entry, replace(first, types=types)) if types else None
