"""The names under which a run reports what it measures, known before it is trained."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nnrun import metrics
from nnrun.check.callbacks import monitor_misfits
from nnrun.errors import Misfit
from nnrun.spec import catalogue
from nnrun.spec.component import Component
from nnrun.spec.experiment import Experiment
from nnrun.spec.finding import Finding
from nnrun.spec.suggest import nearest
from nnrun.spec.words import listed

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
    if given or catalogue.meaning("metrics", metric.name) != metric.name:
        return str(given or metric.name)
    entry = catalogue.entry("metrics", metric.name)
    default = entry.accepted["name"].default if entry and "name" in entry.accepted else None
    return str(default or metrics.logged_as(metric)[-1])


def _possible(spec: Experiment) -> set[str]:
    """Every name that Keras may give to the loss or to a metric, without `val_`."""
    return {"loss", *(name for each in spec.training.metrics for name in metrics.logged_as(each))}


def _measured(name: str, spec: Experiment) -> bool:
    """Whether a name may be that of the loss or of a metric; Keras numbers those of one name."""
    return name in _possible(spec) or re.sub(r"_\d+\Z", "", name) in _possible(spec)


def watched_misfits(spec: Experiment) -> Iterator[Misfit]:
    """Callbacks that wait for a metric that no epoch will report."""
    callbacks = spec.training.callbacks
    for misfit in monitor_misfits(callbacks, history(spec)):
        monitor = catalogue.monitor(callbacks[int(misfit.path[2])]) or ""
        base = monitor.removeprefix("val_")
        if not _measured(base, spec) or (base != monitor and not validated(spec)):
            yield misfit


def gate_findings(spec: Experiment) -> Iterator[Finding]:
    """Gates that ask for what no run of the spec reports."""
    names = gates(spec)
    for name in spec.expect:
        if not _is_reported(name, spec):
            some = listed(names[:8], "and")
            message = f"no run reports {name!r}; there is {some}, and more"
            yield Finding("NN119", ("expect", name), message, nearest(name, names), key=True)


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
