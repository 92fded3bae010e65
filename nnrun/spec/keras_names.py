"""Checks the Keras components of a spec and their arguments against the catalogue.

Only certain mistakes are reported; Keras checks the rest when it builds the model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import PurePosixPath, PureWindowsPath

from nnrun.spec import catalogue, code, codes, component, language, signatures, suggest
from nnrun.spec.component import AUTO, LARGEST, NAMED_STACKS, STACKS, Argument, Entry
from nnrun.spec.text import join_words, quote, with_article
from nnrun.spec.tree import KeyPath, Problem, scalar

# Each kind in a message, and an example.
_KINDS = {
    "layers": ("layer", "'Dense: {units: 16}'"),
    "merges": ("merge", "'add'"),
    "sources": ("source", "'from: x0'"),
    "optimizers": ("optimizer", "'RMSprop: {learning_rate: 0.001}'"),
    "losses": ("loss", "'binary_crossentropy'"),
    "metrics": ("metric", "'accuracy'"),
    "callbacks": ("callback", "'EarlyStopping: {patience: 3}'"),
    "initializers": ("initializer", "'he_normal'"),
    "regularizers": ("regularizer", "'L2: 0.01'"),
    "constraints": ("constraint", "'MaxNorm: 3'"),
    "activations": ("activation", "'relu'"),
    "schedules": ("learning rate schedule", "'ExponentialDecay: {...}'"),
}
NOUNS = {kind: noun for kind, (noun, _) in _KINDS.items()}
_OWN_NOUNS = {**NOUNS, signatures.DATASETS: "data set", signatures.STEPS: "prepare step"}
_NO_INPUT = "there is no Input layer here: the input shape comes from the data"
# The base class of own components of each kind, in Keras.
_BASES = {
    "layers": "layers.Layer",
    "optimizers": "optimizers.Optimizer",
    "losses": "losses.Loss",
    "metrics": "metrics.Metric",
    "callbacks": "callbacks.Callback",
    "initializers": "initializers.Initializer",
    "regularizers": "regularizers.Regularizer",
    "constraints": "constraints.Constraint",
    "schedules": "optimizers.schedules.LearningRateSchedule",
}
# Names that a spec cannot have, or that Keras does not have.
ABSENT = {
    "Input": _NO_INPUT,
    "InputLayer": _NO_INPUT,
    "Sequential": "the model is already a list of layers; add them one by one",
    "Linear": "Keras calls it Dense",
    **{
        name: f"{name} runs Python code, which a spec cannot contain"
        for name in "Lambda LambdaCallback TFSMLayer JaxLayer FlaxLayer TorchModuleWrapper".split()
    },
    **dict.fromkeys(
        ("crossentropy", "cross_entropy", "CrossEntropy", "CrossEntropyLoss", "ce"),
        "there is binary_crossentropy for two classes, and sparse_categorical_crossentropy or "
        "categorical_crossentropy for more",
    ),
}
# Keys of a mapping from which Keras would create any object.
_CONFIGURATION = frozenset(("class_name", "registered_name", "module", "custom_objects"))
Problems = Iterator[Problem]
NEVER_CODE = "a spec only names objects of Keras, or of its files under code"
# Input shapes, which a spec takes from the data.
_SHAPES = frozenset(("input_shape", "batch_input_shape", "batch_shape"))
# Layers that Keras fits with `adapt`, and the arguments to set instead.
_ADAPTED = {
    "Normalization": ("mean", "variance"),
    "Discretization": ("bin_boundaries",),
    **dict.fromkeys(("IntegerLookup", "StringLookup", "TextVectorization"), ("vocabulary",)),
}
# JSON's types in words.
TYPES = {
    "integer": suggest.WHOLE,
    "number": suggest.NUMBER,
    "boolean": suggest.TRUTH,
    "string": "a word",
    "array": suggest.LIST,
    "object": suggest.MAPPING,
    "null": "null",
}
# Required arguments of layers that are counts.
COUNTS = frozenset("units filters input_dim output_dim n num_heads key_dim times".split())
# Of other arguments, such as seeds.
LARGEST_INTEGER = 2**32
DROPPING = frozenset(
    "Dropout AlphaDropout GaussianDropout SpatialDropout1D SpatialDropout2D SpatialDropout3D".split()
)
# Keras would also read a file of this name.
READ = frozenset(("vocabulary",))
# Valid in names of TensorFlow operations; names of metrics have another rule.
NAME = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
NAMED = frozenset(("layers", "optimizers", "losses"))
# The default is a number, but text such as '10,20' is valid too.
MIXED = frozenset(("profile_batch",))
# A field such as `{epoch:02d}`. Others could become `..`, or be so wide that they fill the memory.
_FIELDS = re.compile(r"\{[A-Za-z_]\w*(?::0?\d{0,2}(?:\.\d{1,2})?[defg]?)?\}", re.ASCII)


def choices(argument: Argument) -> tuple[str, ...]:
    """The allowed words, in every spelling that Keras accepts."""
    if argument.name != "padding":
        return argument.choices
    return (*argument.choices, *(choice.upper() for choice in argument.choices))


def may_be_null(argument: Argument) -> bool:
    """Whether `null` is a valid value."""
    if argument.required:
        return False
    typed = argument.kind is None and argument.types
    return not typed or argument.default is None or "null" in argument.types


def expected_value(kind: str, entry: Entry, argument: Argument, value: object) -> str | None:
    """The expected type or range, if the value is certainly wrong."""
    json_type, own = _json_type(value), code.is_own(entry.name)
    number = value if isinstance(value, (int, float)) and json_type != "boolean" else None
    if entry.name == "Embedding" and argument.name == "input_dim" and value == AUTO:
        return None
    if kind == "layers" and argument.required and argument.name in COUNTS and not own:
        if json_type != "integer" or number is None or number <= 0:
            return "a whole number above 0"
        return None if number <= LARGEST else f"at most {LARGEST:,}"
    if entry.name in DROPPING and argument.name == "rate":
        valid = number is not None and 0 <= number <= 1
        return None if valid else "a number from 0 to 1"
    if argument.name in MIXED:
        return None
    if kind == "callbacks" and argument.name == "monitor":
        return None if isinstance(value, str) else "a word"
    if kind in NAMED and argument.name == "name" and not argument.choices:
        valid = isinstance(value, str) and re.fullmatch(NAME, value) is not None
        rule = "1 to 100 letters, digits, '_', '-' or '.', a letter or digit first"
        return None if valid else rule
    if argument.choices and isinstance(value, str):
        return None if value in choices(argument) else join_words(argument.choices, "or")
    types = argument.types
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER and "number" not in types:
        return f"a whole number of at most {LARGEST_INTEGER:,}"
    allowed = not types or json_type in types or (json_type == "integer" and "number" in types)
    is_nan = isinstance(value, float) and math.isnan(value)
    return None if allowed and not (is_nan and types) else _describe_types(argument)


def _json_type(value: object) -> str:
    types = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return "null" if value is None else types.get(type(value), "object")


def _describe_types(argument: Argument) -> str:
    words = {**TYPES, "string": ", ".join(argument.choices) or TYPES["string"]}
    if "number" in argument.types:
        del words["integer"]
    return join_words([words[name] for name in words if name in argument.types], "or")


def check(spec: Mapping[str, object]) -> Problems:
    """Checks the components of a spec whose short forms are expanded."""
    yield from _check_dataset(spec.get("dataset"))
    yield from _check_list("layers", spec.get("model"), ("model",))
    if (layers := component.count_layers(spec.get("model"))) > component.MOST_LAYERS:
        most = f"and nnrun builds at most {component.MOST_LAYERS:,}"
        yield Problem("NN124", ("model",), f"has {layers:,} layers with all repeats, {most}")
    training = spec.get("training")
    if not isinstance(training, dict):
        return
    for key, kind in catalogue.KINDS.items():
        if key in training and key != "model":
            check_value = _check_list if key == kind else check_component
            yield from check_value(kind, training[key], ("training", key))
    stages = training.get("stages")
    for number, stage in enumerate(stages if isinstance(stages, list) else ()):
        if isinstance(stage, dict) and stage.get("optimizer") is not None:
            path = ("training", "stages", number, "optimizer")
            yield from check_component("optimizers", stage["optimizer"], path)


def _check_dataset(given: object) -> Problems:
    """Checks the name and the arguments of a data set of the user's code."""
    if isinstance(given, dict):
        yield from _check_steps(given.get("prepare"), ("dataset", "prepare"))
        inputs = given.get("inputs")
        for key, part in inputs.items() if isinstance(inputs, dict) else ():
            steps = part.get("prepare") if isinstance(part, dict) else None
            yield from _check_steps(steps, ("dataset", "inputs", key, "prepare"))
    name = given.get("name") if isinstance(given, dict) else given
    if not isinstance(name, str) or not catalogue.of_own_module(name):
        return
    if problem := _own_problem(signatures.DATASETS, name, None):
        yield Problem("NN109", ("dataset", "name"), *problem)
        return
    every = given if isinstance(given, dict) else {}
    arguments = {key: value for key, value in every.items() if key not in ("name", "prepare")}
    entry = catalogue.described(signatures.DATASETS, name)
    yield from _check_arguments(signatures.DATASETS, entry, arguments, ("dataset",))


