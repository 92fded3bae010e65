"""An experiment as YAML with every default written out."""

from __future__ import annotations

import hashlib
import sys
from typing import Any

import yaml

from nnrun import inert
from nnrun.spec.experiment import Experiment
from nnrun.spec.scalars import scalar


class _Inline(dict[str, Any]):
    """A mapping written on one line."""


class _Dumper(yaml.SafeDumper):
    """Writes what a reader of YAML 1.1 and a reader of YAML 1.2 both read alike."""

    def ignore_aliases(self, data: Any) -> bool:
        """Writes everything out, however often it occurs."""
        return True


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # PyYAML quotes what YAML 1.1 takes for something else than text; `1e-4` needs it in 1.2.
    # In double quotes it escapes line ends, which readers otherwise do not agree on.
    style = None if isinstance(scalar(text), str) else "'"
    style = style if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _inline(dumper: yaml.SafeDumper, value: _Inline) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style=True)


_Dumper.add_representer(str, _string)
_Dumper.add_representer(_Inline, _inline)


def dump(experiment: Experiment) -> str:
    """The spec of an experiment; reading it back gives the same experiment."""
    value = experiment.model_dump(mode="python")
    value["dataset"]["prepare"] = [_component(step) for step in value["dataset"]["prepare"]]
    value["model"] = [_component(layer) for layer in value["model"]]
    training = value["training"]
    for key in ("optimizer", "loss"):
        training[key] = _component(training[key])
    for key in ("metrics", "callbacks"):
        training[key] = [_component(component) for component in training[key]]
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=sys.maxsize
    )
    # PyYAML leaves marks that turn a line around; whatever holds one stands in double quotes.
    return inert.json(text)


def _component(value: Any) -> Any:
    """`Dense: {units: 16}` on one line."""
    return {k: _Inline(v) for k, v in value.items()} if isinstance(value, dict) else value


def inline(value: Any) -> str:
    """A plain value on one line.

    Example:
        >>> inline({"L2": {"l2": 1e-4}}), inline("1e-4"), inline(None)
        ('{L2: {l2: 0.0001}}', "'1e-4'", 'null')
    """
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=sys.maxsize,
        default_flow_style=True,
    )
    return text.removesuffix("\n").removesuffix("\n...")


# They change no number of a run: how many epochs there are is compared by itself.
_NOT_TRAINED_BY = ("description", "expect", "lint")


def digest(experiment: Experiment) -> str:
    """The SHA-256 of all of an experiment that decides its numbers, but how many epochs there are."""
    training = experiment.training.model_copy(update={"epochs": 1})
    fields = type(experiment).model_fields
    rest = {key: fields[key].get_default(call_default_factory=True) for key in _NOT_TRAINED_BY}
    same = experiment.model_copy(update={"training": training, **rest})
    return hashlib.sha256(dump(same).encode()).hexdigest()
