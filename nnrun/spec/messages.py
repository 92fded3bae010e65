"""Pydantic's errors in plain words, with paths as written in the spec."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from nnrun.spec import catalogue, expect, language, suggest
from nnrun.spec.codes import LINT, RULES
from nnrun.spec.dataset import DatasetBase
from nnrun.spec.language import FILES, UNREADABLE, data_sets, key_names
from nnrun.spec.prepare import STEPS
from nnrun.spec.suggest import (
    LIST,
    MAPPING,
    NUMBER,
    TRUTH,
    WHOLE,
    edit_distance,
    hint,
    list_choices,
    nearest,
    suggest_value,
)
from nnrun.spec.text import join_words, quote
from nnrun.spec.tree import KeyPath, Problem, dotted

Meant = tuple[KeyPath, ...]

# Arguments of Keras's `fit`, and their equivalents.
_OF_FIT = {
    "validation_split": "it is the size under validation.holdout",
    "validation_data": "validation rows are set under validation",
    "initial_epoch": "a run begins with the first epoch",
    "verbose": "progress is always shown in a terminal",
}


def unknown_key(path: KeyPath, loc: tuple[str | int, ...], value: Any) -> Problem:
    """The problem of an unknown key, with a correction if one is likely.

    Args:
        loc: pydantic's location of the mapping with the key.
        value: of the key.
    """
    if path == ("extends",):
        # The path is relative to the file, which an override does not have.
        return Problem("NN101", path, "only a file can set extends", key=True)
    key, parent = str(path[-1]), path[:-1]
    suggestion, meant = None, _held(parent, value)
    if meant:
        names = join_words([dotted(each) for each in meant], "and")
        advice = f"; take {names} out of it, to the top level"
    elif not _is_file(key, parent) and (suggestion := nearest(key, language.key_names(loc))):
        advice, meant = _foreign(key), ((*parent, suggestion),)
    else:
        advice, meant = _elsewhere(key, parent) or (_here(key, parent, loc), ())
    message = f"unknown key {quote(key)}{advice}"
    return Problem("NN101", path, message, suggestion, key=True, meant=meant)


def _held(parent: KeyPath, value: Any) -> Meant:
    """Top-level keys that are inside an unknown section."""
    if parent or not isinstance(value, dict):
        return ()
    held = [key for key in value if () in language.homes(key)]
    return tuple((key,) for key in held) if "dataset" in held or "model" in held else ()


def _foreign(key: str) -> str:
    """Names a letter of another alphabet, which can look like a Latin one."""
    letter = next((letter for letter in key if not letter.isascii()), None)
    return f", in which {letter!r} is the letter U+{ord(letter):04X}" if letter else ""


def _is_file(key: str, parent: KeyPath) -> bool:
    """Whether a dataset has a key like `csv: data.csv`."""
    return parent == ("dataset",) and key in language.FILES


def _elsewhere(key: str, parent: KeyPath) -> tuple[str, Meant] | None:
    """Where a misplaced key belongs."""
    if parent == ("dataset",):
        if key in language.data_sets():
            return f"; write 'name: {key}', and its arguments below", (("dataset", "name"),)
        if _is_file(key, parent):
            return f"; write 'name: {language.FILES[key]}', and the file as 'path'", ()
        return None
    if "prepare" in parent:
        return None
    if homes := language.homes(key):
        places = join_words([language.where(home) for home in homes], "or")
        return f"; it belongs {places}", tuple((*home, key) for home in homes)
    if parent == ("training",) and key in _OF_FIT:
        return f"; {_OF_FIT[key]}", ()
    if parent == ("training",) and key in catalogue.arguments("optimizers", "SGD"):
        return f"; it is an argument of the optimizer, as in 'SGD: {{{key}: …}}'", ()
    return None


def _here(key: str, parent: KeyPath, loc: tuple[str | int, ...]) -> str:
    """The keys allowed here."""
    allowed = language.key_names(loc)
    if not allowed:
        return "; there are no keys here"
    # Datasets and steps are in the location, but not in the path.
    part = str(loc[-1]) if "dataset" in parent else dotted(parent)
    return f"; the keys here are {list_choices(key, allowed, part)}"


Details = Mapping[str, Any]

# Descriptions of values with several types, or with a pattern.
_SENTENCES: dict[KeyPath, str] = {
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
    "int_type": WHOLE,
    "int_from_float": WHOLE,
    "float_type": NUMBER,
    "bool_type": TRUTH,
    "string_type": "text",
    "tuple_type": LIST,
    "list_type": LIST,
    "model_type": MAPPING,
    "dict_type": MAPPING,
}
# The kind of component in a list, by its key.
_LISTS = {"model": "layers", "metrics": "metrics", "callbacks": "callbacks"}


def problems(error: ValidationError, raw: Any) -> Iterator[Problem]:
    """One problem per path, from pydantic's errors.

    Args:
        error: of the whole spec.
        raw: the invalid spec.
    """
    seen: set[KeyPath] = set()
    for details in (*error.errors(include_url=False), *_hidden(error, raw)):
        if details["type"] == "too_short" and details["input"]:
            continue  # pydantic counts valid entries only
        finding = _finding(details, raw)
        if finding.path not in seen:
            seen.add(finding.path)
            yield finding


def _hidden(error: ValidationError, raw: Any) -> list[Details]:
    """Other errors of a dataset whose name is unknown or missing, where pydantic stops."""
    unread = any(
        details["loc"] == ("dataset",) and details["type"].startswith("union_tag")
        for details in error.errors(include_url=False)
    )
    dataset = raw.get("dataset")
    if not unread or not isinstance(dataset, dict):
        return []
    known, guess = data_sets(), _named(dataset)
    if guess is None:
        # The arguments of any dataset may be right.
        common = {"name", *DatasetBase.model_fields}
        anywhere = set(key_names(("dataset",))) - common
        dataset = {key: value for key, value in dataset.items() if key not in anywhere}
    try:
        known.get(guess or "", DatasetBase).model_validate({**dataset, "name": guess or ""})
    except ValidationError as inner:
        loc = ("dataset", guess) if guess else ("dataset",)
        errors = inner.errors(include_url=False)
        return [{**details, "loc": (*loc, *details["loc"])} for details in errors]
    return []


def _finding(details: Details, raw: Any) -> Problem:
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
    return special(path, details) if special else Problem("NN103", path, str(details["msg"]))


def _written_path(loc: tuple[str | int, ...], raw: Any) -> KeyPath:
    """The path in the spec of a pydantic location, which also has names of types."""
    path: list[str | int] = []
    for at, part in enumerate(loc):
        # `text` is a dataset and a key of it.
        tag = at == 1 and loc[0] == "dataset" and part == _named(raw)
        if not tag and _holds(raw, part):
            raw = raw[part]
            path.append(part)
    return tuple(path)


def _named(dataset: Any) -> str | None:
    """The dataset probably meant, if any."""
    name, known = dataset.get("name"), data_sets()
    if not isinstance(name, str):
        return None
    return name if name in known else nearest(name, known)


def _holds(raw: Any, part: str | int) -> bool:
    if isinstance(part, int):
        return isinstance(raw, list) and part < len(raw)
    return isinstance(raw, dict) and part in raw


def _missing(parent: KeyPath, details: Details) -> Problem:
    return Problem("NN102", (*parent, details["loc"][-1]), "is missing", at=parent, key=True)


def _described(path: KeyPath, details: Details) -> Problem:
    value = details["input"]
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    size = path == ("validation", "holdout", "size")
    word = isinstance(value, str) and not size
    code = "NN110" if number and size else "NN111" if word else "NN103"
    suggestion = suggest_value(value, NUMBER) if size else None
    return Problem(code, path, f"must be {_SENTENCES[path]}, got {quote(value)}", suggestion)


def _typed(path: KeyPath, details: Details, wanted: str) -> Problem:
    value = details["input"]
    expected = wanted
    if wanted == MAPPING and (keys := key_names(details["loc"])):
        plural = "s" if len(keys) > 1 else ""
        expected += f" with the key{plural} {list_choices('', keys, dotted(path))}"
    elif path == ("expect",):
        expected += " such as 'test_accuracy: 0.9 to 1'"
    message = f"must be {expected}, got {quote(value)}{hint(value, wanted)}"
    if wanted == LIST and isinstance(value, dict):
        message += _as_list(str(path[-1]), value)
    suggestion = suggest_value(value, wanted)
    if path[-1:] == ("divisor",) and suggestion and "/" in value:
        # `1/255` is a factor, but `rescale` divides.
        suggestion = value.rpartition("/")[2].strip(" .")
    return Problem("NN103", path, message, suggestion)


def _as_list(key: str, value: Mapping[str, Any]) -> str:
    """How to correct a mapping that should be a list."""
    [(inner, held), *others] = value.items() or [("", None)]
    if isinstance(held, list) and not others:
        return f"; put the list directly below {key}, without {quote(inner)}"
    kind = _LISTS.get(key)
    names = catalogue.names(kind) if kind else list(STEPS) if key == "prepare" else ()
    return "; put '- ' before each name" if any(name in names for name in value) else ""


def _unknown_tag(path: KeyPath, details: Details) -> Problem:
    word = details["ctx"]["tag"]
    if "prepare" in path:
        return _unknown("NN118", path, "step", word, list(STEPS), at=(*path, word), key=True)
    names = list(data_sets())
    return _unknown("NN109", path, "dataset", word, names, at=(*path, "name"))


def _unknown(
    code: str,
    path: KeyPath,
    noun: str,
    word: Any,
    names: list[str],
    *,
    at: KeyPath,
    key: bool = False,
) -> Problem:
    message = f"unknown {noun} {quote(word)}"
    if noun == "dataset" and (advice := _own_file(str(word))):
        return Problem(code, path, f"{message}; {advice}", at=at, key=key)
    suggestion = nearest(str(word), names)
    if suggestion is None:
        message += f"; there are {list_choices(word, names, noun.replace(' ', '') + 's')}"
    return Problem(code, path, message, suggestion, at=at, key=key)


def _own_file(name: str) -> str | None:
    """How to write a file given in place of a dataset name."""
    ending = name.rpartition(".")[2].lower()
    if ending in UNREADABLE:
        return f"{ending} files cannot be read: save it as csv, parquet or npz"
    reader = FILES.get(ending)
    return f"for a file write 'name: {reader}', and where it is as 'path'" if reader else None


def _no_tag(path: KeyPath, details: Details) -> Problem:
    value = details["input"]
    if "prepare" in path:
        if isinstance(value, dict) and (
            advice := suggest.advice("step", value, STEPS.__contains__)
        ):
            return Problem("NN103", path, advice)
        message = "must be a step such as 'flatten' or 'multi_hot: 10000'"
        return Problem("NN103", path, f"{message}, got {quote(value)}")
    if isinstance(value, dict):
        return Problem("NN102", (*path, "name"), "is missing", at=path, key=True)
    message = f"must be the name of a dataset, or a mapping with a name, got {quote(value)}"
    return Problem("NN103", path, f"{message}{hint(value, MAPPING)}")


def _choice(path: KeyPath, details: Details) -> Problem:
    choices = [
        choice.strip("'") for choice in details["ctx"]["expected"].replace(" or ", ", ").split(", ")
    ]
    value = details["input"]
    message = f"must be {join_words(choices, 'or')}, got {quote(value)}"
    suggestion = nearest(value, choices) if isinstance(value, str) else None
    return Problem("NN111", path, message, suggestion)


def _bound(word: str, key: str) -> Callable[[KeyPath, Details], Problem]:
    def finding(path: KeyPath, details: Details) -> Problem:
        limit, value = details["ctx"][key], details["input"]
        if isinstance(value, float) and math.isnan(value):
            return Problem("NN103", path, "must be a number, got nan")
        if key == "gt" and isinstance(limit, int):
            message = f"must be at least {limit + 1}, got {quote(value)}"
        else:
            message = f"must be {word} {limit:.10g}, got {quote(value)}"
        return Problem("NN110", path, message)

    return finding


def _too_short(path: KeyPath, details: Details) -> Problem:
    return Problem("NN110", path, f"needs at least {details['ctx']['min_length']} entry, got none")


def _clash(path: KeyPath, details: Details) -> Problem:
    return Problem("NN111", (*path, details["ctx"]["key"]), details["msg"])


def _component(path: KeyPath, details: Details) -> Problem:
    message = "must be a name, or one name with its arguments"
    return Problem("NN115", path, f"{message}, got {quote(details['input'])}")


def _gate(path: KeyPath, details: Details) -> Problem:
    message = f"must be a comparison such as {expect.EXAMPLE}, got {quote(details['input'])}"
    return Problem("NN119", path, message)


def _lint_code(path: KeyPath, details: Details) -> Problem:
    word = details["input"]
    if word in RULES:
        return Problem("NN111", path, f"{word} is an error, not a warning, and cannot be ignored")
    near = next((code for code in LINT if edit_distance(str(word), code, most=1) is not None), None)
    return Problem("NN111", path, f"there is no warning {quote(word)}", near)


_SPECIAL: dict[str, Callable[[KeyPath, Details], Problem]] = {
    "extra_forbidden": lambda path, details: unknown_key(
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
