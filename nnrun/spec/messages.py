"""Pydantic's errors in our words, at the path the person wrote."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from nnrun.spec import catalogue, expect, language, nesting, slips, stray_keys
from nnrun.spec.codes import RULES
from nnrun.spec.dataset_base import DatasetBase
from nnrun.spec.finding import Finding
from nnrun.spec.lint_codes import LINT
from nnrun.spec.rendering import render
from nnrun.spec.steps import STEPS
from nnrun.spec.suggest import edits, nearest
from nnrun.spec.tree import Path, dotted
from nnrun.spec.words import listed, offered, shown

__all__ = ["findings", "render"]

Details = Mapping[str, Any]

# What must be true of a value that several types would take, or that a pattern describes.
_SENTENCES: dict[Path, str] = {
    ("validation", "holdout", "size"): "a number of rows, or a fraction between 0 and 1",
    (
        "name",
    ): "1 to 80 letters, digits, '_', '-' or '.', without '-' or '.' before or '.' after them",
    ("training", "class_weight"): "'balanced', or a number for each class such as {positive: 2}",
    ("dataset", "path"): "the path of a file or a folder",
    ("dataset", "test"): "the path of a file or a folder",
    ("dataset", "separator"): "a single character, such as ';'",
    ("dataset", "image_size"): "two whole numbers, height and width, such as [64, 64]",
    ("training", "device"): "'auto', 'cpu' or a GPU such as 'gpu:0'",
}
_TYPES = {
    "int_type": slips.WHOLE,
    "int_from_float": slips.WHOLE,
    "float_type": slips.NUMBER,
    "bool_type": slips.TRUTH,
    "string_type": "text",
    "tuple_type": slips.LIST,
    "list_type": slips.LIST,
    "model_type": slips.MAPPING,
    "dict_type": slips.MAPPING,
}
# What kind of name a list holds, by its key.
_LISTS = {"model": "layers", "metrics": "metrics", "callbacks": "callbacks"}


def findings(error: ValidationError, raw: Any) -> Iterator[Finding]:
    """One finding per place, whatever the number of pydantic's errors there.

    Args:
        error: pydantic's, of the whole spec.
        raw: the spec that was refused; pydantic's own paths hold more than its keys.
    """
    seen: set[Path] = set()
    for details in (*error.errors(include_url=False), *_hidden(error, raw)):
        if details["type"] == "too_short" and details["input"]:
            continue  # pydantic counts only the entries in which it finds nothing wrong
        finding = _finding(details, raw)
        if finding.path not in seen:
            seen.add(finding.path)
            yield finding


def _hidden(error: ValidationError, raw: Any) -> list[Details]:
    """What else is wrong with a data set whose name is unknown or missing: pydantic stops there."""
    unread = any(
        details["loc"] == ("dataset",) and details["type"].startswith("union_tag")
        for details in error.errors(include_url=False)
    )
    dataset = raw.get("dataset")
    if not unread or not isinstance(dataset, dict):
        return []
    known, guess = language.data_sets(), _named(dataset)
    if guess is None:
        # Of which data set they are is not known, so any argument of any may be right.
        common = {"name", *DatasetBase.model_fields}
        anywhere = set(language.keys(("dataset",))) - common
        dataset = {key: value for key, value in dataset.items() if key not in anywhere}
    try:
        known.get(guess or "", DatasetBase).model_validate({**dataset, "name": guess or ""})
    except ValidationError as inner:
        loc = ("dataset", guess) if guess else ("dataset",)
        found = inner.errors(include_url=False)
        return [{**details, "loc": (*loc, *details["loc"])} for details in found]
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
        return _typed(path, details, _TYPES[kind])
    special = _SPECIAL.get(kind)
    return special(path, details) if special else Finding("NN103", path, str(details["msg"]))


def _written_path(loc: tuple[str | int, ...], raw: Any) -> Path:
    """The keys and positions of a pydantic location that the spec really holds."""
    path: list[str | int] = []
    for at, part in enumerate(loc):
        # `text` is the name of a data set, and a key of it as well.
        tag = at == 1 and loc[0] == "dataset" and part == _named(raw)
        if not tag and _holds(raw, part):
            raw = raw[part]
            path.append(part)
    return tuple(path)


def _named(dataset: Any) -> str | None:
    """The data set that is meant, as pydantic's locations name it; None where none is near."""
    name, known = dataset.get("name"), language.data_sets()
    if not isinstance(name, str):
        return None
    return name if name in known else nearest(name, known)


def _holds(raw: Any, part: str | int) -> bool:
    if isinstance(part, int):
        return isinstance(raw, list) and part < len(raw)
    return isinstance(raw, dict) and part in raw


