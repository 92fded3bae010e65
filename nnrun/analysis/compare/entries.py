"""The rows of a comparison: a run each, or the runs of one experiment with several seeds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nnrun.analysis.compare.facts import TOLD, Facts, digest_of_split, finished
from nnrun.experiment.crossval import averages
from nnrun.runs.record import Spread
from nnrun.types import History


@dataclass(frozen=True)
class Entry:
    """One row: a run, or finished runs that differ by their seed alone, one per seed."""

    runs: tuple[Facts, ...]

    @property
    def first(self) -> Facts:
        """The run that speaks for what all have in common."""
        return self.runs[0]

    @property
    def name(self) -> str:
        """The experiment's."""
        return self.first.name

    @property
    def is_group(self) -> bool:
        """Whether it is several seeds."""
        return len(self.runs) > 1

    @property
    def status(self) -> str:
        """The run's; of several seeds all are finished."""
        return f"{len(self.runs)} seeds" if self.is_group else self.first.status

    @property
    def finished(self) -> bool:
        """Whether it can be judged."""
        return all(map(finished, self.runs))

    def values(self, rows: str, metric: str) -> list[float]:
        """A metric of each run that has it."""
        found = [run.values(rows).get(metric) for run in self.runs]
        return [value for value in found if value is not None]

    def spread(self, rows: str, metric: str) -> dict[str, Any]:
        """Mean, standard deviation (ddof 1) and 95 % interval over seeds, or over folds."""
        if self.is_group:
            return averages.over_seeds(self.values(rows, metric))
        value = self.first.on(rows).get(metric)
        return value.model_dump() if isinstance(value, Spread) else {"mean": value}

    def judged(self, metric: str) -> float | None:
        """By what it is ranked: the mean of the metric on the rows that say how good it is."""
        mean: float | None = self.spread(self.first.judged, metric)["mean"] if self.runs else None
        return mean

    def history(self) -> History:
        """The curve of the run; of several seeds the mean."""
        return averages.mean_curve([run.run.history() for run in self.runs])

    @cached_property
    def split(self) -> str:
        """Equal where the same rows train and validate, or where each seed draws them alike.

        The test rows, by which a training is judged, are the same for all seeds; the folds of a
        cross-validation are what it is judged by.
        """
        digests = {digest_of_split(run) for run in self.runs}
        rule = self.first.spec.get("validation") or {}
        drawn = (rule.get("holdout") or {}).get("take") == "random" and not self.first.has_folds
        if len(digests) == 1 and not drawn:
            return f"rows {digests.pop()}"
        part = {**(rule.get("kfold" if self.first.has_folds else "holdout") or {})}
        # What becomes of the folds afterwards has no part in how they are drawn.
        drawing = {key: part[key] for key in part if key not in ("smooth", "final")}
        return f"drawn {json.dumps(drawing, sort_keys=True)}"


def grouped(runs: Sequence[Facts]) -> list[Entry]:
    """A row per experiment; where all runs are of one, a row per seed.

    As one row there would be nothing to compare.
    """
    found = experiments(runs)
    return [Entry((run,)) for run in found[0].runs] if len(found) == 1 else found


def experiments(runs: Sequence[Facts]) -> list[Entry]:
    """Puts finished runs that differ by their seed alone together, in the order they came.

    A seed that was run twice counts once, the later run of the two: repeated to the bit it would
    make the spread look smaller than it is.
    """
    groups: dict[str, list[Facts]] = {}
    for run in runs:
        groups.setdefault(_without_seed(run), []).append(run)
    return [_one_per_seed(members) for members in groups.values()]


def one_experiment(runs: Sequence[Facts]) -> Entry | None:
    """All runs as one row, where they differ by their seed alone; else None."""
    found = experiments(runs)
    return found[0] if len(found) == 1 and found[0].is_group else None


def _one_per_seed(runs: Sequence[Facts]) -> Entry:
    return Entry(tuple({run.record.seed: run for run in runs}.values()))


def _without_seed(run: Facts) -> str:
    """Equal for runs of one experiment; a run that was not finished is a row of its own."""
    if not finished(run) or not run.spec:
        return str(run.run.path)
    ignored = {"seed", *TOLD} - {"name"}
    spec = {key: value for key, value in run.spec.items() if key not in ignored}
    # Folds of one cross-validation have its spec, but other rows.
    known = [run.has_folds, run.record.fold, run.record.data_digest, spec]
    return json.dumps(known, sort_keys=True)


def differing(entries: Sequence[Entry]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """What all specs have in common, and where they differ.

    Lists that are as long everywhere, such as models of as many layers, are compared place by
    place, and components of one name argument by argument.

    Returns:
        The shared keys with their values; and for each other key a value per entry, None where an
        entry has none.
    """
    specs = [_keys(entry) for entry in entries]
    shared: dict[str, Any] = {}
    others: dict[str, list[Any]] = {}
    for name in dict.fromkeys(name for spec in specs for name in spec):
        # What kept no spec has nothing in common with the others, and no word in it.
        values = [spec.get(name) for spec in specs if spec]
        for place, found in _places(name, values):
            if all(value == found[0] for value in found):
                shared[place] = found[0]
            else:
                each = iter(found)
                others[place] = [next(each) if spec else None for spec in specs]
    return shared, others


def _keys(entry: Entry) -> Mapping[str, Any]:
    keys = entry.first.keys
    if not entry.is_group:
        return keys
    return {name: value for name, value in keys.items() if name != "seed"}


def _places(name: str, values: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    if all(value == values[0] for value in values):
        yield name, values
    elif _length(values):
        for place, column in enumerate(zip(*values, strict=True)):
            yield from _places(f"{name}[{place}]", list(column))
    elif (own_name := _common_component(values)) is not None:
        for argument in dict.fromkeys(key for value in values for key in value[own_name]):
            parts = [value[own_name].get(argument) for value in values]
            yield f"{name}.{own_name}.{argument}", parts
    else:
        yield name, values


def _length(values: list[Any]) -> int:
    """How long all lists are; 0 where they are not as long, or no lists."""
    lengths = {len(value) if isinstance(value, list) else 0 for value in values}
    return lengths.pop() if len(lengths) == 1 else 0


def _common_component(values: list[Any]) -> str | None:
    """The name of the component that all values are, with arguments."""
    names = {
        next(iter(value)) if isinstance(value, dict) and len(value) == 1 else None
        for value in values
    }
    [name, *more] = names
    if more or name is None or not all(isinstance(value[name], dict) for value in values):
        return None
    return str(name)
