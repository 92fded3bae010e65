"""The spec language as JSON Schema, draft 07, which editors complete, explain and check by.

It refuses nothing that `nnrun.spec.loading.load` accepts. It may accept more: what depends on the
data, or on two values at once, only nnrun knows.
"""

from __future__ import annotations

from nnrun.spec.schema import names
from nnrun.spec.schema.keys import EXTENDING, WHOLE, Keys
from nnrun.spec.schema.values import Schema, as_text, reference

__all__ = ["FILE", "header", "schema", "text"]

FILE = "nnrun.schema.json"
"""What the shipped file is called; it lies beside the shipped specs."""


def schema() -> Schema:
    """The whole schema, from the keys that pydantic checks and the names of the catalogue."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "nnrun spec",
        "if": {"required": ["extends"]},
        "then": reference(EXTENDING),
        "else": reference(WHOLE),
        "definitions": {**dict(Keys().definitions()), **dict(names.definitions())},
    }


def text() -> str:
    """The schema as shipped: JSON, a line for each definition."""
    return as_text(schema())


def header(address: str = FILE) -> tuple[str, str]:
    """The lines on top of a spec by which an editor finds the schema.

    Args:
        address: the schema's file, relative to the spec.
    """
    # The first for the YAML language server of VS Code, Neovim and others, the second for PyCharm.
    return f"# yaml-language-server: $schema={address}", f"# $schema: {address}"
