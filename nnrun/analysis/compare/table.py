"""The comparison as a whole: rows, columns, what all have in common, verdicts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from nnrun.analysis.compare.entries import Entry, differing, grouped, one_experiment
from nnrun.analysis.compare.facts import SPLITS, Facts, matching
from nnrun.analysis.compare.verdicts import NOT_COMPARABLE, Verdict, judge
from nnrun.errors import CommandError
from nnrun.runs.cleaning import Standing
from nnrun.spec.labels import improves_upwards


@dataclass(frozen=True)
class Column:
    """One column of the table.

    Args:
        name: unique, such as `training.epochs` or `test_accuracy`.
        upwards: whether more is better; None where nothing is.
        values: one per entry, from the spec, a number, or `{"mean", "std", …}`; None where it is
            missing.
    """

    name: str
    values: tuple[Any, ...]
    upwards: bool | None = None

    @property
    def means(self) -> tuple[Any, ...]:
        """The values, of a spread its mean."""
        return tuple(value["mean"] if is_spread(value) else value for value in self.values)

    @property
    def best(self) -> Any:
        """The best value, where there is one among several."""
        numbers = [value for value in self.means if isinstance(value, int | float)]
        if self.upwards is None or len(numbers) < 2 or min(numbers) == max(numbers):
            return None
        return max(numbers) if self.upwards else min(numbers)


def is_spread(value: Any) -> bool:
    """Whether a cell holds mean and spread over seeds or folds."""
    return isinstance(value, dict) and "mean" in value


@dataclass(frozen=True)
class Comparison:
    """Runs beside each other.

    Args:
        entries: in the order of the table.
        metric: by which they are judged; empty where none has any.
        shared: keys that are the same in all specs.
        columns: `name` and `status` first.
        verdicts: of the finished ones.
        seeds: all runs as one, where they differ by their seed alone.
        repeated: runs that are left out, because another has the same spec and seed.
    """

    entries: tuple[Entry, ...]
    metric: str
    shared: dict[str, Any]
    columns: tuple[Column, ...]
    verdicts: tuple[Verdict, ...]
    seeds: Entry | None = None
    repeated: tuple[Facts, ...] = ()

    def best(self, column: Column) -> Any:
        """The value to be marked; of metrics none where they cannot be compared."""
        is_metric = column.name.partition("_")[0] in SPLITS.values()
        if is_metric and not self.is_comparable:
            return None
        finished = (entry.finished for entry in self.entries)
        values = tuple(
            value for value, is_whole in zip(column.values, finished, strict=True) if is_whole
        )
        return replace(column, values=values).best

    @property
    def unfinished(self) -> tuple[str, ...]:
        """What is said of runs that are not judged, because they are no whole trainings."""
        return tuple(
            f"{label} is {entry.status}, and not judged"
            for label, entry in zip(self.labels, self.entries, strict=True)
            if not entry.finished
        )

    @property
    def is_comparable(self) -> bool:
        """Whether all can be compared with each other."""
        return all(verdict.verdict != NOT_COMPARABLE for verdict in self.verdicts)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What each entry is called: its name, and its folder where others have that name."""
        return _labels(self.entries)


def compare(
    runs: Sequence[Facts], *, metric: str | None = None, sort: str | None = None
) -> Comparison:
    """Puts runs beside each other, the best first.

    Args:
        runs: in any order.
        metric: by which they are judged; by default the first that the specs name.
        sort: the column to sort by; by default what they are judged by.

    Raises:
        CommandError: no run has such a metric, or there is no such column.
    """
    entries = grouped(runs)
    chosen = _metric(entries, metric)
    entries = _best_first(entries, chosen)
    labels = dict(zip(map(id, entries), _labels(entries), strict=True))
    verdicts = judge(entries, chosen, lambda entry: labels[id(entry)])
    shared, keys = differing(entries)
    columns = _columns(entries, chosen, keys)
    if sort is not None:
        order = _order(columns, sort)
        entries = [entries[place] for place in order]
        columns = tuple(
            replace(column, values=tuple(column.values[place] for place in order))
            for column in columns
        )
    there = {id(run) for entry in entries for run in entry.runs}
    return Comparison(
        tuple(entries),
        chosen,
        shared,
        columns,
        tuple(verdicts),
        one_experiment(runs),
        tuple(run for run in runs if id(run) not in there),
    )


def ranking(runs: Sequence[Facts]) -> tuple[str, list[Facts]]:
    """What `compare` judges runs by, and those that it can judge, each by itself, the best first.

    Returns:
        The metric, empty where no run has any; and the runs that are finished and have a number
        for it. Of two that are as good the later one of `runs` comes first.
    """
    entries = [Entry((run,)) for run in runs]
    metric = _metric(entries, None)
    ranked = _best_first(entries[::-1], metric)
    return metric, [entry.first for entry in ranked if _is_judged(entry, metric)]


