"""Errors in callbacks, class weights and gates, and the metric names that a run will report."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import PurePath
from typing import Any

from nnrun.errors import IncompatibleSpec
from nnrun.spec import catalogue, labels
from nnrun.spec.component import Component
from nnrun.spec.experiment import Experiment
from nnrun.spec.suggest import nearest
from nnrun.spec.text import join_words, quote
from nnrun.spec.training import ClassWeight, Training
from nnrun.spec.tree import Problem

# Arguments of an optimizer of which Keras takes one.
CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")
# Further names that a gate may have.
RUN_FACTS = ("seconds", "epochs", "best_epoch", "parameters", "model_bytes")
CLASS_WEIGHT = ("training", "class_weight")
MAX_CLASSES = 6  # class names that a message lists


def file_problems(
    components: Sequence[Component], own: Collection[str]
) -> Iterator[IncompatibleSpec]:
    """Callbacks that would overwrite files of nnrun.

    Args:
        components: checked against the catalogue.
        own: file names that nnrun itself uses in a run folder.
    """
    for index, component in enumerate(components):
        for name, value in files(component).items():
            path = ("training", "callbacks", index, component.name, name)
            if reason := _outside(value, own):
                yield IncompatibleSpec("NN116", path, reason)
            elif reason := _misnamed(component, value):
                yield IncompatibleSpec("NN114", path, reason)


def _outside(value: str, own: Collection[str]) -> str | None:
    """Why a callback may not write there."""
    parts = PurePath(value).parts
    if not parts:
        return "is the run folder itself; take a name inside it"
    if parts[0] in own:
        return f"nnrun itself writes '{value}' into the run folder; take another name"
    return None


def _misnamed(component: Component, value: str) -> str | None:
    """Why Keras refuses the file name of a checkpoint."""
    if component.name != "ModelCheckpoint":
        return None
    weights = component.arguments.get("save_weights_only") is True
    suffix = ".weights.h5" if weights else ".keras"
    return None if value.endswith(suffix) else f"must end in '{suffix}', got '{value}'"


def optimizer_problems(training: Training) -> Iterator[IncompatibleSpec]:
    """Optimizer arguments that exclude each other, or that a callback needs."""
    given = training.optimizer.arguments
    clipped = [name for name in CLIPS if given.get(name) is not None]
    path: tuple[str | int, ...] = ("training", "optimizer", training.optimizer.name)
    if len(clipped) > 1:
        message = f"{join_words(clipped, 'and')} exclude each other; leave one"
        yield IncompatibleSpec("NN114", (*path, clipped[1]), message)
    for index, component in enumerate(training.callbacks):
        if component.name == "SwapEMAWeights" and given.get("use_ema") is not True:
            message = "SwapEMAWeights needs an optimizer with use_ema: true"
            yield IncompatibleSpec("NN114", ("training", "callbacks", index), message)


def learning_rate_problems(training: Training) -> Iterator[IncompatibleSpec]:
    """Callbacks that set the learning rate although the optimizer has a schedule.

    Keras raises when the callback first acts, which may be hours into a run.
    """
    if not isinstance(training.optimizer.arguments.get("learning_rate"), dict):
        return
    for index, component in enumerate(training.callbacks):
        if component.name in ("ReduceLROnPlateau", "LearningRateScheduler"):
            message = f"{component.name} cannot set the learning rate: the optimizer has a schedule"
            yield IncompatibleSpec("NN114", ("training", "callbacks", index), message)


def check_monitors(components: Sequence[Component], names: Sequence[str]) -> None:
    """Refuses callbacks that watch an unknown metric; Keras would only warn in each epoch.

    Args:
        components: checked against the catalogue.
        names: the metrics of the history.

    Raises:
        IncompatibleSpec: with the known names.
    """
    for problem in monitor_problems(components, names):
        raise problem


def monitor_problems(
    components: Sequence[Component], names: Sequence[str]
) -> Iterator[IncompatibleSpec]:
    """Callbacks that watch an unknown metric; arguments as above."""
    for index, component in enumerate(components):
        monitor = catalogue.monitored_metric(component)
        if monitor is not None and monitor not in names:
            validates = any(name.startswith("val_") for name in names)
            hint = "" if validates else "; `nnrun train` validates by validation.holdout alone"
            yield IncompatibleSpec(
                "NN125",
                ("training", "callbacks", index),
                f"{component.name} watches '{monitor}', but the history will hold only "
                f"{', '.join(names)}{hint if monitor.startswith('val_') else ''}",
            )


def files(component: Component) -> dict[str, str]:
    """The arguments that name a file or a folder of the run."""
    return {name: value for name, value in component.arguments.items() if is_file(component, name)}


def is_file(component: Component, argument: str) -> bool:
    """Whether an argument names a file or a folder to write to."""
    return catalogue.argument_kind("callbacks", component.name, argument) == "file"


def class_weight_problems(
    weight: ClassWeight | None, classes: Sequence[Any]
) -> Iterator[IncompatibleSpec]:
    """Class weights for classes that do not exist.

    Args:
        weight: as in the spec.
        classes: their names, or a range of numbers before the data are read; empty for regression.
    """
    if weight is None:
        return
    if not classes:
        message = "weighs classes, but the labels are values"
        yield IncompatibleSpec("NN122", CLASS_WEIGHT, message)
        return
    if weight == "balanced":
        return
    names_unknown = isinstance(classes, range)
    for name in weight:
        if names_unknown and not name.isdecimal():
            continue
        if number(name, classes) is None:
            yield IncompatibleSpec("NN122", CLASS_WEIGHT, _unknown(name, classes))


def number(name: str, classes: Sequence[Any]) -> int | None:
    """The number of a class, given its name or number; None if there is no such class."""
    if name in classes:
        return classes.index(name)
    number = int(name) if name.isdecimal() else -1
    return number if 0 <= number < len(classes) else None


def _unknown(name: str, classes: Sequence[Any]) -> str:
    names = [str(name) for name in classes]
    if name.isdecimal():
        return f"there is no class {name}; they are numbered from 0 to {len(classes) - 1}"
    guess = nearest(name, names)
    some = join_words([quote(known) for known in names[:MAX_CLASSES]], "and")
    more = f" and {len(names) - MAX_CLASSES} more" if len(names) > MAX_CLASSES else ""
    hint = f"; did you mean {quote(guess)}?" if guess else f"; there are {some}{more}"
    return f"there is no class {quote(name)}{hint}"


def history(spec: Experiment) -> list[str]:
    """The expected metric names of the history, in order."""
    names = ["loss", *map(_expected_name, spec.training.metrics)]
    return [*names, *(f"val_{name}" for name in names if validated(spec))]


def validated(spec: Experiment) -> bool:
    """Whether there are validation rows."""
    return spec.validation.holdout is not None or spec.validation.kfold is not None


def _expected_name(metric: Component) -> str:
    given = metric.arguments.get("name")
    if given or catalogue.canonical_name("metrics", metric.name) != metric.name:
        return str(given or metric.name)
    entry = catalogue.entry("metrics", metric.name)
    default = entry.accepted["name"].default if entry and "name" in entry.accepted else None
    return str(default or labels.logged_names(metric)[-1])


def _possible(spec: Experiment) -> set[str]:
    """Every name that Keras may give to the loss or to a metric, without `val_`."""
    return {"loss", *(name for each in spec.training.metrics for name in labels.logged_names(each))}


def _may_be_metric(name: str, spec: Experiment) -> bool:
    """Whether a name may be that of the loss or of a metric; Keras numbers equal names."""
    return name in _possible(spec) or re.sub(r"_\d+\Z", "", name) in _possible(spec)


def unreported_monitors(spec: Experiment) -> Iterator[IncompatibleSpec]:
    """Callbacks that watch a metric that no epoch reports."""
    callbacks = spec.training.callbacks
    for problem in monitor_problems(callbacks, history(spec)):
        monitor = catalogue.monitored_metric(callbacks[int(problem.path[2])]) or ""
        base = monitor.removeprefix("val_")
        if not _may_be_metric(base, spec) or (base != monitor and not validated(spec)):
            yield problem


def gate_problems(spec: Experiment) -> Iterator[Problem]:
    """Gates for names that no run of the spec reports."""
    names = gates(spec)
    for name in spec.expect:
        if not _is_reported(name, spec):
            some = join_words(names[:8], "and")
            message = f"no run reports {name!r}; there is {some}, and more"
            yield Problem("NN119", ("expect", name), message, nearest(name, names), key=True)


def gates(spec: Experiment) -> list[str]:
    """The names that a gate may have."""
    own = ["loss", *map(_expected_name, spec.training.metrics)]
    seen = [f"val_{name}" for name in own if validated(spec)]
    return [
        *(f"test_{name}" for name in own),
        *seen,
        *own,
        *RUN_FACTS,
        *(f"best_{name}" for name in (*seen, *own)),
        *(f"last_{name}" for name in (*seen, *own)),
    ]


def _is_reported(name: str, spec: Experiment) -> bool:
    if name in RUN_FACTS:
        return True
    base = re.sub(r"\A(best_|last_)", "", name)
    if base.startswith("val_") and not validated(spec):
        return False
    if base == name:
        base = base.removeprefix("test_")
    return _may_be_metric(base.removeprefix("val_"), spec)
