"""Callbacks that cannot do what they are asked for, found before anything is trained."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import PurePath
from typing import Any

from nnrun.errors import IncompatibleSpec
from nnrun.spec import catalogue
from nnrun.spec import labels
from nnrun.spec.component import Component
from nnrun.spec.experiment import Experiment
from nnrun.spec.suggest import nearest
from nnrun.spec.text import join_words
from nnrun.spec.text import quote
from nnrun.spec.training import ClassWeight
from nnrun.spec.training import Training
from nnrun.spec.tree import Problem

CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")
"""Arguments of an optimizer of which Keras takes one."""


def file_problems(
    components: Sequence[Component], own: Collection[str]
) -> Iterator[IncompatibleSpec]:
    """Callbacks that would write over what nnrun itself writes.

    Args:
        components: checked against the catalogue.
        own: names that nnrun keeps for itself in a run folder.
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
    """What Keras has against the name of a checkpoint."""
    if component.name != "ModelCheckpoint":
        return None
    weights = component.arguments.get("save_weights_only") is True
    suffix = ".weights.h5" if weights else ".keras"
    return None if value.endswith(suffix) else f"must end in '{suffix}', got '{value}'"


def optimizer_problems(training: Training) -> Iterator[IncompatibleSpec]:
    """Arguments of the optimizer that exclude each other, or that a callback waits for."""
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
    """Callbacks that set a learning rate which a schedule already decides.

    Keras raises when the callback first acts, which may be hours into a run.
    """
    if not isinstance(training.optimizer.arguments.get("learning_rate"), dict):
        return
    for index, component in enumerate(training.callbacks):
        if component.name in ("ReduceLROnPlateau", "LearningRateScheduler"):
            message = f"{component.name} cannot set the learning rate: the optimizer has a schedule"
            yield IncompatibleSpec("NN114", ("training", "callbacks", index), message)


def check_monitors(components: Sequence[Component], names: Sequence[str]) -> None:
    """Refuses a callback that waits for a metric nobody reports; Keras would only warn, each epoch.

    Args:
        components: checked against the catalogue.
        names: of what the history will hold.

    Raises:
        Misfit: with the names there are.
    """
    for problem in monitor_problems(components, names):
        raise problem


def monitor_problems(
    components: Sequence[Component], names: Sequence[str]
) -> Iterator[IncompatibleSpec]:
    """Callbacks that wait for a metric nobody reports; arguments as above."""
    for index, component in enumerate(components):
        monitor = catalogue.monitored_metric(component)
        if monitor is not None and monitor not in names:
            held_out = any(name.startswith("val_") for name in names)
            hint = "" if held_out else "; `nnrun train` validates by validation.holdout alone"
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


# Whether the classes that a spec weighs are classes of the data.

_PATH = ("training", "class_weight")
# So many names are told; more nobody reads.
_SOME = 6


def class_weight_problems(
    weight: ClassWeight | None, classes: Sequence[Any]
) -> Iterator[IncompatibleSpec]:
    """What does not go together with the classes.

    Args:
        weight: as in the spec.
        classes: their names; or their numbers, where the data are not read yet and have names
            that nobody knows; none for a regression.
    """
    if weight is None:
        return
    if not classes:
        message = "weighs classes, but the labels are values"
        yield IncompatibleSpec("NN122", _PATH, message)
        return
    if weight == "balanced":
        return
    unread = isinstance(classes, range)
    for name in weight:
        # Of rows that are not read yet nobody knows what their classes are called.
        if unread and not name.isdecimal():
            continue
        if number(name, classes) is None:
            yield IncompatibleSpec("NN122", _PATH, _unknown(name, classes))


def number(name: str, classes: Sequence[Any]) -> int | None:
    """Which class a name, or a number, stands for; None where there is no such class."""
    if name in classes:
        return classes.index(name)
    number = int(name) if name.isdecimal() else -1
    return number if 0 <= number < len(classes) else None


def _unknown(name: str, classes: Sequence[Any]) -> str:
    named = [str(each) for each in classes]
    if name.isdecimal():
        return f"there is no class {name}; they are numbered from 0 to {len(classes) - 1}"
    guess = nearest(name, named)
    some = join_words([quote(each) for each in named[:_SOME]], "and")
    more = f" and {len(named) - _SOME} more" if len(named) > _SOME else ""
    hint = f"; did you mean {quote(guess)}?" if guess else f"; there are {some}{more}"
    return f"there is no class {quote(name)}{hint}"


# The names under which a run reports what it measures, known before it is trained.

OF_A_RUN = ("seconds", "epochs", "best_epoch", "parameters", "model_bytes")
"""What a gate may ask besides loss and metrics."""


def history(spec: Experiment) -> list[str]:
    """The names that the history is likely to hold, in its order."""
    names = ["loss", *map(_likely, spec.training.metrics)]
    return [*names, *(f"val_{name}" for name in names if validated(spec))]


def validated(spec: Experiment) -> bool:
    """Whether some rows validate."""
    return spec.validation.holdout is not None or spec.validation.kfold is not None


def _likely(metric: Component) -> str:
    given = metric.arguments.get("name")
    if given or catalogue.canonical_name("metrics", metric.name) != metric.name:
        return str(given or metric.name)
    entry = catalogue.entry("metrics", metric.name)
    default = entry.accepted["name"].default if entry and "name" in entry.accepted else None
    return str(default or labels.logged_names(metric)[-1])


def _possible(spec: Experiment) -> set[str]:
    """Every name that Keras may give to the loss or to a metric, without `val_`."""
    return {"loss", *(name for each in spec.training.metrics for name in labels.logged_names(each))}


def _measured(name: str, spec: Experiment) -> bool:
    """Whether a name may be that of the loss or of a metric; Keras numbers those of one name."""
    return name in _possible(spec) or re.sub(r"_\d+\Z", "", name) in _possible(spec)


def watched_problems(spec: Experiment) -> Iterator[IncompatibleSpec]:
    """Callbacks that wait for a metric that no epoch will report."""
    callbacks = spec.training.callbacks
    for problem in monitor_problems(callbacks, history(spec)):
        monitor = catalogue.monitored_metric(callbacks[int(problem.path[2])]) or ""
        base = monitor.removeprefix("val_")
        if not _measured(base, spec) or (base != monitor and not validated(spec)):
            yield problem


def gate_findings(spec: Experiment) -> Iterator[Problem]:
    """Gates that ask for what no run of the spec reports."""
    names = gates(spec)
    for name in spec.expect:
        if not _is_reported(name, spec):
            some = join_words(names[:8], "and")
            message = f"no run reports {name!r}; there is {some}, and more"
            yield Problem("NN119", ("expect", name), message, nearest(name, names), key=True)


def gates(spec: Experiment) -> list[str]:
    """The names that a gate may have."""
    own = ["loss", *map(_likely, spec.training.metrics)]
    seen = [f"val_{name}" for name in own if validated(spec)]
    return [
        *(f"test_{name}" for name in own),
        *seen,
        *own,
        *OF_A_RUN,
        *(f"best_{name}" for name in (*seen, *own)),
        *(f"last_{name}" for name in (*seen, *own)),
    ]


def _is_reported(name: str, spec: Experiment) -> bool:
    if name in OF_A_RUN:
        return True
    base = re.sub(r"\A(best_|last_)", "", name)
    if base.startswith("val_") and not validated(spec):
        return False
    if base == name:
        base = base.removeprefix("test_")
    return _measured(base.removeprefix("val_"), spec)
