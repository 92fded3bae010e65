"""The meaning of each key, which stands below it in the source.

Pydantic reads it from there as it makes a class, 50 ms for all of them. Few commands ask for it.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache

from nnrun.spec.base import Spec


@cache
def add() -> None:
    """Describes the fields of all parts of the language."""
    for part in parts(Spec):
        for cls in reversed(part.__mro__):
            for name, meaning in _written(cls).items():
                part.model_fields[name].description = meaning


def parts(above: type[Spec]) -> Iterator[type[Spec]]:
    """All parts that are of a kind, in the order in which they were made."""
    for part in above.__subclasses__():
        yield part
        yield from parts(part)


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
