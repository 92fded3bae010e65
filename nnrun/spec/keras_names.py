"""Checks the Keras components of a spec and their arguments against the catalogue.

Only certain mistakes are reported; Keras checks the rest when it builds the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from nnrun.spec import catalogue, codes, language, suggest
from nnrun.spec.catalogue import Argument, Entry
from nnrun.spec.component import STACKS
from nnrun.spec.suggest import (
    advice,
    arguments_as_list,
    inline_component,
    list_choices,
    nearest,
    rewrite_assignment,
    rewrite_call,
)
from nnrun.spec.text import join_words, quote, with_article
from nnrun.spec.tree import KeyPath, Problem, scalar

# Required arguments of layers that are counts.
COUNTS = frozenset(
    ("units", "filters", "input_dim", "output_dim", "n", "num_heads", "key_dim", "times")
)
DROPPING = frozenset(
    (
        *("Dropout", "AlphaDropout", "GaussianDropout"),
        *("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
    )
)
# JSON's types in words.
TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "a word",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}
# Keras accepts `SAME` for `same`.
ANY_CASE = frozenset(("padding",))
# Keras would also read a file of this name.
READ = frozenset(("vocabulary",))
# Valid in names of TensorFlow operations; names of metrics have another rule.
NAME = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
NAMED = frozenset(("layers", "optimizers", "losses"))
# The default is a number, but text such as '10,20' is valid too.
MIXED = frozenset(("profile_batch",))


def choices(argument: Argument) -> tuple[str, ...]:
    """The allowed words, in every spelling that Keras accepts."""
    if argument.name not in ANY_CASE:
        return argument.choices
    return (*argument.choices, *(choice.upper() for choice in argument.choices))


def may_be_null(argument: Argument) -> bool:
    """Whether `null` is a valid value."""
    if argument.required:
        return False
    known = argument.kind is None and bool(argument.types)
    return not known or argument.default is None or "null" in argument.types


def expected_value(kind: str, entry: Entry, argument: Argument, value: Any) -> str | None:
    """The expected type or range, if the value is certainly wrong."""
    given = _type(value)
    if kind == "layers" and argument.required and argument.name in COUNTS:
        return None if given == "integer" and value > 0 else "a whole number above 0"
    if entry.name in DROPPING and argument.name == "rate":
        right = given in ("integer", "number") and 0 <= value <= 1
        return None if right else "a number from 0 to 1"
    if argument.name in MIXED:
        return None
    if kind == "callbacks" and argument.name == "monitor":
        return None if given == "string" else "a word"
    if kind in NAMED and argument.name == "name" and not argument.choices:
        right = given == "string" and re.match(NAME, value) and not value.endswith("\n")
        return (
            None if right else "1 to 100 letters, digits, '_', '-' or '.', a letter or digit first"
        )
    if argument.choices and given == "string":
        return None if value in choices(argument) else join_words(argument.choices, "or")
    if given == "number" and value != value:  # noqa: PLR0124 - NaN
        return _described(argument) if argument.types else None
    return None if _fits(given, argument.types) else _described(argument)


def _type(value: Any) -> str:
    """JSON's type of a value."""
    types = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return "null" if value is None else types.get(type(value), "object")


def _fits(given: str, types: tuple[str, ...]) -> bool:
    return not types or given in types or (given == "integer" and "number" in types)


def _described(argument: Argument) -> str:
    """The types of an argument in words."""
    words = [word for name, word in TYPES.items() if name in argument.types]
    if "number" in argument.types and "integer" in argument.types:
        words.remove(TYPES["integer"])
    if argument.choices and TYPES["string"] in words:
        words[words.index(TYPES["string"])] = ", ".join(argument.choices)
    return join_words(words, "or")


# Keras names whose arguments stand where they do not belong, and how to write them.


# A field such as `{epoch:02d}`. Others could become `..`, or be so wide that they fill the memory.
_FIELDS = re.compile(r"\{[A-Za-z_]\w*(?::0?\d{0,2}(?:\.\d{1,2})?[defg]?)?\}", re.ASCII)


