"""Pydantic's errors in our words, at the path the person wrote."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from nnrun.spec import expect
from nnrun.spec.dataset import STEPS, DatasetBase
from nnrun.spec.experiment import Experiment
from nnrun.spec.finding import Finding
from nnrun.spec.lint_codes import LINT
from nnrun.spec.rendering import render
from nnrun.spec.suggest import nearest
from nnrun.spec.tree import Path
from nnrun.spec.words import listed, shown

__all__ = ["findings", "render"]

Details = Mapping[str, Any]

# What must be true of a value that several types would take, or that a pattern describes.
_SENTENCES: dict[Path, str] = {
    ("validation", "holdout", "size"): "a number of rows, or a fraction between 0 and 1",
    ("name",): "1 to 80 letters, digits, '_', '-' or '.', beginning with a letter, a digit or '_'",
    ("training", "device"): "'auto', 'cpu' or a GPU such as 'gpu:0'",
}
_TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "model_type": "a mapping",
    "dict_type": "a mapping",
}


def findings(error: ValidationError, raw: Any) -> Iterator[Finding]:
    """One finding per place, whatever the number of pydantic's errors there.

    Args:
        error: pydantic's, of the whole spec.
        raw: the spec that was refused; pydantic's own paths hold more than its keys.
    """
    seen: set[Path] = set()
    for details in (*error.errors(include_url=False), *_hidden(error, raw)):
        finding = _finding(details, raw)
        if finding.path not in seen:
            seen.add(finding.path)
            yield finding


def _hidden(error: ValidationError, raw: Any) -> list[Details]:
    """What is wrong with `prepare` where the data set is unknown, so that pydantic stops there."""
    unread = any(
        details["loc"] == ("dataset",) and details["type"].startswith("union_tag")
        for details in error.errors(include_url=False)
    )
    dataset = raw.get("dataset")
    if not unread or not isinstance(dataset, dict) or "prepare" not in dataset:
        return []
    try:
        DatasetBase.model_validate({"name": "", "prepare": dataset["prepare"]})
    except ValidationError as inner:
        found = inner.errors(include_url=False)
        return [{**details, "loc": ("dataset", *details["loc"])} for details in found]
    return []


def _finding(details: Details, raw: Any) -> Finding:
    path = _written_path(details["loc"], raw)
    kind = details["type"]
    if kind == "missing":
        return _missing(path, details)
    if path in _SENTENCES:
        return _described(path, details)
    if kind == "model_attributes_type":
        return _no_tag(path, details)
    if kind in _TYPES:
        return Finding("NN103", path, f"must be {_TYPES[kind]}, got {shown(details['input'])}")
    special = _SPECIAL.get(kind)
    return special(path, details) if special else Finding("NN103", path, str(details["msg"]))


def _written_path(loc: tuple[str | int, ...], raw: Any) -> Path:
    """The keys and positions of a pydantic location that the spec really holds."""
    path: list[str | int] = []
    for part in loc:
        if _holds(raw, part):
            raw = raw[part]
            path.append(part)
    return tuple(path)


def _holds(raw: Any, part: str | int) -> bool:
    if isinstance(part, int):
        return isinstance(raw, list) and part < len(raw)
    return isinstance(raw, dict) and part in raw


def _missing(parent: Path, details: Details) -> Finding:
    return Finding("NN102", (*parent, details["loc"][-1]), "is missing", at=parent, key=True)


def _described(path: Path, details: Details) -> Finding:
    value = details["input"]
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    word = isinstance(value, str) and path != ("validation", "holdout", "size")
    code = "NN110" if number and path[0] == "validation" else "NN111" if word else "NN103"
    return Finding(code, path, f"must be {_SENTENCES[path]}, got {shown(value)}")


def _unknown_key(path: Path, details: Details) -> Finding:
    key = str(path[-1])
    if path == ("extends",):
        # Only a file can extend another: an override stands nowhere that a path could be relative to.
        return Finding("NN101", path, "only a file can say what it extends", key=True)
    allowed = _keys(details["loc"][:-1])
    suggestion = nearest(key, allowed)
    message = f"unknown key {shown(key)}"
    if suggestion is None and allowed:
        message += f"; the keys here are {listed(allowed, 'and')}"
    elif not allowed:
        message += "; nothing can be set here"
    return Finding("NN101", path, message, suggestion, key=True)


def _keys(loc: tuple[str | int, ...]) -> list[str]:
    """The keys allowed at a pydantic location."""
    models: list[type[BaseModel]] = [Experiment]
    for part in loc:
        holding = [model for model in models if part in model.model_fields]
        tagged = [model for model in models if _tag(model) == part]
        if tagged:
            models = tagged
        elif holding:
            models = list(_models(holding[0].model_fields[str(part)].annotation))
    keys = [key for key in models[0].model_fields if key != "step"] if models else []
    return [*keys, "extends"] if models == [Experiment] else keys


def _tag(model: type[BaseModel]) -> str | None:
    """What selects a data set or a step among its kind."""
    field = model.model_fields.get("step") or model.model_fields.get("name")
    choices = get_args(field.annotation) if field else ()
    return choices[0] if choices and isinstance(choices[0], str) else None


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
    else:
        for inner in get_args(annotation):
            yield from _models(inner)


def _unknown_tag(path: Path, details: Details) -> Finding:
    word = details["ctx"]["tag"]
    if "prepare" in path:
        message = f"unknown step {shown(word)}"
        suggestion = nearest(word, STEPS)
        if suggestion is None:
            message += f"; there are {listed(list(STEPS), 'and')}"
        return Finding("NN118", path, message, suggestion, at=(*path, word), key=True)
    names = [name.strip(" '") for name in details["ctx"]["expected_tags"].split(",")]
    message = f"unknown data set {shown(word)}"
    suggestion = nearest(word, names)
    if suggestion is None:
        message += f"; there are {listed(names, 'and')}"
    return Finding("NN109", path, message, suggestion, at=(*path, "name"))


def _no_tag(path: Path, details: Details) -> Finding:
    if "prepare" in path:
        message = "must be a step such as 'flatten' or 'multi_hot: 10000'"
        return Finding("NN103", path, f"{message}, got {shown(details['input'])}")
    if isinstance(details["input"], dict):
        return Finding("NN102", (*path, "name"), "is missing", at=path, key=True)
    message = f"must be a data set's name, or a mapping with a name, got {shown(details['input'])}"
    return Finding("NN103", path, message)


def _choice(path: Path, details: Details) -> Finding:
    choices = [
        choice.strip("'") for choice in details["ctx"]["expected"].replace(" or ", ", ").split(", ")
    ]
    value = details["input"]
    message = f"must be {listed(choices, 'or')}, got {shown(value)}"
    suggestion = nearest(value, choices) if isinstance(value, str) else None
    return Finding("NN111", path, message, suggestion)


def _bound(word: str, key: str) -> Callable[[Path, Details], Finding]:
    def finding(path: Path, details: Details) -> Finding:
        limit, value = details["ctx"][key], details["input"]
        if key == "gt" and isinstance(limit, int):
            message = f"must be at least {limit + 1}, got {shown(value)}"
        else:
            message = f"must be {word} {limit}, got {shown(value)}"
        return Finding("NN110", path, message)

    return finding


def _too_short(path: Path, details: Details) -> Finding:
    return Finding("NN110", path, f"needs at least {details['ctx']['min_length']} entry, got none")


def _clash(path: Path, details: Details) -> Finding:
    return Finding("NN111", (*path, details["ctx"]["key"]), details["msg"])


def _component(path: Path, details: Details) -> Finding:
    message = "must be a name, or one name with its arguments"
    return Finding("NN115", path, f"{message}, got {shown(details['input'])}")


def _gate(path: Path, details: Details) -> Finding:
    message = f"must be a comparison such as {expect.EXAMPLE}, got {shown(details['input'])}"
    return Finding("NN119", path, message)


def _lint_code(path: Path, details: Details) -> Finding:
    word = details["input"]
    return Finding("NN111", path, f"there is no warning {shown(word)}", nearest(word, LINT))


_SPECIAL: dict[str, Callable[[Path, Details], Finding]] = {
    "extra_forbidden": _unknown_key,
    "union_tag_invalid": _unknown_tag,
    "union_tag_not_found": _no_tag,
    "literal_error": _choice,
    "greater_than": _bound("above", "gt"),
    "greater_than_equal": _bound("at least", "ge"),
    "less_than": _bound("below", "lt"),
    "less_than_equal": _bound("at most", "le"),
    "too_short": _too_short,
    "clash": _clash,
    "component": _component,
    "gate": _gate,
    "lint_code": _lint_code,
}