def _check_steps(steps: object, path: KeyPath) -> Problems:
    """Checks the names and arguments of steps of the user's code."""
    kind = signatures.STEPS
    for index, step in enumerate(steps if isinstance(steps, list) else ()):
        name, arguments = next(iter(step.items())) if isinstance(step, dict) and step else ("", {})
        if not catalogue.of_own_module(name):
            continue
        at = (*path, index, name)
        if problem := _own_problem(kind, name, None):
            yield Problem("NN118", (*path, index), *problem, at=at, key=True)
        elif isinstance(arguments, dict):
            yield from _check_arguments(kind, catalogue.described(kind, name), arguments, at)
        else:
            yield Problem("NN112", at, f"{name} takes no argument, got {quote(arguments)}")


def _check_list(kind: str, values: object, path: KeyPath) -> Problems:
    previous: object = None
    for index, value in enumerate(values if isinstance(values, list) else ()):
        at = (*path, index)
        if problem := _misplaced_argument(kind, previous, value, at):
            yield problem
        else:
            yield from check_component(kind, value, at)
            previous = value


def _misplaced_argument(
    kind: str, previous: object, value: object, path: KeyPath
) -> Problem | None:
    if not isinstance(value, dict) or len(value) != 1 or not isinstance(previous, dict):
        return None
    [key], [name] = value, list(previous)[-1:] or [""]
    if catalogue.is_known(kind, key) or key not in catalogue.arguments(kind, name):
        return None
    message = f"is an argument of {name} above; write '{suggest.inline_component(name, value)}'"
    return Problem("NN115", path, message, at=(*path, key), key=True)