def check_file_name(value: Any, path: KeyPath) -> Iterator[Problem]:
    """Checks that a callback's file is inside the run folder."""
    if not isinstance(value, str) or not value:
        yield Problem("NN114", path, f"must be a file name, got {quote(value)}")
        return
    windows = PureWindowsPath(value)
    outside = PurePosixPath(value).is_absolute() or windows.drive or windows.root
    if outside or ".." in windows.parts or value.startswith("~") or "://" in value:
        message = f"must be a path inside the run folder, got {quote(value)}"
        yield Problem("NN116", path, message)
    elif set(_FIELDS.sub("", value)) & set("{}"):
        message = f"may contain only fields such as {{epoch:02d}}, got {quote(value)}"
        yield Problem("NN116", path, message)


NOUNS = {
    "layers": "layer",
    "optimizers": "optimizer",
    "losses": "loss",
    "metrics": "metric",
    "callbacks": "callback",
    "initializers": "initializer",
    "regularizers": "regularizer",
    "constraints": "constraint",
    "activations": "activation",
    "schedules": "learning rate schedule",
}
EXAMPLES = {
    "layers": "'Dense: {units: 16}'",
    "optimizers": "'RMSprop: {learning_rate: 0.001}'",
    "losses": "'binary_crossentropy'",
    "metrics": "'accuracy'",
    "callbacks": "'EarlyStopping: {patience: 3}'",
    "initializers": "'he_normal'",
    "regularizers": "'L2: 0.01'",
    "constraints": "'MaxNorm: 3'",
    "activations": "'relu'",
    "schedules": "'ExponentialDecay: {...}'",
}
# Classes of Keras that a spec cannot have.
ABSENT = {
    "Input": "there is no Input layer here: the input shape comes from the data",
    "InputLayer": "there is no Input layer here: the input shape comes from the data",
    "Sequential": "the model is already a list of layers; add them one by one",
    **{
        name: f"{name} runs Python code, which a spec cannot contain"
        for name in (
            *("Lambda", "LambdaCallback", "TFSMLayer", "JaxLayer", "FlaxLayer"),
            "TorchModuleWrapper",
        )
    },
}
_CROSSENTROPY = (
    "there is binary_crossentropy for two classes, and sparse_categorical_crossentropy or "
    "categorical_crossentropy for more"
)
ABSENT |= {
    "Linear": "Keras calls it Dense",
    **dict.fromkeys(
        ("crossentropy", "cross_entropy", "CrossEntropy", "CrossEntropyLoss", "ce"), _CROSSENTROPY
    ),
}
# Keys of a mapping from which Keras would create any object.
CONFIGURED = frozenset(("class_name", "registered_name", "module", "custom_objects"))
NEVER_CODE = "a spec only names Keras objects and never runs code"
# Input shapes, which a spec takes from the data.
SHAPES = frozenset(("input_shape", "batch_input_shape", "batch_shape"))
# Layers that Keras fits with `adapt`, and the arguments to set instead.
ADAPTED = {
    "Normalization": ("mean", "variance"),
    "Discretization": ("bin_boundaries",),
    "IntegerLookup": ("vocabulary",),
    "StringLookup": ("vocabulary",),
    "TextVectorization": ("vocabulary",),
}


def check(spec: dict[str, Any]) -> Iterator[Problem]:
    """Checks the components of a spec whose short forms are expanded."""
    yield from _each("layers", spec.get("model"), ("model",))
    training = spec.get("training")
    if not isinstance(training, dict):
        return
    for key, kind in (("optimizer", "optimizers"), ("loss", "losses")):
        if key in training:
            yield from check_component(kind, training[key], ("training", key))
    for kind in ("metrics", "callbacks"):
        yield from _each(kind, training.get(kind), ("training", kind))


def _each(kind: str, values: Any, path: KeyPath) -> Iterator[Problem]:
    above: Any = None
    for index, value in enumerate(values if isinstance(values, list) else ()):
        at = (*path, index)
        if beside := _beside(kind, above, value, at):
            yield from beside
        else:
            yield from check_component(kind, value, at)
            above = value


