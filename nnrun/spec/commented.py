"""An experiment as YAML that explains itself: each key with its meaning, unused ones commented out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic.fields import FieldInfo

from nnrun.spec.base import Spec
from nnrun.spec.component import Component
from nnrun.spec.dataset_base import DatasetBase
from nnrun.spec.dumping import inline
from nnrun.spec.experiment import Experiment
from nnrun.spec.keys import meaning, nested, summary
from nnrun.spec.steps import Step

COLUMN = 36  # where meanings begin, next to keys and values that leave room for them
INDENT = "  "

Line = tuple[str, str]
"""What stands on a line, and what it means."""


def commented(experiment: Experiment) -> str:
    """All keys of a spec, in order; taking the `# ` off a key puts it in force with its default.

    Args:
        experiment: keys that were said stand as they are, their short forms written out.
    """
    return "".join(
        f"{text:<{COLUMN - 2}}  # {means}\n" if means else f"{text}\n"
        for text, means in _part(experiment)
    )


def _part(part: Spec) -> Iterator[Line]:
    """The keys of one mapping."""
    fields, written = type(part).model_fields, part.model_dump(exclude_unset=True)
    # Steps are read after what they are applied to.
    for name in sorted(fields, key=lambda name: name == "prepare"):
        value = getattr(part, name)
        if name not in part.model_fields_set or value is None:
            yield from _before("# ", _unused(name, fields[name]))
        elif isinstance(part, DatasetBase) and name == "name":
            yield f"{name}: {value}", summary(type(part))
        else:
            yield from _used(name, value, written[name], meaning(fields[name]))


def _used(name: str, value: Any, written: Any, means: str) -> Iterator[Line]:
    """A key that was said, with its value as the models write it."""
    if isinstance(value, Spec) and not isinstance(value, Component):
        yield f"{name}:", means
        yield from _before(INDENT, _part(value))
    elif isinstance(value, tuple) and not all(map(_is_bare, value)):
        yield f"{name}:", means
        yield from _before(f"{INDENT}- ", map(_item, value, written))
    else:
        yield f"{name}: {inline(written)}", means


def _unused(name: str, field: FieldInfo) -> Iterator[Line]:
    """A key with its default; where that is nothing but could be a mapping, with the mapping's."""
    needed = field.is_required()
    default = None if needed else field.get_default(call_default_factory=True)
    below = nested(field.annotation)
    if below and (default is None or isinstance(default, Spec)):
        yield f"{name}:", meaning(field)
        for key, inner in below[0].model_fields.items():
            yield from _before(INDENT, _unused(key, inner))
        return
    value = field.examples[0] if needed and field.examples else default
    yield f"{name}: {inline(value)}", meaning(field)


def _before(start: str, lines: Iterable[Line]) -> Iterator[Line]:
    return ((start + text, means) for text, means in lines)


def _is_bare(value: Any) -> bool:
    """Whether an item of a list is short enough to stand among others."""
    return not (value.arguments if isinstance(value, Component) else isinstance(value, Spec))


def _item(value: Any, written: Any) -> Line:
    """A list's item, with the name of a component or of a step before its braces."""
    if isinstance(value, Step):
        said = {key: given for key, given in value if key in value.model_fields_set - {"step"}}
        return _named(value.step, said), summary(type(value))
    if isinstance(value, Component):
        return _named(value.name, value.arguments), ""
    return inline(written), ""


def _named(name: str, arguments: dict[str, Any]) -> str:
    return f"{name}: {inline(arguments)}" if arguments else name