def check_component(kind: str, value: object, path: KeyPath) -> Problems:
    """Checks one component."""
    match value:
        case str(name) if name and (kind != "sources" or catalogue.is_known(kind, name)):
            yield from _check_named(kind, name, {}, path, path)
        case dict() if len(value) == 1:
            [(name, arguments)] = value.items()
            yield from _check_named(kind, name, arguments, path, (*path, name))
        case _:
            noun, example = _KINDS[kind]
            message = f"must be {with_article(noun)} such as {example}, got {quote(value)}"
            if isinstance(value, dict):
                never = f"{message}; {NEVER_CODE}" if _CONFIGURATION & value.keys() else message
                message = suggest.advice(noun, value, partial(catalogue.is_known, kind)) or never
            yield Problem("NN115", path, message)


def _check_named(kind: str, name: str, arguments: object, path: KeyPath, at: KeyPath) -> Problems:
    entry = catalogue.entry(kind, name) or Entry(name, "", {}, {})
    if problem := _own_problem(kind, name, arguments):
        yield Problem(codes.UNKNOWN.get(kind, "NN117"), path, *problem, at=at, key=at != path)
    elif not catalogue.is_known(kind, name):
        yield _unknown_name(kind, name, path, at)
    elif kind == "activations" and at != path:
        message = "must be a word such as 'relu'; for arguments use a layer such as LeakyReLU"
        yield Problem("NN115", path, message)
    elif isinstance(arguments, dict):
        yield from _check_arguments(kind, entry, arguments, at)
    elif isinstance(arguments, list) and suggest.arguments_as_list(arguments, entry.accepted):
        merged = {key: value for item in arguments for key, value in item.items()}
        given = suggest.inline_component(name, merged)
        message = f"must have its arguments in a mapping, not in a list: write '{given}'"
        yield Problem("NN115", at, message)
    else:
        yield Problem("NN112", at, f"{name} takes no argument, got {quote(arguments)}")


def _own_problem(kind: str, name: str, arguments: object) -> tuple[str, str | None] | None:
    """Why a name cannot be of the user's code, and a suggestion; None if it can, or has no dot."""
    own = catalogue.own_names()
    module, _, rest = name.partition(".")
    noun = with_article(_OWN_NOUNS[kind])
    if name in own:
        if not own[name].may_be(kind):
            return f"{name} is not {noun}; {_expected_base(kind, own[name])}", None
        if own[name].is_function and arguments and catalogue.is_kind(kind):
            base = f"a subclass of keras.{_BASES[kind]}" if kind in _BASES else "a layer"
            return f"{name} is a function, and takes no arguments here; make it {base}", None
        return None
    same = [other for other in own if other.startswith(f"{module}.")]
    if same:
        fitting = [other for other in same if own[other].may_be(kind)]
        message = f"{module}.py has no {_OWN_NOUNS[kind]} {quote(rest)}"
        suggestion = suggest.nearest(name, fitting)
        if not suggestion and fitting:
            message += f"; there are {suggest.list_choices(name, fitting, f'{module}.py')}"
        return message, suggestion
    if re.fullmatch(r"[^\W\d]\w*\.[^\W\d]\w*", name) and not catalogue.is_known(kind, rest):
        message = f"unknown {_OWN_NOUNS[kind]} {quote(name)}; {NEVER_CODE}"
        return f"{message}: for your own {module}.py write 'code: [{module}.py]'", None
    return None


