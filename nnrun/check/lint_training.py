"""Warnings about how the model is fitted, and on which rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import starmap

from nnrun import metrics
from nnrun.check import rows
from nnrun.check.reported import validated
from nnrun.check.subject import Subject
from nnrun.spec import catalogue
from nnrun.spec.component import Component
from nnrun.spec.experiment import Experiment
from nnrun.spec.finding import Finding
from nnrun.spec.steps import Standardize

# From so large a learning rate on nothing is learnt, by Keras's own name of the optimizer.
LARGEST_RATE = {
    **dict.fromkeys(("Adam", "AdamW", "Adamax", "Nadam", "RMSprop", "Lion"), 0.1),
    "SGD": 2.0,
}
# What a gate may ask to be one number exactly.
COUNTED = frozenset(("epochs", "best_epoch", "parameters"))
# Callbacks that choose an epoch by what they watch.
CHOOSING = frozenset(("EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint"))
# An address from which nothing leaves this machine.
THIS_MACHINE = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/|\Z)", re.IGNORECASE)


def fewer_rows_than_a_batch(about: Subject) -> Iterator[Finding]:
    """NN205."""
    left, size = rows.trained_on(about.spec, about.known), about.spec.training.batch_size
    if left is not None and left < size:
        message = f"is more than the {left} rows that train: an epoch will be a single step"
        yield Finding("NN205", ("training", "batch_size"), message)


def stopped_without_the_best_weights(about: Subject) -> Iterator[Finding]:
    """NN207."""
    training = about.spec.training
    kept = any(
        each.name == "ModelCheckpoint" and each.arguments.get("save_best_only")
        for each in training.callbacks
    )
    for index, callback in enumerate(training.callbacks):
        restores = callback.arguments.get("restore_best_weights") is True
        if callback.name == "EarlyStopping" and not restores and not kept:
            message = "keeps the weights of the last epoch; add restore_best_weights: true"
            yield Finding("NN207", ("training", "callbacks", index), message)


def waiting_for_longer_than_the_training(about: Subject) -> Iterator[Finding]:
    """NN208."""
    epochs = about.spec.training.epochs
    for index, callback in enumerate(about.spec.training.callbacks):
        # At the end of the training it still puts the best weights back.
        if callback.arguments.get("restore_best_weights") is True:
            continue
        accepted = catalogue.arguments("callbacks", callback.name)
        for name in ("patience", "start_from_epoch"):
            default = accepted[name].default if name in accepted else 0
            waits = callback.arguments.get(name, default)
            if isinstance(waits, int | float) and waits >= epochs:
                message = f"{name} {waits} is not reached in {epochs} epochs: it can never act"
                yield Finding("NN208", ("training", "callbacks", index), message)


def watching_for_the_worse(about: Subject) -> Iterator[Finding]:
    """NN209."""
    for index, callback in enumerate(about.spec.training.callbacks):
        mode, monitor = callback.arguments.get("mode"), catalogue.monitor(callback)
        better = _better(monitor, about.spec) if monitor else None
        if mode in ("min", "max") and better is not None and mode != better:
            path = ("training", "callbacks", index, callback.name, "mode")
            message = f"is {mode}, but {monitor} is better when {_WHEN[better]}; leave it out"
            yield Finding("NN209", path, message)


_WHEN = {"min": "low", "max": "high"}


def _better(monitor: str, spec: Experiment) -> str | None:
    """Which end of a monitored value is the better one; None where that is not known."""
    name = monitor.removeprefix("val_")
    if name == "loss":
        upwards = metrics.improves_upwards(_own(spec.training.loss, "losses"))
        return "min" if not upwards else None
    for metric in spec.training.metrics:
        if name in metrics.logged_as(metric):
            return "max" if metrics.improves_upwards(_own(metric, "metrics")) else "min"
    return None


def _own(component: Component, kind: str) -> str:
    return catalogue.meaning(kind, component.name)


def learning_rate_out_of_size(about: Subject) -> Iterator[Finding]:
    """NN212."""
    optimizer = about.spec.training.optimizer
    rate, largest = optimizer.arguments.get("learning_rate"), _largest(optimizer)
    path = ("training", "optimizer", optimizer.name, "learning_rate")
    if isinstance(rate, (int, float)) and rate <= 0:
        message = f"{rate} leaves the weights as they are, or makes them worse; it must be above 0"
        yield Finding("NN212", path, message)
    elif isinstance(rate, (int, float)) and largest is not None and rate >= largest:
        usual = 0.01 if largest > 1 else 0.001
        yield Finding("NN212", path, f"{rate} is large for {optimizer.name}; usual is {usual}")


def _largest(optimizer: Component) -> float | None:
    return LARGEST_RATE.get(_own(optimizer, "optimizers"))


def nothing_validates(about: Subject) -> Iterator[Finding]:
    """NN213."""
    if not validated(about.spec):
        message = "no rows validate, so over-fitting will not show; add a holdout or a kfold"
        yield Finding("NN213", ("validation",), message, at=())


def fitted_on_all_rows(about: Subject) -> Iterator[Finding]:
    """NN214."""
    for index, step in enumerate(about.spec.dataset.prepare):
        if isinstance(step, Standardize) and step.fit == "all" and validated(about.spec):
            message = (
                "leak: fit: all learns from the rows that validate too, so validation looks a "
                "little better than it is; leave it out to have it honest"
            )
            yield Finding("NN214", ("dataset", "prepare", index), message)


def choosing_by_the_rows_that_train(about: Subject) -> Iterator[Finding]:
    """NN220."""
    for index, callback in enumerate(about.spec.training.callbacks):
        monitor = catalogue.monitor(callback)
        if monitor is None or callback.name not in CHOOSING or not validated(about.spec):
            continue
        if not monitor.startswith("val_") and monitor != "learning_rate":
            message = f"{callback.name} watches {monitor}, which also falls while over-fitting"
            if (_better(monitor, about.spec) or "min") == "max":
                message = message.replace("falls", "rises")
            yield Finding(
                "NN220", ("training", "callbacks", index), f"{message}; use val_{monitor}"
            )


def told_to_another_machine(about: Subject) -> Iterator[Finding]:
    """NN225."""
    for index, callback in enumerate(about.spec.training.callbacks):
        root = str(callback.arguments.get("root", "http://localhost"))
        if callback.name == "RemoteMonitor" and not THIS_MACHINE.match(root):
            message = f"the metrics of every epoch are sent to {root}"
            yield Finding("NN225", ("training", "callbacks", index), message)


def gates_that_cannot_be_met(about: Subject) -> Iterator[Finding]:
    """NN224."""
    for name, gate in about.spec.expect.items():
        exact = len(gate.conditions) == 1 and gate.conditions[0][0] == "=="
        if exact and name not in COUNTED:
            number = gate.conditions[0][1]
            message = f"{name} is hardly ever {number:g} exactly; write '>= {number:g}' or a range"
            yield Finding("NN224", ("expect", name), message)
        elif _is_share(name, about.spec) and any(starmap(_never_of_a_share, gate.conditions)):
            message = f"{name} lies between 0 and 1, so '{gate.text}' is never met"
            yield Finding("NN224", ("expect", name), message)


def _is_share(name: str, spec: Experiment) -> bool:
    """Whether a name is that of a metric which is a share of rows."""
    base = re.sub(r"\A(best_|last_|test_)?(val_)?", "", name)
    reported = any(base in metrics.logged_as(each) for each in spec.training.metrics)
    return reported and bool(
        re.search("accuracy|^acc$|precision|recall|^auc$", base, re.IGNORECASE)
    )


def _never_of_a_share(sign: str, limit: float) -> bool:
    """Whether no number from 0 to 1 fulfils a condition."""
    never = {">=": limit > 1, ">": limit >= 1, "<=": limit < 0, "<": limit <= 0}
    return never.get(sign, False)


RULES = {
    "NN205": fewer_rows_than_a_batch,
    "NN207": stopped_without_the_best_weights,
    "NN208": waiting_for_longer_than_the_training,
    "NN209": watching_for_the_worse,
    "NN212": learning_rate_out_of_size,
    "NN213": nothing_validates,
    "NN214": fitted_on_all_rows,
    "NN220": choosing_by_the_rows_that_train,
    "NN224": gates_that_cannot_be_met,
    "NN225": told_to_another_machine,
}
