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
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import keras

from nnrun.models import documented

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
            yield name, {"doc": documented.opening(value.__doc__), "arguments": {}}


def _entry(section: str, cls: type) -> dict[str, Any]:
    own, inherited = _parameters(cls)
    said = documented.descriptions(cls.__mro__)

    def arguments(parameters: list[inspect.Parameter]) -> dict[str, Any]:
        return {p.name: _argument(section, p, said.get(p.name, "")) for p in parameters}

    entry: dict[str, Any] = {"doc": documented.opening(cls.__doc__), "arguments": arguments(own)}
    if inherited:
        entry["inherited"] = arguments(inherited)
    return entry


def _argument(section: str, parameter: inspect.Parameter, said: str) -> dict[str, Any]:
    argument: dict[str, Any] = {}
    if parameter.default is not inspect.Parameter.empty:
        argument["default"] = _plain(parameter.default)
    if said:
        argument["doc"] = documented.sentence(said)
    if kind := _kind(section, parameter.name):
        return {**argument, "kind": kind}
    if types := documented.types(said, parameter.default):
        argument["types"] = types
    if choices := documented.choices(said, parameter.default):
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
