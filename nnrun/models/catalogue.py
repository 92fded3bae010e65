"""Writes down what the installed Keras offers, so that a spec is checked without Keras.

`python -m nnrun.models.catalogue > nnrun/spec/catalogue.json` renews the shipped file.
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
from typing import Any

import keras

# What the docstring of a Keras class says of its arguments: a sentence, types, choices.
#
# Keras documents an argument as `units: Positive integer, dimensionality of the output space.`; the
# words before the first full stop say what it may be. Where they leave a doubt, nothing is concluded.

LONGEST = 200  # characters of a sentence that is shown in an editor
SAID = 160  # characters of a description in which types are looked for

_SECTION = re.compile(r"^(?:Args|Arguments):\n((?:[ \t]+.*\n|\s*\n)*)", re.MULTILINE)
_ARGUMENT = re.compile(r"\s*\*{0,2}(\w+)(?:, \w+)*\s*(?:\([^)]*\))?\s*:\s*(.*)", re.DOTALL)
_WORDS = {
    "integer": r"\b(?:integers?|ints?)\b",
    "number": r"\bfloats?\b|\bfloating.point\b|\bscalar\b",
    "boolean": r"\b(?:bool|boolean)\b|^\W*whether\b|(?:\bor|,)\s+`?(?:True|False)\b",
    "string": r"\b(?:[Ss]tring|str)\b",
    "array": r"\b(?:tuples?|lists?)\b",
    "object": r"\bdict(?:ionary)?\b",
    "null": r"\bNone\b",
}
_TYPES = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _WORDS.items()}
# What YAML cannot hold as it is, so that its form is anybody's guess.
_DOUBT = re.compile(
    r"\b(?:tensors?|arrays?|matrix|callable|functions?|instances?|object|objects|policy)\b",
    re.IGNORECASE,
)
_CHOICES = re.compile(
    r"(?:one of|either|values can be|options are|acceptable values are)[:\s]*"
    r"((?:[\s,{}`()]|or\b|and\b|None\b|default\b|\"[\w]*\"|'[\w]*')+)",
    re.IGNORECASE,
)
# Where a sentence ends: not behind an abbreviation.
_END = re.compile(r"(?<=[.;])(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\betc\.)(?<!\bal\.)\s|\s- ")
_QUOTED = re.compile(r"[\"'](\w+)[\"']")


def descriptions(classes: Sequence[type]) -> dict[str, str]:
    """What is said of each argument, by the first of some classes that says something."""
    found: dict[str, str] = {}
    for cls in classes:
        section = _SECTION.search(inspect.cleandoc(cls.__doc__ or "") + "\n")
        indented = inspect.cleandoc(section[1]) if section else ""
        for part in re.split(r"\n(?=\S)", indented):
            if described := _ARGUMENT.match(part):
                found.setdefault(described[1], " ".join(described[2].split()))
    return found


def sentence(text: str) -> str:
    """The first sentence, cut where it is long."""
    first = _END.split(text, maxsplit=1)[0].strip()
    return first if len(first) <= LONGEST else f"{first[: LONGEST - 1].rstrip()}…"


def opening(doc: str | None) -> str:
    """The first sentence of a docstring."""
    paragraph = inspect.cleandoc(doc or "").split("\n\n")[0]
    return _END.split(" ".join(paragraph.split()), maxsplit=1)[0]


def documented_types(text: str, default: Any) -> list[str]:
    """JSON's words for what a value may be; none where that is not sure.

    Args:
        text: what is said of the argument.
        default: its default; `inspect.Parameter.empty` where it has none.

    Example:
        >>> types("Positive integer, dimensionality of the output space.", inspect.Parameter.empty)
        ['integer']
        >>> types("Optional tuple of floats.", None)
        ['number', 'array', 'null']
    """
    said, known = _QUOTED.sub("", text[:SAID]), _type(default)
    found = {name for name, pattern in _TYPES.items() if pattern.search(said)}
    if _DOUBT.search(said):
        # Of what is said only the default is sure.
        return [known] if known in ("boolean", "number") else []
    if known == "integer" and not found:
        known = "number"  # Where 0 is the default, a float may be as good a value.
    if (
        known in ("boolean", "number")
        or (known and found - {"null"})
        or documented_choices(text, default)
    ):
        found |= {known or "string"}
    return [name for name in _TYPES if name in found] if found - {"null"} else []


def _type(default: Any) -> str | None:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", tuple: "array"}
    return "null" if default is None else names.get(type(default))


def documented_choices(text: str, default: Any) -> list[str]:
    """The words among which a value is one; none where there is no such list.

    Example:
        >>> choices('string, either `"valid"` or `"same"` (case-insensitive).', "valid")
        ['valid', 'same']
    """
    listed = _CHOICES.search(text)
    words = list(dict.fromkeys(_QUOTED.findall(listed[1]))) if listed else []
    fits = not isinstance(default, str) or default in words
    return words if len(words) > 1 and fits else []


# What cannot stand in YAML (base classes, functions, other frameworks), runs code that a file
# holds, or is nnrun's own business.
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
# Short names that no rule of spelling leads to.
SHORTHANDS = (
    *("acc", "accuracy", "ce", "crossentropy", "bce", "BCE", "kld", "KLD", "mse", "MSE"),
    *("mae", "MAE", "mape", "MAPE", "msle", "MSLE", "normal", "uniform", "zero", "one"),
    *("l1_l2", "swish", "hard_swish"),
)
# What `Model.compile` takes to mean one of several, after a look at the labels.
COMPILE_WORDS = ("acc", "accuracy")
FILES = frozenset(("backup_dir", "directory", "filename", "filepath", "log_dir"))
SUFFIXES = ("activation", "initializer", "regularizer", "constraint")  # of arguments of layers
KINDS = {
    ("layers", "layer"): "layers",
    ("layers", "forward_layer"): "layers",
    ("layers", "backward_layer"): "layers",
    ("layers", "layers"): "layers",
    ("layers", "cell"): "layers",
    ("layers", "cells"): "layers",
    ("optimizers", "learning_rate"): "schedules",
    ("optimizers", "inner_optimizer"): "optimizers",
    ("callbacks", "schedule"): "schedules",
}


def catalogue() -> dict[str, Any]:
    """Every public name of Keras that a spec may hold, with its arguments."""
    sections = {section: dict(_classes(section)) for section in LEFT_OUT}
    entries = {
        section: {name: _entry(section, cls) for name, cls in classes.items()}
        for section, classes in sections.items()
    }
    entries["activations"] = dict(_activations())
    aliases = {section: dict(_aliases(section, sections)) for section in (*sections, "activations")}
    return {"keras": keras.__version__, **entries, "aliases": aliases}


def _module(section: str) -> ModuleType:
    module: ModuleType = (
        keras.optimizers.schedules if section == "schedules" else getattr(keras, section)
    )
    return module


def _classes(section: str) -> Iterator[tuple[str, type]]:
    for name, value in sorted(vars(_module(section)).items()):
        # A class under a name in lower case is an alias that reads like a function.
        shown = name[0].isupper() and name not in LEFT_OUT[section].split()
        if shown and inspect.isclass(value):
            yield name, value


def _activations() -> Iterator[tuple[str, Any]]:
    for name, value in sorted(vars(keras.activations).items()):
        if inspect.isfunction(value) and name not in ("get", "serialize", "deserialize"):
            yield name, {"doc": opening(value.__doc__), "arguments": {}}


def _entry(section: str, cls: type) -> dict[str, Any]:
    own, inherited = _parameters(cls)
    said = descriptions(cls.__mro__)

    def arguments(parameters: list[inspect.Parameter]) -> dict[str, Any]:
        return {p.name: _argument(section, p, said.get(p.name, "")) for p in parameters}

    entry: dict[str, Any] = {"doc": opening(cls.__doc__), "arguments": arguments(own)}
    if inherited:
        entry["inherited"] = arguments(inherited)
    return entry


def _argument(section: str, parameter: inspect.Parameter, said: str) -> dict[str, Any]:
    argument: dict[str, Any] = {}
    if parameter.default is not inspect.Parameter.empty:
        argument["default"] = _plain(parameter.default)
    if said:
        argument["doc"] = sentence(said)
    if kind := _kind(section, parameter.name):
        return {**argument, "kind": kind}
    if types := documented_types(said, parameter.default):
        argument["types"] = types
    if choices := documented_choices(said, parameter.default):
        argument["choices"] = choices
    return argument


def _kind(section: str, name: str) -> str | None:
    if section == "callbacks" and name in FILES:
        return "file"
    if section == "layers":
        for suffix in SUFFIXES:
            if name == suffix or name.endswith(f"_{suffix}"):
                return f"{suffix}s"
    return KINDS.get((section, name))


def _plain(value: Any) -> Any:
    """A default as JSON holds it; what only Python can hold is written as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)


