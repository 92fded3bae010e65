"""Pydantic's errors in plain words, with paths as written in the spec."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from nnrun.spec import catalogue, codes, expect, suggest
from nnrun.spec.dataset import DATASETS, DatasetBase
from nnrun.spec.language import FILES, UNREADABLE, homes, key_names
from nnrun.spec.prepare import STEPS
from nnrun.spec.text import join_words, quote
from nnrun.spec.tree import KeyPath, Problem, dotted

_TESTS: KeyPath = ("dataset", "test")
_TEST_SET = "a name of letters, digits, '_' or '-', with the path of a file or a folder"
# Descriptions of values with several types, or with a pattern.
_SENTENCES: dict[KeyPath, str] = {
    ("validation", "holdout", "size"): "a number of rows, or a fraction between 0 and 1",
    (
        "name",
    ): "1 to 80 letters, digits, '_', '-' or '.', without '-' or '.' before or '.' after them",
    ("training", "class_weight"): "'balanced', or a number for each class such as {positive: 2}",
    ("training", "restore"): "'last', 'best', or a metric such as {best: val_accuracy}",
    ("dataset", "target"): "a column, or a list of columns",
    ("dataset", "path"): "the path of a file or a folder",
    ("dataset", "validation"): "the path of a file or a folder",
    _TESTS: "the path of a file or a folder, or several by name such as "
    "{autumn: a.csv, winter: b.csv}",
    ("dataset", "separator"): "a single character, such as ';'",
    ("dataset", "image_size"): "two whole numbers, height and width, such as [64, 64]",
    ("training", "device"): "'auto', 'cpu' or a GPU such as 'gpu:0'",
}
_TYPES = {
    **dict.fromkeys(("int_type", "int_from_float"), suggest.WHOLE),
    "float_type": suggest.NUMBER,
    "bool_type": suggest.TRUTH,
    "string_type": "text",
    **dict.fromkeys(("tuple_type", "list_type"), suggest.LIST),
    **dict.fromkeys(("model_type", "dict_type"), suggest.MAPPING),
}
_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}
# Keys of other tools, which also are keys elsewhere in a spec.
_OTHER_WORDS: dict[KeyPath, str] = {("layers",): "model"}
# Arguments of Keras's `fit`, and their equivalents.
_OF_FIT = {
    "validation_split": "it is the size under validation.holdout",
    "validation_data": "validation rows are set under validation",
    "initial_epoch": "a run begins with the first epoch",
    "verbose": "progress is always shown in a terminal",
}


def problems(error: ValidationError, raw: Mapping[str, object]) -> Iterator[Problem]:
    """One problem per path, from pydantic's errors of a whole spec."""
    paths: set[KeyPath] = set()
    for details in (*error.errors(include_url=False), *_hidden(error, raw.get("dataset"))):
        if details["type"] == "too_short" and details["input"]:
            continue  # pydantic counts valid entries only
        problem = _problem(_written_path(details["loc"], raw), details)
        if problem.path not in paths:
            paths.add(problem.path)
            yield problem


def _hidden(error: ValidationError, dataset: object) -> list[ErrorDetails]:
    """Other errors of a dataset whose name is unknown or missing, where pydantic stops."""
    is_unread = any(
        details["loc"] == ("dataset",) and details["type"].startswith("union_tag")
        for details in error.errors(include_url=False)
    )
    if not is_unread or not isinstance(dataset, dict):
        return []
    name = _dataset_name(dataset) or ""
    if not name:
        # The arguments of any dataset may be right.
        own = {*key_names(("dataset",))} - {"name", *DatasetBase.model_fields}
        dataset = {key: value for key, value in dataset.items() if key not in own}
    try:
        DATASETS.get(name, DatasetBase).model_validate({**dataset, "name": name})
    except ValidationError as inner:
        loc = ("dataset", name) if name else ("dataset",)
        errors = inner.errors(include_url=False)
        return [{**details, "loc": (*loc, *details["loc"])} for details in errors]
    return []


def _written_path(loc: tuple[str | int, ...], raw: object) -> KeyPath:
    """The path in the spec of a pydantic location, which also has names of types."""
    path: list[str | int] = []
    for at, part in enumerate(loc):
        # `text` is a dataset and a key of it.
        if at == 1 and loc[0] == "dataset" and part == _dataset_name(raw):
            continue
        if (isinstance(raw, dict) and part in raw) or (
            isinstance(raw, list) and isinstance(part, int) and part < len(raw)
        ):
            raw = raw[part]  # type: ignore[index]
            path.append(part)
    return tuple(path)