def _beside(kind: str, above: Any, value: Any, path: KeyPath) -> list[Problem]:
    """The problem of a list item that is an argument of the component above it."""
    if not isinstance(value, dict) or len(value) != 1 or not isinstance(above, dict):
        return []
    [key], [name] = value, list(above)[-1:] or [""]
    if catalogue.is_known(kind, key) or key not in catalogue.arguments(kind, name):
        return []
    message = f"is an argument of {name} above; write '{inline_component(name, value)}'"
    return [Problem("NN115", path, message, at=(*path, key), key=True)]


def check_component(kind: str, value: Any, path: KeyPath) -> Iterator[Problem]:
    """Checks one component."""
    match value:
        case str(name) if name:
            yield from _named(kind, name, {}, path, path)
        case dict() if len(value) == 1:
            [(name, arguments)] = value.items()
            yield from _named(kind, name, arguments, path, (*path, name))
        case _:
            noun = NOUNS[kind]
            message = f"must be {with_article(noun)} such as {EXAMPLES[kind]}, got {quote(value)}"
            if isinstance(value, dict):
                known = partial(catalogue.is_known, kind)
                own = f"{message}; {NEVER_CODE}" if CONFIGURED & value.keys() else message
                message = advice(noun, value, known) or own
            yield Problem("NN115", path, message)


def _named(kind: str, name: str, arguments: Any, path: KeyPath, at: KeyPath) -> Iterator[Problem]:
    if not catalogue.is_known(kind, name):
        yield _unknown(kind, name, at, key=at != path, path=path)
        return
    if kind == "activations" and at != path:
        message = "must be a word such as 'relu'; for arguments use a layer such as LeakyReLU"
        yield Problem("NN115", path, message)
        return
    entry = catalogue.entry(kind, name) or Entry(name, "", {}, {})
    if isinstance(arguments, dict):
        yield from _arguments(kind, entry, arguments, at)
    elif arguments_as_list(arguments, entry.accepted):
        given = inline_component(name, {key: v for each in arguments for key, v in each.items()})
        message = f"must have its arguments in a mapping, not in a list: write '{given}'"
        yield Problem("NN115", at, message)
    else:
        yield Problem("NN112", at, f"{name} takes no argument, got {quote(arguments)}")


def _unknown(kind: str, name: str, at: KeyPath, *, key: bool, path: KeyPath) -> Problem:
    code = codes.UNKNOWN.get(kind, "NN117")
    message = f"unknown {NOUNS[kind]} {quote(name)}"
    suggestion = None
    if name in ABSENT:
        message = ABSENT[name]
    elif kind == "layers" and name in language.key_names(("training",)):
        message += "; it belongs under training"
        return Problem(code, path, message, at=at, key=key, meant=(("training", name),))
    else:
        names = catalogue.names(kind)
        known = partial(catalogue.is_known, kind)
        suggestion = rewrite_call(name, known, partial(_first, kind)) or nearest(name, names)
        own = [each for each in names if catalogue.canonical_name(kind, each) == each]
        message += "" if suggestion else f"; there are {list_choices(name, own, kind)}"
        if not suggestion and (name in CONFIGURED or not name.isidentifier() or name[:2] == "__"):
            message += f"; {NEVER_CODE}"
    return Problem(code, path, message, suggestion, at=at, key=key)


def _first(kind: str, name: str) -> str | None:
    entry = catalogue.entry(kind, name)
    return entry.first if entry else None


def _arguments(kind: str, entry: Entry, given: dict[str, Any], path: KeyPath) -> Iterator[Problem]:
    accepted = entry.accepted
    for key, value in given.items():
        if key in accepted:
            yield from _value(kind, entry, accepted[key], value, (*path, key))
        else:
            yield _unknown_argument(entry, key, path)
    missing = [quote(k) for k, a in accepted.items() if a.required and k not in given]
    if kind == "layers" and (needed := ADAPTED.get(entry.name)):
        yield from _adapted(entry, needed, given, path)
    if missing and not any(key not in accepted for key in given):
        plural = "s" if len(missing) > 1 else ""
        message = f"{entry.name} needs the argument{plural} {join_words(missing, 'and')}"
        yield Problem("NN113", path, message, key=True)


