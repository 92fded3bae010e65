"""A comparison as a table of rows and columns, with verdicts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeGuard

from nnrun.analysis.compare.entries import Entry, differing, experiments, grouped
from nnrun.analysis.compare.facts import SPLITS, Facts, matching, of_test_set
from nnrun.analysis.compare.verdicts import NOT_COMPARABLE, Verdict, judge
from nnrun.errors import CommandError
from nnrun.runs.cleaning import Standing
from nnrun.spec.labels import improves_upwards


@dataclass(frozen=True)
class Column:
    """One column of the table.

    Args:
        name: unique, such as `training.epochs` or `test_accuracy`.
        values: one per entry, from the spec, a number, or `{"mean", "std", …}`; None if missing.
        upwards: whether more is better; None if neither is.
    """

    name: str
    values: tuple[object, ...]
    upwards: bool | None = None

    @property
    def means(self) -> tuple[object, ...]:
        """The values, of a spread its mean."""
        return tuple(value["mean"] if is_spread(value) else value for value in self.values)

    @property
    def best(self) -> float | None:
        """The best of several numbers that are not all equal."""
        numbers = [value for value in self.means if isinstance(value, int | float)]
        if self.upwards is None or len(numbers) < 2 or min(numbers) == max(numbers):
            return None
        return max(numbers) if self.upwards else min(numbers)


def is_spread(value: object) -> TypeGuard[dict[str, float | None]]:
    """Whether a cell is a mean with its spread over seeds or folds."""
    return isinstance(value, dict) and "mean" in value


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Args:
        entries: in the order of the table.
        metric: by which they are ranked; empty if they have none.
        shared: keys that are the same in all specs.
        columns: `name` and `status` first.
        seeds: all runs as one entry, if they differ only in their seed.
        repeated: runs left out because another one has the same spec and seed.
    """

    entries: tuple[Entry, ...]
    metric: str
    shared: dict[str, object]
    columns: tuple[Column, ...]
    verdicts: tuple[Verdict, ...]
    seeds: Entry | None = None
    repeated: tuple[Facts, ...] = ()

    def best(self, column: Column) -> float | None:
        """The value to mark in a column; none for metrics that cannot be compared."""
        is_metric = column.name.partition("_")[0] in SPLITS.values()
        if is_metric and not self.is_comparable:
            return None
        rows = zip(column.values, self.entries, strict=True)
        return replace(column, values=tuple(v for v, entry in rows if entry.is_finished)).best

    @property
    def unfinished(self) -> tuple[str, ...]:
        """A sentence for each entry that is not ranked, because it is not finished."""
        return tuple(
            f"{entry.label} is {entry.status}, so it is not ranked"
            for entry in self.entries
            if not entry.is_finished
        )

    @property
    def is_comparable(self) -> bool:
        """Whether all entries can be compared with each other."""
        return all(verdict.verdict != NOT_COMPARABLE for verdict in self.verdicts)


def compare(
    runs: Sequence[Facts], *, metric: str | None = None, sort: str | None = None
) -> Comparison:
    """Compares runs, the best first.

    Args:
        metric: to rank them by; by default the first that the specs name.
        sort: the column to sort by; by default the rank.
    """
    sets = list(dict.fromkeys(name for run in runs for name in run.metrics.tests))
    judged = next((s for s in sets if metric and metric.startswith(f"{of_test_set(s)}_")), "")
    if judged and metric:
        metric = metric.removeprefix(f"{of_test_set(judged)}_")
        runs = [replace(run, test_set=judged) for run in runs]
    entries = grouped(runs)
    chosen = _metric(entries, metric)
    entries = _labelled(_ranked(entries, chosen))
    verdicts = judge(entries, chosen)
    for name in sets if not judged else ():
        verdicts += _on_test_set(entries, chosen, name)
    shared, keys = differing(entries)
    columns = _columns(entries, chosen, keys, sets)
    if sort is not None:
        order = _order(columns, sort)
        entries = [entries[place] for place in order]
        columns = tuple(
            replace(column, values=tuple(column.values[place] for place in order))
            for column in columns
        )
    shown = {id(run) for entry in entries for run in entry.runs}
    groups = experiments(runs)
    return Comparison(
        entries=tuple(entries),
        metric=chosen,
        shared=shared,
        columns=columns,
        verdicts=tuple(verdicts),
        seeds=groups[0] if len(groups) == 1 and groups[0].is_group else None,
        repeated=tuple(run for run in runs if id(run) not in shown),
    )