def _dataset_name(dataset: object) -> str | None:
    """The name of the dataset, or of the one probably meant."""
    name = dataset.get("name") if isinstance(dataset, dict) else None
    if not isinstance(name, str):
        return None
    return name if name in DATASETS else suggest.nearest(name, DATASETS)


def _problem(path: KeyPath, details: ErrorDetails) -> Problem:
    kind, value = details["type"], details["input"]
    if kind == "missing":
        return Problem("NN102", (*path, details["loc"][-1]), "is missing", at=path, key=True)
    # Only tables have columns.
    is_word = path == ("dataset", "target") and kind == "literal_error"
    if (path in _SENTENCES or path[:-1] == _TESTS) and not is_word:
        return _described(path, value)
    if kind in ("model_attributes_type", "union_tag_not_found"):
        return _without_tag(path, value)
    if kind in _TYPES:
        return _wrong_type(path, details, _TYPES[kind])
    if kind in _BOUNDS:
        return _out_of_range(path, details)
    return _other(path, details)


def _other(path: KeyPath, details: ErrorDetails) -> Problem:
    value, context = details["input"], details.get("ctx", {})
    match details["type"]:
        case "extra_forbidden":
            return _unknown_key(path, details["loc"][:-1], value)
        case "union_tag_invalid":
            return _unknown_tag(path, context["tag"])
        case "literal_error":
            choices = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
            message = f"must be {join_words(choices, 'or')}, got {quote(value)}"
            suggestion = suggest.nearest(value, choices) if isinstance(value, str) else None
            return Problem("NN111", path, message, suggestion)
        case "too_short":
            message = f"needs at least {context['min_length']} entry, got none"
            return Problem("NN110", path, message)
        case "clash":
            return Problem("NN111", (*path, context["key"]), details["msg"])
        case "component":
            message = "must be a name, or one name with its arguments"
            return Problem("NN115", path, f"{message}, got {quote(value)}")
        case "gate":
            message = f"must be a comparison such as {expect.EXAMPLE}, got {quote(value)}"
            return Problem("NN119", path, message)
        case "code_file":
            message = f"must be the name of a Python file such as layers.py, got {quote(value)}"
            return Problem("NN103", path, message)
        case "lint_code":
            return _unknown_warning(path, value)
    return Problem("NN103", path, details["msg"])


def _described(path: KeyPath, value: object) -> Problem:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    is_size = path == ("validation", "holdout", "size")
    is_word = isinstance(value, str) and not is_size
    code = "NN110" if is_number and is_size else "NN111" if is_word else "NN103"
    suggestion = suggest.suggest_value(value, suggest.NUMBER) if is_size else None
    wanted = _SENTENCES.get(path, _TEST_SET)
    return Problem(code, path, f"must be {wanted}, got {quote(value)}", suggestion)


def _wrong_type(path: KeyPath, details: ErrorDetails, wanted: str) -> Problem:
    value, expected = details["input"], wanted
    if wanted == suggest.MAPPING and (keys := key_names(details["loc"])):
        plural = "s" if len(keys) > 1 else ""
        expected += f" with the key{plural} {suggest.list_choices('', keys, dotted(path))}"
    elif path == ("expect",):
        expected += " such as 'test_accuracy: 0.9 to 1'"
    message = f"must be {expected}, got {quote(value)}{suggest.hint(value, wanted)}"
    if wanted == suggest.LIST and isinstance(value, dict):
        message += _as_list(str(path[-1]), value)
    suggestion = suggest.suggest_value(value, wanted)
    if path[-1:] == ("divisor",) and suggestion and "/" in value:
        # `1/255` is a factor, but `rescale` divides.
        suggestion = value.rpartition("/")[2].strip(" .")
    return Problem("NN103", path, message, suggestion)


def _as_list(key: str, value: Mapping[str, object]) -> str:
    if len(value) == 1 and isinstance(next(iter(value.values())), list):
        return f"; put the list directly below {key}, without {quote(next(iter(value)))}"
    kind = catalogue.KINDS.get(key, "")
    is_name = partial(catalogue.is_known, kind) if kind else STEPS.__contains__
    return "; put '- ' before each name" if any(map(is_name, value)) else ""


def _out_of_range(path: KeyPath, details: ErrorDetails) -> Problem:
    word, key = _BOUNDS[details["type"]]
    limit, value = details["ctx"][key], details["input"]
    if isinstance(value, float) and math.isnan(value):
        return Problem("NN103", path, "must be a number, got nan")
    if key == "gt" and isinstance(limit, int):
        word, limit = "at least", limit + 1
    return Problem("NN110", path, f"must be {word} {limit:.10g}, got {quote(value)}")


