"""An experiment as YAML with every default written out."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping

import yaml
from pydantic.fields import FieldInfo

from nnrun.spec.component import SOURCE, Component, Spec, inner_stacks
from nnrun.spec.dataset import DatasetBase
from nnrun.spec.experiment import Experiment
from nnrun.spec.graph import positions, source_name
from nnrun.spec.keys import meaning, summary
from nnrun.spec.language import models
from nnrun.spec.prepare import Step
from nnrun.spec.text import escape_json
from nnrun.spec.tree import scalar


class _Inline(dict[str, object]):
    """A mapping written on one line."""


class _Dumper(yaml.SafeDumper):
    """Writes YAML that versions 1.1 and 1.2 read alike."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # PyYAML quotes for YAML 1.1; `1e-4` needs quotes in 1.2. Double quotes escape line ends.
    style = None if isinstance(scalar(text), str) else "'"
    style = style if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)
_Dumper.add_representer(
    _Inline,
    lambda dumper, value: dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=True),
)


def _as_yaml(value: object, *, flow: bool = False) -> str:
    return yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=sys.maxsize,
        default_flow_style=flow,
    )


def dump(experiment: Experiment) -> str:
    """The YAML of an experiment; loading it gives an equal experiment."""
    value = experiment.model_dump(mode="python")
    dataset, training = value["dataset"], value["training"]
    for key in ("optimizer", "loss"):
        training[key] = _component(training[key])
    lists = ((dataset, "prepare"), (value, "model"), (training, "metrics"), (training, "callbacks"))
    steps = ((given, "prepare") for given in (dataset.get("inputs") or {}).values())
    for holder, key in (*lists, *steps):
        holder[key] = [_component(component) for component in holder[key]]
    if experiment.code:
        value["code"] = list(value["code"])
    else:
        del value["code"]
    # PyYAML does not escape marks that reverse text; strings with one are in double quotes.
    return escape_json(_as_yaml(value))


def _component(value: object) -> object:
    return {k: _Inline(v) for k, v in value.items()} if isinstance(value, dict) else value


def inline(value: object) -> str:
    """A plain value on one line.

    Example:
        >>> inline({"L2": {"l2": 1e-4}}), inline("1e-4"), inline(None)
        ('{L2: {l2: 0.0001}}', "'1e-4'", 'null')
    """
    return _as_yaml(value, flow=True).removesuffix("\n").removesuffix("\n...")


# They do not affect results; the number of epochs is compared separately.
_NOT_TRAINED_BY = ("description", "expect", "lint")


def digest(experiment: Experiment) -> str:
    """The SHA-256 of everything that affects results, except the number of epochs."""
    training = experiment.training.model_copy(update={"epochs": 1})
    fields = type(experiment).model_fields
    rest = {key: fields[key].get_default(call_default_factory=True) for key in _NOT_TRAINED_BY}
    same = experiment.model_copy(update={"training": training, **rest})
    code = "".join(file.digest for file in experiment.code)
    return hashlib.sha256((dump(same) + code).encode()).hexdigest()


COLUMN = 36  # of comments after short lines
INDENT = "  "

Line = tuple[str, str]  # the text of a line, and its comment


def dump_commented(experiment: Experiment) -> str:
    """YAML with all keys and comments; unset keys are commented out with their defaults."""
    return "".join(
        f"{text:<{COLUMN - 2}}  # {comment}\n" if comment else f"{text}\n"
        for text, comment in _part(experiment)
    )


def _part(part: Spec) -> Iterator[Line]:
    fields, written = type(part).model_fields, part.model_dump(exclude_unset=True)
    # Steps come after the dataset's arguments.
    for name in sorted(fields, key=lambda name: name == "prepare"):
        value = getattr(part, name)
        if name not in part.model_fields_set or value is None:
            yield from _indented("# ", _unused(name, fields[name]))
        elif isinstance(part, DatasetBase) and name == "name":
            yield f"{name}: {value}", summary(type(part))
        else:
            yield from _used(name, value, written[name], meaning(fields[name]))


def _used(name: str, value: object, written: object, comment: str) -> Iterator[Line]:
    if isinstance(value, Spec) and not isinstance(value, Component):
        yield f"{name}:", comment
        yield from _indented(INDENT, _part(value))
    elif (
        isinstance(value, tuple)
        and isinstance(written, tuple)
        and any(
            item.arguments if isinstance(item, Component) else isinstance(item, Spec)
            for item in value
        )
    ):
        yield f"{name}:", comment
        for item, plain in zip(value, written, strict=True):
            if isinstance(item, Component):
                yield from _indented(INDENT, ((line, "") for line in _listed([_layer(item)])))
            else:
                yield from _indented(f"{INDENT}- ", [_item(item, plain)])
    else:
        yield f"{name}: {inline(written)}", comment


def _unused(name: str, field: FieldInfo) -> Iterator[Line]:
    is_needed = field.is_required()
    default = None if is_needed else field.get_default(call_default_factory=True)
    below = [model for model in models(field.annotation) if not issubclass(model, Component)]
    if below and (default is None or isinstance(default, Spec)):
        yield f"{name}:", meaning(field)
        for key, inner in below[0].model_fields.items():
            yield from _indented(INDENT, _unused(key, inner))
        return
    value = field.examples[0] if is_needed and field.examples else default
    yield f"{name}: {inline(value)}", meaning(field)


def _indented(start: str, lines: Iterable[Line]) -> Iterator[Line]:
    return ((start + text, comment) for text, comment in lines)


def _item(value: object, written: object) -> Line:
    if isinstance(value, Step):
        arguments = {key: v for key, v in value if key in value.model_fields_set - {"step"}}
        return _named(value.step, arguments), summary(type(value))
    return inline(written), ""


WIDEST = 100  # characters of a layer with other layers inside, on one line


def _layer(layer: Component) -> list[str]:
    """The lines of a component: one, or of a long layer with stacks one for each layer inside."""
    if layer.name == SOURCE:
        return [f"{SOURCE}: {source_name(layer)}"]
    line = _named(layer.name, layer.arguments)
    stacks = dict(inner_stacks(layer.name, layer.arguments))
    if not stacks or len(line) <= WIDEST:
        return [line]
    lines = [f"{layer.name}:"]
    for key, value in layer.arguments.items():
        if (key,) in stacks and value:
            below = _listed(_layer(inner) for _, inner in positions(value))
        elif (key, 0) in stacks:
            paths = (stacks[key, number] for number in range(len(value)))
            below = _listed(
                _listed(_layer(inner) for _, inner in positions(path)) or ["[]"] for path in paths
            )
        else:
            lines.append(f"{INDENT}{key}: {inline(value)}")
            continue
        lines += [f"{INDENT}{key}:", *(2 * INDENT + line for line in below)]
    return lines


def _listed(items: Iterable[list[str]]) -> list[str]:
    """Items of a list, each of some lines."""
    return [
        f"{'  ' if number else '- '}{line}" for lines in items for number, line in enumerate(lines)
    ]


def _named(name: str, arguments: Mapping[str, object]) -> str:
    return f"{name}: {inline(dict(arguments))}" if arguments else name