def _parameters(cls: type) -> tuple[list[inspect.Parameter], list[inspect.Parameter]]:
    """A class's own arguments, and those that it hands on to the classes it inherits from."""
    chain = [base for base in cls.__mro__ if "__init__" in vars(base) and base is not object]
    own = _signature(chain[0]) if chain else []
    inherited: list[inspect.Parameter] = []
    seen = {p.name for p in own}
    for here, parent in itertools.pairwise(chain):
        if not _hands_on(here):
            break
        taken = seen | _given(here, _signature(parent))
        inherited += [p for p in _signature(parent) if p.name not in taken]
        seen |= {p.name for p in _signature(parent)}
    return own, inherited


def _signature(cls: type) -> list[inspect.Parameter]:
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    parameters = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
    return [p for p in parameters if p.name != "self" and p.kind not in kinds]


def _super_call(cls: type) -> ast.Call | None:
    source = textwrap.dedent(inspect.getsource(cls.__init__))  # type: ignore[misc]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__":
            return node
    return None


def _hands_on(cls: type) -> bool:
    """Whether `**kwargs` reach the parent."""
    call = _super_call(cls)
    return call is not None and any(keyword.arg is None for keyword in call.keywords)


def _given(cls: type, parent: list[inspect.Parameter]) -> set[str]:
    """The parent's arguments that a class gives itself, so that nobody else can."""
    call = _super_call(cls)
    if call is None:
        return set()
    named = {keyword.arg for keyword in call.keywords if keyword.arg}
    return named | {p.name for p in parent[: len(call.args)]}


