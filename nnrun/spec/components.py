"""Checks every Keras name in a spec, and its arguments, against the catalogue.

Only what is sure to be wrong is a fault; Keras has the last word when the model is built.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from nnrun.spec import catalogue, codes, composites, language, nesting, slips, written_files
from nnrun.spec.arguments import READ, expected, may_be_null
from nnrun.spec.catalogue import Argument, Entry
from nnrun.spec.finding import Finding
from nnrun.spec.scalars import scalar
from nnrun.spec.suggest import nearest
from nnrun.spec.tree import Path
from nnrun.spec.words import article, listed, offered, shown

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
# What Keras has and a spec has not.
ABSENT = {
    "Input": "there is no Input layer here: the data says what comes in",
    "InputLayer": "there is no Input layer here: the data says what comes in",
    "Sequential": "the model is one list of layers already; put them into it one by one",
    **{
        name: f"{name} runs Python code, and a spec never does"
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
# By these keys Keras finds and makes any object, where it takes a mapping for one.
CONFIGURED = frozenset(("class_name", "registered_name", "module", "custom_objects"))
NEVER_CODE = "a spec names what Keras has, and never runs code"
# What a first layer is told in Keras, and in a spec by nobody.
SHAPES = frozenset(("input_shape", "batch_input_shape", "batch_shape"))
# Layers that Keras fits by `adapt`, outside training, and what they can be told instead.
ADAPTED = {
    "Normalization": ("mean", "variance"),
    "Discretization": ("bin_boundaries",),
    "IntegerLookup": ("vocabulary",),
    "StringLookup": ("vocabulary",),
    "TextVectorization": ("vocabulary",),
}


def check(spec: dict[str, Any]) -> Iterator[Finding]:
    """What is wrong with the components of a spec whose short forms are written out."""
    yield from _each("layers", spec.get("model"), ("model",))
    training = spec.get("training")
    if not isinstance(training, dict):
        return
    for key, kind in (("optimizer", "optimizers"), ("loss", "losses")):
        if key in training:
            yield from component(kind, training[key], ("training", key))
    for kind in ("metrics", "callbacks"):
        yield from _each(kind, training.get(kind), ("training", kind))


def _each(kind: str, values: Any, path: Path) -> Iterator[Finding]:
    above: Any = None
    for index, value in enumerate(values if isinstance(values, list) else ()):
        at = (*path, index)
        if beside := _beside(kind, above, value, at):
            yield from beside
        else:
            yield from component(kind, value, at)
            above = value


def _beside(kind: str, above: Any, value: Any, path: Path) -> list[Finding]:
    """An argument that stands beside the component above it, as an item of its own."""
    if not isinstance(value, dict) or len(value) != 1 or not isinstance(above, dict):
        return []
    [key], [name] = value, list(above)[-1:] or [""]
    if catalogue.knows(kind, key) or key not in catalogue.arguments(kind, name):
        return []
    message = f"is an argument of {name} above; write '{nesting.written(name, value)}'"
    return [Finding("NN115", path, message, at=(*path, key), key=True)]


def component(kind: str, value: Any, path: Path) -> Iterator[Finding]:
    """What is wrong with one component."""
    match value:
        case str(name) if name:
            yield from _named(kind, name, {}, path, path)
        case dict() if len(value) == 1:
            [(name, arguments)] = value.items()
            yield from _named(kind, name, arguments, path, (*path, name))
        case _:
            noun = NOUNS[kind]
            message = f"must be {article(noun)} such as {EXAMPLES[kind]}, got {shown(value)}"
            if isinstance(value, dict):
                known = partial(catalogue.knows, kind)
                own = f"{message}; {NEVER_CODE}" if CONFIGURED & value.keys() else message
                message = nesting.advice(noun, value, known) or own
            yield Finding("NN115", path, message)


def _named(kind: str, name: str, arguments: Any, path: Path, at: Path) -> Iterator[Finding]:
    if not catalogue.knows(kind, name):
        yield _unknown(kind, name, at, key=at != path, path=path)
        return
    if kind == "activations" and at != path:
        message = "must be a word such as 'relu'; one with arguments is a layer, such as LeakyReLU"
        yield Finding("NN115", path, message)
        return
    entry = catalogue.entry(kind, name) or Entry(name, "", {}, {})
    if isinstance(arguments, dict):
        yield from _arguments(kind, entry, arguments, at)
    elif nesting.arguments_as_list(arguments, entry.accepted):
        given = nesting.written(name, {key: v for each in arguments for key, v in each.items()})
        message = f"must have its arguments in a mapping, not in a list: write '{given}'"
        yield Finding("NN115", at, message)
    else:
        yield Finding("NN112", at, f"{name} takes no argument, got {shown(arguments)}")


def _unknown(kind: str, name: str, at: Path, *, key: bool, path: Path) -> Finding:
    code = codes.UNKNOWN.get(kind, "NN117")
    message = f"unknown {NOUNS[kind]} {shown(name)}"
    suggestion = None
    if name in ABSENT:
        message = ABSENT[name]
    elif kind == "layers" and name in language.keys(("training",)):
        message += "; it belongs under training"
        return Finding(code, path, message, at=at, key=key, meant=(("training", name),))
    else:
        names = catalogue.names(kind)
        known = partial(catalogue.knows, kind)
        suggestion = nesting.called(name, known, partial(_first, kind)) or nearest(name, names)
        own = [each for each in names if catalogue.meaning(kind, each) == each]
        message += "" if suggestion else f"; there are {offered(name, own, kind)}"
        if not suggestion and (name in CONFIGURED or not name.isidentifier() or name[:2] == "__"):
            message += f"; {NEVER_CODE}"
    return Finding(code, path, message, suggestion, at=at, key=key)


def _first(kind: str, name: str) -> str | None:
    entry = catalogue.entry(kind, name)
    return entry.first if entry else None


def _arguments(kind: str, entry: Entry, given: dict[str, Any], path: Path) -> Iterator[Finding]:
    accepted = entry.accepted
    for key, value in given.items():
        if key in accepted:
            yield from _value(kind, entry, accepted[key], value, (*path, key))
        else:
            yield _unknown_argument(entry, key, path)
    missing = [shown(k) for k, a in accepted.items() if a.required and k not in given]
    if kind == "layers" and (needed := ADAPTED.get(entry.name)):
        yield from _adapted(entry, needed, given, path)
    if missing and not any(key not in accepted for key in given):
        plural = "s" if len(missing) > 1 else ""
        message = f"{entry.name} needs the argument{plural} {listed(missing, 'and')}"
        yield Finding("NN113", path, message, key=True)


def _adapted(
    entry: Entry, needed: tuple[str, ...], given: dict[str, Any], path: Path
) -> Iterator[Finding]:
    """Such a layer does nothing, or fails, until it has seen the data or is told what it holds."""
    absent = [shown(name) for name in needed if given.get(name) is None]
    if absent:
        message = (
            f"{entry.name} is not fitted to the data here and needs {listed(absent, 'and')}; "
            "a step of dataset.prepare, such as standardize, is fitted on the training rows"
        )
        yield Finding("NN113", path, message, key=True)


def _unknown_argument(entry: Entry, key: str, path: Path) -> Finding:
    accepted = entry.accepted
    message = f"{entry.name} has no argument {shown(key)}"
    if key in SHAPES:
        message += "; the data says what comes in"
        return Finding("NN112", (*path, key), message, key=True)
    suggestion = nesting.assigned(key, accepted) or nearest(key, accepted)
    if not accepted:
        message = f"{entry.name} takes no arguments, got {shown(key)}"
    elif suggestion is None:
        message += f"; it takes {offered(key, list(entry.arguments or accepted), entry.name)}"
    return Finding("NN112", (*path, key), message, suggestion, key=True)


def _value(
    kind: str, entry: Entry, argument: Argument, value: Any, path: Path
) -> Iterator[Finding]:
    if value is None and may_be_null(argument):
        return
    if _is_configured(value) and argument.kind is None:
        yield Finding("NN114", path, f"must be a plain value, got the making of one; {NEVER_CODE}")
    elif argument.name in READ and not isinstance(value, list):
        message = f"must be a list of words, got {shown(value)}; no file is read for it"
        yield Finding("NN114", path, message)
    elif argument.kind == "file":
        yield from written_files.check(value, path)
    elif argument.kind == "schedules":
        yield from _schedule(argument, value, path)
    elif argument.kind == "layers" and isinstance(value, list):
        yield from _each("layers", value, path)
    elif argument.kind == composites.STACKS:
        yield from _stacks(value, path)
    elif argument.kind is not None:
        yield from component(argument.kind, value, path)
    elif wanted := expected(kind, entry, argument, value):
        message = f"must be {wanted}, got {shown(value)}"
        if not isinstance(value, str):
            yield Finding("NN114", path, message)
            return
        if not expected(kind, entry, argument, scalar(value)):
            message += "; leave out the quotes"
        meant = nearest(value, argument.choices) or slips.suggestion(value, wanted)
        listed_so = slips.as_list(value) if "array" in argument.types else None
        yield Finding("NN114", path, message, listed_so or meant)


def _stacks(value: Any, path: Path) -> Iterator[Finding]:
    if not isinstance(value, list) or len(value) < 2:
        got = "one" if isinstance(value, list) and value else shown(value)
        message = f"must be a list of two stacks of layers or more, got {got}"
        yield Finding("NN114", path, message)
        return
    for index, each in enumerate(value):
        at = (*path, index)
        of_one = component("layers", each, at)
        yield from _each("layers", each, at) if isinstance(each, list) else of_one


def _is_configured(value: Any) -> bool:
    """Whether there is a mapping in it that Keras would make an object of."""
    match value:
        case dict():
            return bool(CONFIGURED & value.keys()) or any(map(_is_configured, value.values()))
        case list():
            return any(map(_is_configured, value))
    return False


def _schedule(argument: Argument, value: Any, path: Path) -> Iterator[Finding]:
    if isinstance(value, dict):
        yield from component("schedules", value, path)
    elif argument.required:
        message = f"must be a schedule such as {EXAMPLES['schedules']}, got {shown(value)}"
        yield Finding("NN115", path, message)
    elif isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:  # noqa: PLR0124 - NaN
        example = EXAMPLES["schedules"]
        message = f"must be a number or a schedule such as {example}, got {shown(value)}"
        message += slips.hint(value, slips.NUMBER)
        yield Finding("NN114", path, message, slips.suggestion(value, slips.NUMBER))