def _without_tag(path: KeyPath, value: object) -> Problem:
    if "prepare" in path:
        message = f"must be a step such as 'flatten' or 'multi_hot: 10000', got {quote(value)}"
        if isinstance(value, dict):
            message = suggest.advice("step", value, STEPS.__contains__) or message
        return Problem("NN103", path, message)
    if isinstance(value, dict):
        return Problem("NN102", (*path, "name"), "is missing", at=path, key=True)
    message = f"must be the name of a dataset, or a mapping with a name, got {quote(value)}"
    return Problem("NN103", path, message + suggest.hint(value, suggest.MAPPING))


def _unknown_tag(path: KeyPath, word: str) -> Problem:
    message, names = f"unknown step {quote(word)}", list(STEPS)
    code, at, is_step = "NN118", (*path, word), "prepare" in path
    if not is_step:
        message, names = f"unknown dataset {quote(word)}", list(DATASETS)
        code, at = "NN109", (*path, "name")
    suggestion = None
    ending = word.rpartition(".")[2].lower()
    if not is_step and ending in UNREADABLE:
        message += f"; {ending} files cannot be read: save it as csv, parquet or npz"
    elif not is_step and ending in FILES:
        message += f"; for a file write 'name: {FILES[ending]}', and where it is as 'path'"
    elif (suggestion := suggest.nearest(word, names)) is None:
        part = "steps" if is_step else "datasets"
        message += f"; there are {suggest.list_choices(word, names, part)}"
    return Problem(code, path, message, suggestion, at=at, key=is_step)


def _unknown_warning(path: KeyPath, code: str) -> Problem:
    if code in codes.all_rules():
        return Problem("NN111", path, f"{code} is an error, not a warning, and cannot be ignored")
    near = (
        w for w in codes.warnings() if suggest.edit_distance(code.upper(), w, most=1) is not None
    )
    return Problem("NN111", path, f"there is no warning {quote(code)}", next(near, None))


def _unknown_key(path: KeyPath, loc: tuple[str | int, ...], value: object) -> Problem:
    """An unknown key of the mapping at a pydantic location, with a correction if one is likely."""
    if path == ("extends",):
        # The path is relative to the file, which an override does not have.
        return Problem("NN101", path, "only a file can set extends", key=True)
    key, parent = str(path[-1]), path[:-1]
    message, allowed = f"unknown key {quote(key)}", key_names(loc)
    suggestion, meant = None, _nested_sections(parent, value)
    if meant:
        names = join_words([dotted(name) for name in meant], "and")
        message += f"; take {names} out of it, to the top level"
    elif (parent != ("dataset",) or key not in FILES) and (
        suggestion := suggest.nearest(key, allowed) or _OTHER_WORDS.get(path)
    ):
        meant = ((*parent, suggestion),)
        if letter := next((letter for letter in key if not letter.isascii()), None):
            message += f", in which {letter!r} is the letter U+{ord(letter):04X}"
    elif place := _right_place(key, parent):
        message, meant = message + place[0], place[1]
    elif allowed:
        # Datasets and steps are in the location, but not in the path.
        part = str(loc[-1]) if "dataset" in parent else dotted(parent)
        message += f"; the keys here are {suggest.list_choices(key, allowed, part)}"
    else:
        message += "; there are no keys here"
    return Problem("NN101", path, message, suggestion, key=True, meant=meant)


def _nested_sections(parent: KeyPath, value: object) -> tuple[KeyPath, ...]:
    """Top-level keys that are inside an unknown section."""
    if parent or not isinstance(value, dict):
        return ()
    keys = [key for key in value if () in homes(key)]
    return tuple((key,) for key in keys) if "dataset" in keys or "model" in keys else ()


def _right_place(key: str, parent: KeyPath) -> tuple[str, tuple[KeyPath, ...]] | None:
    if parent == ("dataset",):
        if key in DATASETS:
            return f"; write 'name: {key}', and its arguments below", (("dataset", "name"),)
        if key in FILES:  # such as `csv: data.csv`
            return f"; write 'name: {FILES[key]}', and the file as 'path'", ()
    elif "prepare" not in parent:
        if sections := homes(key):
            places = [f"under {dotted(s)}" if s else "at the top level" for s in sections]
            meant = tuple((*section, key) for section in sections)
            return f"; it belongs {join_words(places, 'or')}", meant
        if parent == ("training",) and key in _OF_FIT:
            return f"; {_OF_FIT[key]}", ()
        if parent == ("training",) and key in catalogue.arguments("optimizers", "SGD"):
            return f"; it is an argument of the optimizer, as in 'SGD: {{{key}: …}}'", ()
    return None
