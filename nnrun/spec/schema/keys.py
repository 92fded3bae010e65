"""The keys of a spec as draft 07, from the types that pydantic checks them by."""

from __future__ import annotations

from collections.abc import Iterator

from nnrun.spec import blocks, meanings
from nnrun.spec.base import Spec
from nnrun.spec.experiment import Experiment
from nnrun.spec.keys import BLOCKS, EXTENDS
from nnrun.spec.schema.values import (
    NEEDED,
    Schema,
    described,
    either,
    followed,
    mapping,
    nullable,
    numeric,
    reference,
    single,
    word,
)
from nnrun.spec.steps import STEPS, first_argument

# Which Keras names stand at a key.
KINDS = {
    "model": "layers",
    "optimizer": "optimizers",
    "loss": "losses",
    "metrics": "metrics",
    "callbacks": "callbacks",
}
WHOLE, EXTENDING = "spec", "spec.extending"
# Pydantic's own; a title there is the name of a class.
_LEFT_OUT = frozenset(("title", "$defs", "discriminator", "$ref", "oneOf", "default"))


class Keys:
    """Turns what pydantic says of a spec, draft 2020-12 with `$defs`, into draft 07."""

    def __init__(self) -> None:
        meanings.add()
        for part in meanings.parts(Spec):
            part.model_rebuild(force=True)
        self.whole = Experiment.model_json_schema()
        self.models: dict[str, Schema] = self.whole["$defs"]

    def definitions(self) -> Iterator[tuple[str, Schema]]:
        """A whole spec, a spec that extends another, and the steps of `prepare`."""
        spec = self._draft07(self.whole)
        extends = {"type": "string", "minLength": 1, "description": EXTENDS.meaning}
        spec["properties"] = {"extends": extends, "blocks": _blocks(), **spec["properties"]}
        # Without a name the file's stem is taken.
        spec["required"] = [key for key in spec["required"] if key != "name"]
        yield WHOLE, spec
        # What is needed may stand in the spec below.
        yield EXTENDING, _loosened(spec)
        yield from self._steps()

    def _steps(self) -> Iterator[tuple[str, Schema]]:
        """A step of `prepare`, and each of them with its arguments."""
        steps = {name: self._draft07(self.models[cls.__name__]) for name, cls in STEPS.items()}
        alone = {name: s["description"] for name, s in steps.items() if "required" not in s}
        words = {name: reference(f"steps.{name}") for name in steps}
        yield "steps", described(single(words, word(alone)), "A step of `prepare`.")
        for name, schema in steps.items():
            yield f"steps.{name}", _step(name, schema)

    def _draft07(self, schema: Schema, key: str = "") -> Schema:
        """One piece, what it refers to written out.

        Args:
            schema: pydantic's.
            key: the key of the spec at which it stands.
        """
        found = {name: value for name, value in schema.items() if name not in _LEFT_OUT}
        if "oneOf" in schema and "discriminator" not in schema:
            found["anyOf"] = schema["oneOf"]
        if "properties" in found:
            properties = found["properties"].items()
            found["properties"] = {name: self._draft07(each, name) for name, each in properties}
        for name in ("items", "additionalProperties"):
            if isinstance(found.get(name), dict):
                found[name] = self._draft07(found[name], key)
        if "anyOf" in found:
            found |= self._any_of(found.pop("anyOf"), key)
        if "$ref" in schema or "discriminator" in schema:
            found = self._inner(schema, key) | found
        # What stands at a key is described there rather than where it is defined.
        text, default = schema.get("description"), schema.get("default", NEEDED)
        if text is None:
            return numeric(found)
        # A mapping's keys tell their defaults themselves.
        return described(numeric(found), text, NEEDED if isinstance(default, dict) else default)

    def _any_of(self, alternatives: list[Schema], key: str) -> Schema:
        null = {"type": "null"}
        schema = [self._draft07(each, key) for each in alternatives if each != null]
        found = schema[0] if len(schema) == 1 else either(*schema)
        return nullable(found) if null in alternatives else found

    def _inner(self, schema: Schema, key: str) -> Schema:
        """What a reference, or one of several models with a name each, stands for."""
        match schema:
            case {"discriminator": {"propertyName": "name"}, "oneOf": alternatives}:
                return self._named(alternatives, key)
            case {"discriminator": _}:
                return reference("steps")
        name = schema["$ref"].rpartition("/")[2]
        return reference(KINDS[key]) if name == "Component" else self._draft07(self.models[name])

    def _named(self, alternatives: list[Schema], key: str) -> Schema:
        """One of several mappings, told apart by `name`; or the name alone."""
        mappings = [self._draft07(each, key) for each in alternatives]
        docs = {each["properties"]["name"]["const"]: each["description"] for each in mappings}
        for each in mappings:
            name = each["properties"]["name"]
            each["properties"]["name"] = described(name, each["description"])
        return either(word(docs), *mappings)


def _blocks() -> Schema:
    """Blocks by name; what their layers are is known where they are used."""
    properties: dict[str, Schema] = {
        blocks.PARAMETERS: {"description": "Names, each by itself or with a default."},
        blocks.LAYERS: {"type": "array", "minItems": 1, "description": "With `$name` in them."},
    }
    named = {f"^{blocks.NAME}$": mapping(properties, [blocks.LAYERS])}
    schema = {"type": "object", "patternProperties": named, "additionalProperties": False}
    return described(schema, BLOCKS.meaning)


def _step(name: str, schema: Schema) -> Schema:
    """What may follow a step: its arguments, nothing, or a lone value."""
    arguments = STEPS[name].model_fields.keys() - {"step"}
    properties = {key: each for key, each in schema["properties"].items() if key in arguments}
    needed = schema.get("required", [])
    first = first_argument(name)
    is_enough = first in properties and {*needed} <= {first}
    lone = properties[first] if is_enough else None
    return described(followed(mapping(properties, needed), lone), schema["description"])


def _loosened(schema: Schema) -> Schema:
    """Without what is needed, in mappings of mappings; a list is never merged, so it stays."""
    loose = {key: value for key, value in schema.items() if key != "required"}
    if "properties" in loose:
        inner = loose["properties"].items()
        loose["properties"] = {key: _loosened(value) for key, value in inner}
    if "anyOf" in loose:
        loose["anyOf"] = [_loosened(each) for each in loose["anyOf"]]
    return loose