def _adapted(
    entry: Entry, needed: tuple[str, ...], given: dict[str, Any], path: KeyPath
) -> Iterator[Problem]:
    """Checks a layer that needs to be fitted, or to get its values as arguments."""
    absent = [quote(name) for name in needed if given.get(name) is None]
    if absent:
        message = (
            f"{entry.name} is not fitted to the data here and needs {join_words(absent, 'and')}; "
            "use a step of dataset.prepare, such as standardize"
        )
        yield Problem("NN113", path, message, key=True)


def _unknown_argument(entry: Entry, key: str, path: KeyPath) -> Problem:
    accepted = entry.accepted
    message = f"{entry.name} has no argument {quote(key)}"
    if key in SHAPES:
        message += "; the input shape comes from the data"
        return Problem("NN112", (*path, key), message, key=True)
    suggestion = rewrite_assignment(key, accepted) or nearest(key, accepted)
    if not accepted:
        message = f"{entry.name} takes no arguments, got {quote(key)}"
    elif suggestion is None:
        message += f"; it takes {list_choices(key, list(entry.arguments or accepted), entry.name)}"
    return Problem("NN112", (*path, key), message, suggestion, key=True)


def _value(
    kind: str, entry: Entry, argument: Argument, value: Any, path: KeyPath
) -> Iterable[Problem]:
    if value is None and may_be_null(argument):
        return ()
    if _is_configured(value) and argument.kind is None:
        message = f"must be a plain value, got the configuration of an object; {NEVER_CODE}"
        return (Problem("NN114", path, message),)
    if argument.name in READ and not isinstance(value, list):
        message = f"must be a list of words, got {quote(value)}; files are not read"
        return (Problem("NN114", path, message),)
    if argument.kind is None:
        return _plain_value(kind, entry, argument, value, path)
    if argument.kind == "file":
        return check_file_name(value, path)
    if argument.kind == "schedules":
        return _schedule(argument, value, path)
    if argument.kind == "layers" and isinstance(value, list):
        return _each("layers", value, path)
    if argument.kind == STACKS:
        return _stacks(value, path)
    return check_component(argument.kind, value, path)


def _plain_value(
    kind: str, entry: Entry, argument: Argument, value: Any, path: KeyPath
) -> Iterator[Problem]:
    wanted = expected_value(kind, entry, argument, value)
    if not wanted:
        return
    message = f"must be {wanted}, got {quote(value)}"
    if not isinstance(value, str):
        yield Problem("NN114", path, message)
        return
    if not expected_value(kind, entry, argument, scalar(value)):
        message += "; leave out the quotes"
    meant = nearest(value, argument.choices) or suggest.suggest_value(value, wanted)
    as_list = suggest.as_list(value) if "array" in argument.types else None
    yield Problem("NN114", path, message, as_list or meant)


def _stacks(value: Any, path: KeyPath) -> Iterator[Problem]:
    if not isinstance(value, list) or len(value) < 2:
        got = "one" if isinstance(value, list) and value else quote(value)
        message = f"must be a list of two stacks of layers or more, got {got}"
        yield Problem("NN114", path, message)
        return
    for index, each in enumerate(value):
        at = (*path, index)
        of_one = check_component("layers", each, at)
        yield from _each("layers", each, at) if isinstance(each, list) else of_one


def _is_configured(value: Any) -> bool:
    """Whether a value contains a mapping from which Keras would create an object."""
    match value:
        case dict():
            return bool(CONFIGURED & value.keys()) or any(map(_is_configured, value.values()))
        case list():
            return any(map(_is_configured, value))
    return False


def _schedule(argument: Argument, value: Any, path: KeyPath) -> Iterator[Problem]:
    if isinstance(value, dict):
        yield from check_component("schedules", value, path)
    elif argument.required:
        message = f"must be a schedule such as {EXAMPLES['schedules']}, got {quote(value)}"
        yield Problem("NN115", path, message)
    elif isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:  # noqa: PLR0124 - NaN
        example = EXAMPLES["schedules"]
        message = f"must be a number or a schedule such as {example}, got {quote(value)}"
        message += suggest.hint(value, suggest.NUMBER)
        yield Problem("NN114", path, message, suggest.suggest_value(value, suggest.NUMBER))