def _on_test_set(entries: Sequence[Entry], metric: str, name: str) -> list[Verdict]:
    """The verdicts over the rows of one of several test sets."""
    judged = [
        replace(entry, runs=tuple(replace(run, test_set=name) for run in entry.runs))
        for entry in entries
        if all(name in run.metrics.tests for run in entry.runs)
    ]
    verdicts = judge(_ranked(judged, metric), metric)
    return [replace(v, test_set=name) for v in verdicts if v.verdict != NOT_COMPARABLE]


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
    """Whether more of a metric is better."""
    keras_names = (entry.first.reported.get(metric) for entry in entries)
    keras_name = next((name for name in keras_names if name), None)
    return keras_name is not None and metric != "loss" and improves_upwards(keras_name)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not math.isnan(value)


def _sort_key(value: object, *, upwards: bool | None) -> tuple[bool, float]:
    """Sorts numbers, and missing values after them."""
    if not _is_number(value):
        return True, 0
    return False, -value if upwards else value


def _ranked(entries: Sequence[Entry], metric: str) -> list[Entry]:
    """Finished entries first, the best of them first; a stable order."""
    upwards = _upwards(entries, metric)
    return sorted(
        entries,
        key=lambda entry: (not entry.is_finished, _sort_key(entry.score(metric), upwards=upwards)),
    )


def _order(columns: Sequence[Column], name: str) -> list[int]:
    """The places of the entries, sorted by a column."""
    full_name = matching(name, [column.name for column in columns])
    column = next((column for column in columns if column.name == full_name), None)
    if column is None:
        names = ", ".join(column.name for column in columns)
        raise CommandError(f"--sort {name}: there is no such column; there is {names}")
    keys: Sequence[tuple[bool, float] | tuple[bool, str]]
    if all(isinstance(value, int | float | None) for value in column.means):
        keys = [_sort_key(value, upwards=column.upwards) for value in column.means]
    else:
        keys = [(value is None, str(value)) for value in column.means]
    return sorted(range(len(keys)), key=keys.__getitem__)


def _labelled(entries: Sequence[Entry]) -> list[Entry]:
    """The entries with their labels."""
    paths = [entry.first.run.path for entry in entries]
    labels = [entry.name for entry in entries]
    # Folds of several runs have the same folder names too.
    for longer in ([path.name for path in paths], [str(Path(*path.parts[-2:])) for path in paths]):
        count = Counter(labels)
        pairs = zip(labels, longer, strict=True)
        labels = [label if count[label] == 1 else other for label, other in pairs]
    return [replace(entry, label=label) for entry, label in zip(entries, labels, strict=True)]


def _columns(
    entries: Sequence[Entry],
    metric: str,
    keys: Mapping[str, list[object]],
    test_sets: Sequence[str],
) -> tuple[Column, ...]:
    columns = [
        Column("name", tuple(entry.label for entry in entries)),
        Column("status", tuple(entry.status for entry in entries)),
        *(Column(key, tuple(values)) for key, values in keys.items()),
        Column("best_epoch", _means([run.metrics.best_epoch for run in e.runs] for e in entries)),
    ]
    names = dict.fromkeys([metric, *(name for entry in entries for name in entry.first.reported)])
    for name in filter(None, names):
        upwards = _upwards(entries, name)
        for rows, prefix in (SPLITS | {of_test_set(s): of_test_set(s) for s in test_sets}).items():
            spreads = [entry.spread(rows, name) for entry in entries]
            if any(spread["mean"] is not None for spread in spreads):
                cells = [s if s.get("std") is not None else s["mean"] for s in spreads]
                columns.append(Column(f"{prefix}_{name}", tuple(cells), upwards))
    seconds = _means([run.metrics.seconds.get("total") for run in e.runs] for e in entries)
    parameters = tuple(entry.first.metrics.parameters for entry in entries)
    columns.append(Column("seconds", seconds, upwards=False))
    return *columns, Column("parameters", parameters, upwards=False)


def _means(values: Iterable[Sequence[float | None]]) -> tuple[float | None, ...]:
    """The mean of the known values of each entry; a single one as it is."""
    means: list[float | None] = []
    for of_entry in values:
        numbers = [value for value in of_entry if value is not None]
        means.append(sum(numbers) / len(numbers) if len(numbers) > 1 else next(iter(numbers), None))
    return tuple(means)


def standings(facts: Iterable[Facts]) -> dict[Path, Standing]:
    """Ranks the runs of each name, and its cross-validations among themselves.

    Of two runs that are equally good the later one comes first.
    """
    groups: dict[tuple[str, bool], list[Facts]] = {}
    for run in facts:
        groups.setdefault((run.name, run.has_folds), []).append(run)
    result = {}
    for runs in groups.values():
        entries = [Entry((run,)) for run in runs]
        metric = _metric(entries, None)
        ranked = [
            entry.first.run.path
            for entry in _ranked(entries[::-1], metric)
            if entry.is_finished and _is_number(entry.score(metric))
        ]
        places = {path: place for place, path in enumerate(ranked, start=1)}
        for run in runs:
            result[run.run.path] = Standing(places.get(run.run.path), len(ranked), metric)
    return result