def _aliases(section: str, sections: dict[str, dict[str, type]]) -> Iterator[tuple[str, Any]]:
    """Every other word that Keras takes for a name, with the name; `null` where it depends."""
    names = {cls: name for name, cls in reversed(sections.get(section, {}).items())}
    get = getattr(_module(section), "get", None)
    for word in sorted(_candidates(section)):
        if section == "metrics" and word in COMPILE_WORDS:
            yield word, None
        elif get and word not in sections.get(section, {}):
            meaning = _meaning(get, word, names)
            if meaning and meaning != word:
                yield word, meaning


def _candidates(section: str) -> set[str]:
    public = {name for name in vars(_module(section)) if not name.startswith("_")}
    return public | {_snake(name) for name in public} | {n.lower() for n in public} | {*SHORTHANDS}


def _meaning(get: Callable[[str], Any], word: str, names: dict[type, str]) -> str | None:
    try:
        found = get(word)
    except (LookupError, TypeError, ValueError):  # No such word, or one that needs arguments.
        return None
    cls = found if inspect.isclass(found) else type(found)
    if cls in names:
        return names[cls]
    function = getattr(found, "__name__", "")
    if not names:
        return function if callable(found) else None
    return next((name for name in names.values() if _snake(name) == _snake(function)), None)


def _snake(name: str) -> str:
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


def text() -> str:
    """The catalogue as shipped: JSON, one line per name."""
    lines = [f'{{\n"keras": {json.dumps(keras.__version__)}']
    for section, entries in catalogue().items():
        if section != "keras":
            rows = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in entries.items()]
            lines.append(f'"{section}": {{\n' + ",\n".join(rows) + "\n}")
    return ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    print(text(), end="")