def _expected_base(kind: str, own: catalogue.OwnName) -> str:
    if kind == signatures.DATASETS:
        return "a data set is a function"
    if kind == signatures.STEPS:
        return "a prepare step is a class with a method apply"
    noun, count = with_article(NOUNS[kind]), signatures.CALLED.get(kind)
    ways = [f"a subclass of keras.{_BASES[kind]}"] if kind in _BASES else []
    if count and (own.is_function or not ways):
        ways.append(f"a function that is called with {count} argument{'s' if count > 1 else ''}")
    return f"{noun} is {' or '.join(ways)}"


def _unknown_name(kind: str, name: str, path: KeyPath, at: KeyPath) -> Problem:
    code, key = codes.UNKNOWN.get(kind, "NN117"), at != path
    if name in ABSENT:
        return Problem(code, path, ABSENT[name], at=at, key=key)
    message = f"unknown {NOUNS[kind]} {quote(name)}"
    if kind == "layers" and name in language.key_names(("training",)):
        message += "; it belongs under training"
        return Problem(code, path, message, at=at, key=key, meant=(("training", name),))

    def first_argument(word: str) -> str | None:
        entry = catalogue.entry(kind, word)
        return entry.first if entry else None

    names = catalogue.names(kind)
    call = suggest.rewrite_call(name, partial(catalogue.is_known, kind), first_argument)
    suggestion = call or suggest.nearest(name, names)
    if not suggestion:
        canonical = [word for word in names if catalogue.canonical_name(kind, word) == word]
        message += f"; there are {suggest.list_choices(name, canonical, kind)}"
        if name in _CONFIGURATION or not name.isidentifier() or name[:2] == "__":
            message += f"; {NEVER_CODE}"
    return Problem(code, path, message, suggestion, at=at, key=key)


def _check_arguments(kind: str, entry: Entry, given: dict[str, object], path: KeyPath) -> Problems:
    accepted = entry.accepted
    for key, value in given.items():
        if key in accepted:
            yield from _check_value(kind, entry, accepted[key], value, (*path, key))
        elif not entry.is_open:
            yield _unknown_argument(entry, key, path)
    needed = _ADAPTED.get(entry.name, ()) if kind == "layers" else ()
    if absent := [quote(name) for name in needed if given.get(name) is None]:
        message = (
            f"{entry.name} is not fitted to the data here and needs {join_words(absent, 'and')}; "
            "use a step of dataset.prepare, such as standardize"
        )
        yield Problem("NN113", path, message, key=True)
    for steps, epochs in catalogue.EPOCHS.items() if kind == "schedules" else ():
        if {steps, epochs} <= given.keys():
            message = f"is {steps} in epochs; leave one of them"
            yield Problem("NN112", (*path, epochs), message, key=True)
    given_too = {steps for steps, epochs in catalogue.EPOCHS.items() if epochs in given}
    found = given.keys() | (given_too if kind == "schedules" else set())
    missing = [quote(k) for k, a in accepted.items() if a.required and k not in found]
    if missing and given.keys() <= accepted.keys():
        plural = "s" if len(missing) > 1 else ""
        message = f"{entry.name} needs the argument{plural} {join_words(missing, 'and')}"
        yield Problem("NN113", path, message, key=True)


def _unknown_argument(entry: Entry, key: str, path: KeyPath) -> Problem:
    accepted = entry.accepted
    message = f"{entry.name} has no argument {quote(key)}"
    suggestion = None
    if key in _SHAPES:
        message += "; the input shape comes from the data"
    elif not accepted:
        message = f"{entry.name} takes no arguments, got {quote(key)}"
    else:
        suggestion = suggest.rewrite_assignment(key, accepted) or suggest.nearest(key, accepted)
        if suggestion is None:
            names = list(entry.arguments or accepted)
            message += f"; it takes {suggest.list_choices(key, names, entry.name)}"
    return Problem("NN112", (*path, key), message, suggestion, key=True)


