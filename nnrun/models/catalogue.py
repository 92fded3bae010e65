"""Lists the names and arguments of the installed Keras, so that a spec is checked without it.

`python -m nnrun.models.catalogue > nnrun/spec/catalogue.json` updates the shipped file.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import math
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType

import keras

from nnrun.spec.signatures import argument_docs, argument_kind, first_sentence, short

# Keras documents an argument as `units: Positive integer, dimensionality of the output space.`
# Its types and choices come from the first words; if they are ambiguous, none are listed.
TYPE_CHARACTERS = 160  # of a description, in which types are searched

_TYPES = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "integer": r"\b(?:integers?|ints?)\b",
        "number": r"\bfloats?\b|\bfloating.point\b|\bscalar\b",
        "boolean": r"\b(?:bool|boolean)\b|^\W*whether\b|(?:\bor|,)\s+`?(?:True|False)\b",
        "string": r"\b(?:[Ss]tring|str)\b",
        "array": r"\b(?:tuples?|lists?)\b",
        "object": r"\bdict(?:ionary)?\b",
        "null": r"\bNone\b",
    }.items()
}
# Python objects without one obvious form in YAML.
_AMBIGUOUS = re.compile(
    r"\b(?:tensors?|arrays?|matrix|callable|functions?|instances?|object|objects|policy)\b",
    re.IGNORECASE,
)
_CHOICES = re.compile(
    r"(?:one of|either|values can be|options are|acceptable values are)[:\s]*"
    r"((?:[\s,{}`()]|or\b|and\b|None\b|default\b|\"[\w]*\"|'[\w]*')+)",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"[\"'](\w+)[\"']")

# Base classes, functions, other frameworks, layers with code, and components that nnrun sets itself.
LEFT_OUT = {
    "layers": "Layer Wrapper Lambda Input InputLayer InputSpec FlaxLayer JaxLayer TFSMLayer "
    "TorchModuleWrapper",
    "optimizers": "Optimizer MultiOptimizer OptimizerMap",
    "losses": "Loss",
    "metrics": "Metric MeanMetricWrapper",
    "callbacks": "Callback CallbackList History LambdaCallback ProgbarLogger",
    "initializers": "Initializer",
    "regularizers": "Regularizer",
    "constraints": "Constraint",
    "schedules": "LearningRateSchedule",
}
# Aliases that do not follow from the spelling of a name.
_SHORTHANDS = (
    "acc accuracy ce crossentropy bce BCE kld KLD mse MSE mae MAE mape MAPE msle MSLE normal uniform "
    "zero one l1_l2 swish hard_swish"
)
# `Model.compile` resolves these by the labels.
_RESOLVED_BY_LABELS = ("acc", "accuracy")


def catalogue() -> dict[str, object]:
    """Every public name of Keras that a spec may contain, with its arguments."""
    classes = {kind: dict(_classes(kind)) for kind in LEFT_OUT}
    entries = {
        kind: {name: _entry(kind, cls) for name, cls in classes[kind].items()} for kind in classes
    }
    entries["activations"] = {
        name: {"doc": first_sentence(function.__doc__), "arguments": {}}
        for name, function in sorted(vars(keras.activations).items())
        if inspect.isfunction(function) and name not in ("get", "serialize", "deserialize")
    }
    aliases = {kind: dict(_aliases(kind, classes.get(kind, {}))) for kind in entries}
    return {"keras": keras.__version__, **entries, "aliases": aliases}


def _module(kind: str) -> ModuleType:
    module: ModuleType = getattr(keras.optimizers if kind == "schedules" else keras, kind)
    return module


def _classes(kind: str) -> Iterator[tuple[str, type]]:
    for name, value in sorted(vars(_module(kind)).items()):
        # Classes with names in lower case are aliases.
        if inspect.isclass(value) and name[0].isupper() and name not in LEFT_OUT[kind].split():
            yield name, value


def _entry(kind: str, cls: type) -> dict[str, object]:
    own, inherited = _parameters(cls)
    descriptions = _descriptions(cls.__mro__)

    def arguments(parameters: list[inspect.Parameter]) -> dict[str, object]:
        return {p.name: _argument(kind, p, descriptions.get(p.name, "")) for p in parameters}

    entry: dict[str, object] = {"doc": first_sentence(cls.__doc__), "arguments": arguments(own)}
    return {**entry, "inherited": arguments(inherited)} if inherited else entry


def _argument(kind: str, parameter: inspect.Parameter, description: str) -> dict[str, object]:
    argument: dict[str, object] = {}
    if parameter.default is not inspect.Parameter.empty:
        argument["default"] = _as_json(parameter.default)
    if description:
        argument["doc"] = short(description)
    if component_kind := argument_kind(kind, parameter.name):
        return {**argument, "kind": component_kind}
    choices = _documented_choices(description, parameter.default)
    if types := _documented_types(description, parameter.default, choices):
        argument["types"] = types
    return {**argument, "choices": choices} if choices else argument


def _as_json(value: object) -> object:
    """A default value for JSON; objects of Python as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [_as_json(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)


def _descriptions(classes: Sequence[type]) -> dict[str, str]:
    """The description of each argument, from the first class that has one."""
    descriptions: dict[str, str] = {}
    for cls in classes:
        for name, description in argument_docs(cls.__doc__):
            descriptions.setdefault(name, description)
    return descriptions


def _documented_types(description: str, default: object, choices: Sequence[str]) -> list[str]:
    """JSON types of an argument, such as "Optional tuple of floats"; empty if they are not certain."""
    text = _QUOTED.sub("", description[:TYPE_CHARACTERS])
    names = {bool: "boolean", int: "integer", float: "number", str: "string", tuple: "array"}
    json_type = "null" if default is None else names.get(type(default))
    if _AMBIGUOUS.search(text):
        return [json_type] if json_type in ("boolean", "number") else []
    types = {name for name, pattern in _TYPES.items() if pattern.search(text)}
    if json_type == "integer" and not types:
        json_type = "number"  # with the default 0, a float may be valid, too
    if json_type in ("boolean", "number") or (json_type and types - {"null"}) or choices:
        types |= {json_type or "string"}
    return [name for name in _TYPES if name in types] if types - {"null"} else []


def _documented_choices(description: str, default: object) -> list[str]:
    """The words that an argument accepts; empty if they are not listed."""
    match = _CHOICES.search(description)
    words = list(dict.fromkeys(_QUOTED.findall(match[1]))) if match else []
    fits = not isinstance(default, str) or default in words
    return words if len(words) > 1 and fits else []


def _parameters(cls: type) -> tuple[list[inspect.Parameter], list[inspect.Parameter]]:
    """The arguments of a class, and those that it passes on to its base classes."""
    chain = [base for base in cls.__mro__ if "__init__" in vars(base) and base is not object]
    own = _signature(chain[0]) if chain else []
    inherited: list[inspect.Parameter] = []
    names = {p.name for p in own}
    for base, parent in itertools.pairwise(chain):
        call = _super_call(base)
        # Without `**kwargs` in the call, arguments do not get to the parent.
        if call is None or all(keyword.arg for keyword in call.keywords):
            break
        parameters = _signature(parent)
        passed = {keyword.arg for keyword in call.keywords} | {
            p.name for p in parameters[: len(call.args)]
        }
        inherited += [p for p in parameters if p.name not in names | passed]
        names |= {p.name for p in parameters}
    return own, inherited


def _signature(cls: type) -> list[inspect.Parameter]:
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    parameters = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
    return [p for p in parameters if p.name != "self" and p.kind not in kinds]


def _super_call(cls: type) -> ast.Call | None:
    source = textwrap.dedent(inspect.getsource(cls.__init__))  # type: ignore[misc]
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return next((call for call in calls if ast.unparse(call.func) == "super().__init__"), None)


def _aliases(kind: str, classes: dict[str, type]) -> Iterator[tuple[str, str | None]]:
    """Every other word that Keras accepts, with the name; None if it depends on the labels."""
    get = getattr(_module(kind), "get", None)
    public = {name for name in vars(_module(kind)) if not name.startswith("_")}
    words = public | {_snake_case(name) for name in public} | {name.lower() for name in public}
    for word in sorted(words | {*_SHORTHANDS.split()}):
        if kind == "metrics" and word in _RESOLVED_BY_LABELS:
            yield word, None
        elif get and word not in classes:
            name = _resolve(get, word, {cls: name for name, cls in reversed(classes.items())})
            if name and name != word:
                yield word, name


def _resolve(get: Callable[[str], object], word: str, names: dict[type, str]) -> str | None:
    """The name that a word stands for in Keras."""
    try:
        component = get(word)
    except (LookupError, TypeError, ValueError):  # unknown, or a class that needs arguments
        return None
    cls = component if isinstance(component, type) else type(component)
    if cls in names:
        return names[cls]
    function: str = getattr(component, "__name__", "")
    if not names:
        return function if callable(component) else None
    return next((n for n in names.values() if _snake_case(n) == _snake_case(function)), None)


def _snake_case(name: str) -> str:
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


def text() -> str:
    """The catalogue as shipped: JSON, one line per name."""
    version, *sections = catalogue().items()
    lines = [f'{{\n"keras": {json.dumps(version[1])}']
    for kind, entries in sections:
        assert isinstance(entries, dict)
        rows = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in entries.items()]
        lines.append(f'"{kind}": {{\n' + ",\n".join(rows) + "\n}")
    return ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    print(text(), end="")