def _is_judged(entry: Entry, metric: str) -> bool:
    is_missing, _ = _rank(entry.judged(metric), upwards=None)
    return entry.finished and not is_missing


def _best_first(entries: Sequence[Entry], metric: str) -> list[Entry]:
    """Finished ones first; where two are as good they stay in the order they came."""
    upwards = _upwards(entries, metric)
    return sorted(
        entries,
        key=lambda entry: (not entry.finished, _rank(entry.judged(metric), upwards=upwards)),
    )


def _metric(entries: Sequence[Entry], wanted: str | None) -> str:
    names = dict.fromkeys(name for entry in entries for name in entry.first.reported)
    if wanted is None:
        return next(iter(names), "")
    for name in names:
        if wanted in (name, *(f"{split}_{name}" for split in SPLITS.values())):
            return name
    raise CommandError(
        f"--metric {wanted}: no run reports it; there is {', '.join(names) or 'none'}"
    )


def _upwards(entries: Sequence[Entry], metric: str) -> bool:
    own_names = [entry.first.reported.get(metric) for entry in entries]
    own_name = next((name for name in own_names if name), None)
    return own_name is not None and metric != "loss" and improves_upwards(own_name)


def _rank(value: Any, *, upwards: bool | None) -> tuple[bool, Any]:
    """What is missing or no number comes last."""
    if isinstance(value, int | float) and not math.isnan(value):
        return False, -value if upwards else value
    return True, 0


def _order(columns: Sequence[Column], name: str) -> list[int]:
    """Places of the entries, sorted by a column."""
    found = matching(name, [column.name for column in columns])
    column = next((column for column in columns if column.name == found), None)
    if column is None:
        names = ", ".join(column.name for column in columns)
        raise CommandError(f"--sort {name}: there is no such column; there is {names}")
    keys: list[tuple[bool, Any]]
    if all(isinstance(value, int | float | None) for value in column.means):
        keys = [_rank(value, upwards=column.upwards) for value in column.means]
    else:
        keys = [(value is None, str(value)) for value in column.means]
    return sorted(range(len(keys)), key=keys.__getitem__)


def _labels(entries: Sequence[Entry]) -> tuple[str, ...]:
    paths = [entry.first.run.path for entry in entries]
    labels = [entry.name for entry in entries]
    # Folds of several runs share their folders' names too.
    for longer in ([path.name for path in paths], [str(Path(*path.parts[-2:])) for path in paths]):
        count = Counter(labels)
        labels = [
            label if count[label] == 1 else other
            for label, other in zip(labels, longer, strict=True)
        ]
    return tuple(labels)


def _columns(
    entries: Sequence[Entry], metric: str, keys: Mapping[str, list[Any]]
) -> tuple[Column, ...]:
    def column(name: str, values: list[Any], *, upwards: bool | None = None) -> Column:
        return Column(name, tuple(values), upwards)

    found = [
        column("name", list(_labels(entries))),
        column("status", [entry.status for entry in entries]),
        *(column(key, values) for key, values in keys.items()),
        column("best_epoch", [_mean(entry, "best_epoch") for entry in entries]),
    ]
    names = dict.fromkeys([metric, *(n for entry in entries for n in entry.first.reported)])
    for name in filter(None, names):
        upwards = _upwards(entries, name)
        for rows, prefix in SPLITS.items():
            values = [entry.spread(rows, name) for entry in entries]
            if any(value["mean"] is not None for value in values):
                cells = [
                    value if value.get("std") is not None else value["mean"] for value in values
                ]
                found.append(column(f"{prefix}_{name}", cells, upwards=upwards))
    return (
        *found,
        column("seconds", [_mean(entry, "seconds") for entry in entries], upwards=False),
        column(
            "parameters",
            [entry.first.metrics.parameters for entry in entries],
            upwards=False,
        ),
    )


def _mean(entry: Entry, name: str) -> float | None:
    values = [run.seconds if name == "seconds" else run.metrics.best_epoch for run in entry.runs]
    known = [value for value in values if value is not None]
    if not known:
        return None
    return known[0] if len(known) == 1 else sum(known) / len(known)


def standings(facts: Iterable[Facts]) -> dict[Path, Standing]:
    """Ranks the runs of each experiment's name, and its cross-validations among themselves."""
    groups: dict[tuple[str, bool], list[Facts]] = {}
    for run in facts:
        groups.setdefault((run.name, run.has_folds), []).append(run)
    found = {}
    for members in groups.values():
        metric, ranked = ranking(members)
        places = {run.run.path: place for place, run in enumerate(ranked, start=1)}
        for run in members:
            path = run.run.path
            found[path] = Standing(places.get(path), len(ranked), metric)
    return found
