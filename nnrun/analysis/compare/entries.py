"""The rows of a comparison: one run each, or the runs of one experiment with several seeds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nnrun.analysis.compare.facts import WITHOUT_EFFECT, Facts
from nnrun.experiment.crossval import averages
from nnrun.runs.record import Spread
from nnrun.spec import labels
from nnrun.types import History


@dataclass(frozen=True)
class Entry:
    """One row: a run, or finished runs that differ only in their seed, one per seed.

    Args:
        label: unique in a comparison: the name of the experiment, or the folder of the first run.
    """

    runs: tuple[Facts, ...]
    label: str = ""

    @property
    def first(self) -> Facts:
        """The first run, for everything that all have in common."""
        return self.runs[0]

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return self.first.name

    @property
    def is_group(self) -> bool:
        """Whether there are several seeds."""
        return len(self.runs) > 1

    @property
    def status(self) -> str:
        """The status of the run, or the number of seeds, which are all finished."""
        return f"{len(self.runs)} seeds" if self.is_group else self.first.status

    @property
    def is_finished(self) -> bool:
        """Whether it can be ranked."""
        return all(run.is_finished for run in self.runs)

    def values(self, rows: str, metric: str) -> list[float]:
        """A metric of each run that has it."""
        values = [run.values(rows).get(metric) for run in self.runs]
        return [value for value in values if value is not None]

    def spread(self, rows: str, metric: str) -> dict[str, Any]:
        """Mean, standard deviation (ddof 1) and 95 % interval over seeds or folds."""
        limits = labels.bounds(self.first.reported.get(metric, ""))
        if self.is_group:
            return averages.over_seeds(self.values(rows, metric), limits)
        value = self.first.on(rows).get(metric)
        return value.within(*limits).model_dump() if isinstance(value, Spread) else {"mean": value}

    def score(self, metric: str) -> float | None:
        """The mean by which it is ranked."""
        mean: float | None = self.spread(self.first.judged, metric)["mean"] if self.runs else None
        return mean

    def history(self) -> History:
        """The curve of the run, or the mean curve of several seeds."""
        return averages.mean_curve([run.run.history() for run in self.runs])

    @cached_property
    def split(self) -> str:
        """Equal if the same rows train and validate, or if each seed draws them by the same rule.

        The test rows, by which a training is judged, are the same for all seeds; a cross-validation
        is judged by its folds.
        """
        digests = {run.record.split_digest for run in self.runs}
        rules = self.first.spec.get("validation") or {}
        is_random = (rules.get("holdout") or {}).get("take") == "random"
        if len(digests) == 1 and (self.first.has_folds or not is_random):
            return f"rows {digests.pop()}"
        rule = rules.get("kfold" if self.first.has_folds else "holdout") or {}
        # These keys do not affect how the folds are drawn.
        drawing = {key: rule[key] for key in rule if key not in ("smooth", "final")}
        return f"drawn {json.dumps(drawing, sort_keys=True)}"


def grouped(runs: Sequence[Facts]) -> list[Entry]:
    """A row per experiment; if there is only one experiment, a row per seed."""
    entries = experiments(runs)
    return [Entry((run,)) for run in entries[0].runs] if len(entries) == 1 else entries


def experiments(runs: Sequence[Facts]) -> list[Entry]:
    """Groups finished runs that differ only in their seed, in their order.

    Of two runs with the same seed only the later one counts: a bit-identical repetition would make
    the spread look smaller than it is.
    """
    groups: dict[str, dict[int | None, Facts]] = {}
    for run in runs:
        groups.setdefault(_experiment(run), {})[run.record.seed] = run
    return [Entry(tuple(by_seed.values())) for by_seed in groups.values()]


def _experiment(run: Facts) -> str:
    """Equal for runs of one experiment; an unfinished run is a row of its own."""
    if not run.is_finished or not run.spec:
        return str(run.run.path)
    ignored = {"seed", *WITHOUT_EFFECT} - {"name"}
    spec = {key: value for key, value in run.spec.items() if key not in ignored}
    # Folds of one cross-validation have its spec, but other rows.
    key = [run.has_folds, run.record.fold, run.record.data_digest, spec]
    return json.dumps(key, sort_keys=True)


def differing(entries: Sequence[Entry]) -> tuple[dict[str, object], dict[str, list[object]]]:
    """The keys that all specs have in common, and those in which they differ.

    Lists of the same length everywhere, such as models with as many layers, are compared item by
    item, and components of the same name argument by argument.

    Returns:
        The shared keys with their values; and for each other key a value per entry, None if an
        entry has none.
    """
    specs: list[Mapping[str, Any]] = [
        {key: value for key, value in entry.first.keys.items() if key != "seed"}
        if entry.is_group
        else entry.first.keys
        for entry in entries
    ]
    shared: dict[str, object] = {}
    others: dict[str, list[object]] = {}
    for name in dict.fromkeys(name for spec in specs for name in spec):
        # A run without a spec is ignored.
        values = [spec.get(name) for spec in specs if spec]
        for place, parts in _places(name, values):
            if all(part == parts[0] for part in parts):
                shared[place] = parts[0]
            else:
                remaining = iter(parts)
                others[place] = [next(remaining) if spec else None for spec in specs]
    return shared, others


def _places(name: str, values: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Splits a key whose values differ into its items or arguments."""
    lengths = {len(value) if isinstance(value, list) else 0 for value in values}
    if all(value == values[0] for value in values):
        yield name, values
    elif len(lengths) == 1 and 0 not in lengths:
        for place, column in enumerate(zip(*values, strict=True)):
            yield from _places(f"{name}[{place}]", list(column))
    elif (component := _common_component(values)) is not None:
        for argument in dict.fromkeys(key for value in values for key in value[component]):
            parts = [value[component].get(argument) for value in values]
            yield f"{name}.{component}.{argument}", parts
    else:
        yield name, values


def _common_component(values: list[Any]) -> str | None:
    """The name of the component, if all values are the same one with arguments."""
    names = set()
    for value in values:
        if not isinstance(value, dict) or len(value) != 1:
            return None
        [(name, arguments)] = value.items()
        if not isinstance(arguments, dict):
            return None
        names.add(str(name))
    return names.pop() if len(names) == 1 else None