def _missing(parent: Path, details: Details) -> Finding:
    return Finding("NN102", (*parent, details["loc"][-1]), "is missing", at=parent, key=True)


def _described(path: Path, details: Details) -> Finding:
    value = details["input"]
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    size = path == ("validation", "holdout", "size")
    word = isinstance(value, str) and not size
    code = "NN110" if number and size else "NN111" if word else "NN103"
    suggestion = slips.suggestion(value, slips.NUMBER) if size else None
    return Finding(code, path, f"must be {_SENTENCES[path]}, got {shown(value)}", suggestion)


def _typed(path: Path, details: Details, wanted: str) -> Finding:
    value = details["input"]
    said = wanted
    if wanted == slips.MAPPING and (keys := language.keys(details["loc"])):
        plural = "s" if len(keys) > 1 else ""
        said += f" with the key{plural} {offered('', keys, dotted(path))}"
    elif path == ("expect",):
        said += " such as 'test_accuracy: 0.9 to 1'"
    message = f"must be {said}, got {shown(value)}{slips.hint(value, wanted)}"
    if wanted == slips.LIST and isinstance(value, dict):
        message += _as_list(str(path[-1]), value)
    suggestion = slips.suggestion(value, wanted)
    if path[-1:] == ("divisor",) and suggestion and "/" in value:
        # Who writes `1/255` means the factor, and `rescale` divides.
        suggestion = value.rpartition("/")[2].strip(" .")
    return Finding("NN103", path, message, suggestion)


def _as_list(key: str, value: Mapping[str, Any]) -> str:
    """How to make a list of a mapping, as far as it holds what the list should hold."""
    [(inner, held), *others] = value.items() or [("", None)]
    if isinstance(held, list) and not others:
        return f"; the list stands right below {key}, without {shown(inner)}"
    kind = _LISTS.get(key)
    names = catalogue.names(kind) if kind else list(STEPS) if key == "prepare" else ()
    return "; put '- ' before each name" if any(name in names for name in value) else ""


def _unknown_tag(path: Path, details: Details) -> Finding:
    word = details["ctx"]["tag"]
    if "prepare" in path:
        return _unknown("NN118", path, "step", word, list(STEPS), at=(*path, word), key=True)
    names = list(language.data_sets())
    return _unknown("NN109", path, "data set", word, names, at=(*path, "name"))


def _unknown(
    code: str, path: Path, noun: str, word: Any, names: list[str], *, at: Path, key: bool = False
) -> Finding:
    message = f"unknown {noun} {shown(word)}"
    if noun == "data set" and (advice := _own_file(str(word))):
        return Finding(code, path, f"{message}; {advice}", at=at, key=key)
    suggestion = nearest(str(word), names)
    if suggestion is None:
        message += f"; there are {offered(word, names, noun.replace(' ', '') + 's')}"
    return Finding(code, path, message, suggestion, at=at, key=key)


def _own_file(name: str) -> str | None:
    """What to write for a file that stands where the name of a data set should."""
    ending = name.rpartition(".")[2].lower()
    if ending in language.UNREADABLE:
        return f"{ending} files cannot be read: save it as csv, parquet or npz"
    reader = language.FILES.get(ending)
    return f"for a file write 'name: {reader}', and where it is as 'path'" if reader else None


def _no_tag(path: Path, details: Details) -> Finding:
    value = details["input"]
    if "prepare" in path:
        if isinstance(value, dict) and (
            advice := nesting.advice("step", value, STEPS.__contains__)
        ):
            return Finding("NN103", path, advice)
        message = "must be a step such as 'flatten' or 'multi_hot: 10000'"
        return Finding("NN103", path, f"{message}, got {shown(value)}")
    if isinstance(value, dict):
        return Finding("NN102", (*path, "name"), "is missing", at=path, key=True)
    message = f"must be a data set's name, or a mapping with a name, got {shown(value)}"
    return Finding("NN103", path, f"{message}{slips.hint(value, slips.MAPPING)}")


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
        if isinstance(value, float) and math.isnan(value):
            return Finding("NN103", path, "must be a number, got nan, which is none")
        if key == "gt" and isinstance(limit, int):
            message = f"must be at least {limit + 1}, got {shown(value)}"
        else:
            message = f"must be {word} {limit:.10g}, got {shown(value)}"
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
    if word in RULES:
        return Finding("NN111", path, f"{word} is a fault, not a warning, and cannot be ignored")
    near = next((code for code in LINT if edits(str(word), code, most=1) is not None), None)
    return Finding("NN111", path, f"there is no warning {shown(word)}", near)


_SPECIAL: dict[str, Callable[[Path, Details], Finding]] = {
    "extra_forbidden": lambda path, details: stray_keys.finding(
        path, details["loc"][:-1], details["input"]
    ),
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