def _check_value(
    kind: str, entry: Entry, argument: Argument, value: object, path: KeyPath
) -> Problems:
    if value is None and may_be_null(argument):
        return
    if _has_configuration(value) and argument.kind is None:
        message = f"must be a plain value, got the configuration of an object; {NEVER_CODE}"
        yield Problem("NN114", path, message)
    elif argument.name in READ and not isinstance(value, list):
        message = f"must be a list of words, got {quote(value)}; files are not read"
        yield Problem("NN114", path, message)
    elif argument.kind is None:
        yield from _check_plain(kind, entry, argument, value, path)
    elif argument.kind in ("file", "path"):
        yield from _check_file_name(value, path, is_written=argument.kind == "file")
    elif argument.kind == "schedules":
        yield from _check_schedule(argument, value, path)
    elif argument.kind == "layers" and isinstance(value, list):
        yield from _check_list("layers", value, path)
    elif argument.kind == STACKS:
        yield from _check_stacks(value, path)
    elif argument.kind == NAMED_STACKS:
        yield from _check_named_stacks(value, path)
    else:
        yield from check_component(argument.kind, value, path)


def _check_plain(
    kind: str, entry: Entry, argument: Argument, value: object, path: KeyPath
) -> Problems:
    expected = expected_value(kind, entry, argument, value)
    if not expected:
        return
    message = f"must be {expected}, got {quote(value)}"
    suggestion = None
    if isinstance(value, str):
        if not expected_value(kind, entry, argument, scalar(value)):
            message += "; leave out the quotes"
        suggestion = suggest.as_list(value) if "array" in argument.types else None
        suggestion = suggestion or suggest.nearest(value, argument.choices)
        likely = suggest.suggest_value(value, expected)
        if likely and not expected_value(kind, entry, argument, scalar(likely)):
            suggestion = likely
    yield Problem("NN114", path, message, suggestion)


def _check_file_name(value: object, path: KeyPath, *, is_written: bool) -> Problems:
    if not isinstance(value, str) or not value:
        yield Problem("NN114", path, f"must be a file name, got {quote(value)}")
    if not is_written or not isinstance(value, str) or not value:
        return
    windows = PureWindowsPath(value)
    outside = PurePosixPath(value).is_absolute() or windows.drive or windows.root
    if outside or ".." in windows.parts or value.startswith("~") or "://" in value:
        message = f"must be a path inside the run folder, got {quote(value)}"
        yield Problem("NN116", path, message)
    elif set(_FIELDS.sub("", value)) & set("{}"):
        message = f"may contain only fields such as {{epoch:02d}}, got {quote(value)}"
        yield Problem("NN116", path, message)


def _check_schedule(argument: Argument, value: object, path: KeyPath) -> Problems:
    example, number = _KINDS["schedules"][1], suggest.NUMBER
    valid = _json_type(value) in ("integer", "number") and value == value  # noqa: PLR0124 - NaN
    if isinstance(value, dict) or (isinstance(value, str) and code.is_own(value)):
        yield from check_component("schedules", value, path)
    elif argument.required:
        message = f"must be a schedule such as {example}, got {quote(value)}"
        yield Problem("NN115", path, message)
    elif not valid:
        message = f"must be a number or a schedule such as {example}, got {quote(value)}"
        message += suggest.hint(value, number)
        yield Problem("NN114", path, message, suggest.suggest_value(value, number))


def _check_stacks(value: object, path: KeyPath) -> Problems:
    if not isinstance(value, list) or len(value) < 2:
        got = "one" if isinstance(value, list) and value else quote(value)
        message = f"must be a list of two stacks of layers or more, got {got}"
        yield Problem("NN114", path, message)
        return
    for index, stack in enumerate(value):
        yield from _check_stack(stack, (*path, index))


def _check_named_stacks(value: object, path: KeyPath) -> Problems:
    if not isinstance(value, dict) or not value:
        message = f"must be a mapping from each input to its layers, got {quote(value)}"
        yield Problem("NN114", path, message)
        return
    for name, stack in value.items():
        yield from _check_stack(stack, (*path, name))


def _check_stack(stack: object, path: KeyPath) -> Problems:
    check_stack = _check_list if isinstance(stack, list) else check_component
    yield from check_stack("layers", stack, path)


def _has_configuration(value: object) -> bool:
    """Whether a value contains a mapping from which Keras would create an object."""
    if isinstance(value, dict):
        return bool(_CONFIGURATION & value.keys()) or any(map(_has_configuration, value.values()))
    return isinstance(value, list) and any(map(_has_configuration, value))
