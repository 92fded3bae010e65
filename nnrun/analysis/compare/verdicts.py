"""Which entry is better than which, in words and numbers, or why that cannot be said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnrun.analysis.compare import statistics
from nnrun.analysis.compare.entries import Entry
from nnrun.analysis.compare.statistics import Estimate
from nnrun.errors import RunError

# So many of the best are tested against the very best; a test reads predictions.
TESTED = 20
# So many names are listed before it is only said that there are more.
LISTED = 5

BETTER = "better"
SAME = "no difference shown"
UNTESTED = "not tested"
NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True)
class Verdict:
    """What can be said of two entries.

    Args:
        first, second: their names; the first is the one with the better value.
        verdict: `better` says the first is; else `no difference shown`, `not tested` or
            `not comparable`.
        reason: why it is not tested or not comparable.
        metric: what was compared, in words.
        estimate: first minus second.
        adjusted: its p after Holm.
        comparisons: how many that was done for.
    """

    first: str
    second: str
    verdict: str
    reason: str = ""
    metric: str = ""
    estimate: Estimate | None = None
    adjusted: float | None = None
    comparisons: int = 1

    def sentence(self) -> str:
        """The verdict as one line."""
        if self.verdict == NOT_COMPARABLE:
            return f"{self.first} and {self.second} are not comparable: {self.reason}"
        if self.verdict == UNTESTED:
            return f"{self.first} and {self.second} are not tested: {self.reason}"
        if self.estimate is None or self.adjusted is None:
            return ""
        found = self.estimate
        said = (
            f"{self.first} is better than {self.second}"
            if self.verdict == BETTER
            else f"no difference shown between {self.first} and {self.second}"
        )
        times = f", Holm over {self.comparisons}" if self.comparisons > 1 else ""
        p = "p < 0.001" if self.adjusted < 0.001 else f"p = {self.adjusted:.3f}"
        return (
            f"{said}: {self.metric} {found.effect:+.4f}, 95 % interval {found.low:+.4f} to "
            f"{found.high:+.4f}, {p}, level {found.level} ({found.test}{times})"
        )

    @property
    def is_of_rows(self) -> bool:
        """Whether two trained models were tested, whose seeds may have made the difference."""
        return self.estimate is not None and self.estimate.level == statistics.LEVEL_OF_ROWS


def judge(entries: Sequence[Entry], metric: str, label: Callable[[Entry], str]) -> list[Verdict]:
    """Compares every finished entry with the best of those it can be compared with.

    Args:
        entries: the best first.
        metric: as the history calls it.
        label: what an entry is called.

    Returns:
        For each class of comparable entries the verdicts against its best, then a verdict for each
        further class that says why it cannot be compared with the first.
    """
    classes: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in entries:
        if entry.finished:
            classes.setdefault(_kind(entry, metric), []).append(entry)
    first, *others = [*classes.values()] or [[]]
    found = [
        verdict for alike in (first, *others) for verdict in _against_best(alike, metric, label)
    ]
    for alike in others:
        reason = _incomparable(first[0], alike[0], metric, label)
        names = _listed([label(entry) for entry in alike])
        found.append(Verdict(label(first[0]), names, NOT_COMPARABLE, reason))
    return found


def _kind(entry: Entry, metric: str) -> tuple[Any, ...]:
    """Equal for entries that can be compared."""
    facts = entry.first
    judged = entry.judged(metric) is not None
    return judged, facts.record.data_digest, facts.has_folds, entry.split, facts.judged


def _incomparable(first: Entry, second: Entry, metric: str, label: Callable[[Entry], str]) -> str:
    """Why two entries of different kinds cannot be compared."""
    facts, others = first.first, second.first
    for entry in (second, first):
        if entry.judged(metric) is None:
            names = ", ".join(entry.first.reported) or "no metric"
            return f"the metric differs: {label(entry)} reports {names}, not {metric}"
    if facts.record.data_digest != others.record.data_digest:
        return "the data differ (data_digest)"
    if facts.has_folds != others.has_folds:
        return "one is cross-validated, the other is not"
    if first.split != second.split:
        what = "folds are" if facts.has_folds else "rows held out are"
        return f"the split differs: the {what} not the same (split_digest)"
    return f"one is judged by {facts.judged} rows, the other by {others.judged} rows"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _against_best(
    alike: Sequence[Entry], metric: str, label: Callable[[Entry], str]
) -> list[Verdict]:
    if not alike or alike[0].judged(metric) is None:
        return []
    best, *others = alike
    tested: list[tuple[Verdict, Estimate]] = []
    untested: list[Verdict] = []
    for other in others[: TESTED - 1]:
        verdict = Verdict(label(best), label(other), SAME)
        match estimate(best, other, metric):
            case str() as reason:
                untested.append(replace(verdict, verdict=UNTESTED, reason=reason))
            case (name, found):
                tested.append((replace(verdict, metric=name, estimate=found), found))
    # The best was found by looking at all, so that any pair might have been the one to be tested.
    pairs = len(alike) * (len(alike) - 1) // 2
    adjusted = statistics.holm([found.p for _, found in tested], family=pairs)
    verdicts = [
        replace(
            verdict,
            verdict=BETTER if p < found.level and found.excludes_zero else SAME,
            adjusted=p,
            comparisons=pairs,
        )
        for (verdict, found), p in zip(tested, adjusted, strict=True)
    ]
    if len(alike) > TESTED:
        reason = f"of so many only the best {TESTED} are"
        more = f"{len(alike) - TESTED} more"
        untested.append(Verdict(label(best), more, UNTESTED, reason))
    return [*verdicts, *untested]


def estimate(first: Entry, second: Entry, metric: str) -> tuple[str, Estimate] | str:
    """What was compared and how it came out; or why no test can be made.

    Raises:
        RunError: predictions cannot be read.
    """
    if first.is_group or second.is_group:
        return _of_seeds(first, second, metric)
    if first.first.has_folds:
        return _of_folds(first, second, metric)
    return _of_rows(first, second, metric)


def _of_seeds(first: Entry, second: Entry, metric: str) -> tuple[str, Estimate] | str:
    rows = first.first.judged
    values = [entry.values(rows, metric) for entry in (first, second)]
    if [len(each) for each in values] != [len(first.runs), len(second.runs)]:
        return f"{metric} is not a number for every seed"
    found = statistics.of_seeds(*values)
    return (f"{rows} {metric}", found) if found else "no seed makes any difference"


def _of_folds(first: Entry, second: Entry, metric: str) -> tuple[str, Estimate] | str:
    values = [entry.first.folds(metric) for entry in (first, second)]
    known = first.first.record.folds or []
    if len({len(known), *map(len, values)}) > 1 or not all(fold.train for fold in known):
        return "their metrics are not of as many folds as they have"
    both = [
        (one, other)
        for one, other in zip(*values, strict=True)
        if one is not None and other is not None
    ]
    if len(both) < 2:
        return "fewer than two folds are there of both"
    sizes = [fold.validation / fold.train for fold in known]
    one, other = zip(*both, strict=True)
    found = statistics.of_folds(one, other, ratio=float(np.mean(sizes)))
    return (f"validation {metric}", found) if found else "they differ by the same in every fold"


def _of_rows(first: Entry, second: Entry, metric: str) -> tuple[str, Estimate] | str:
    try:
        one, other = (statistics.of_run(entry.first, metric) for entry in (first, second))
    except RunError as error:
        return str(error)
    if one is None or other is None:
        return "the predictions are not there"
    if one.name != other.name:
        return f"one is scored by {one.name}, the other by {other.name}"
    if not (np.array_equal(one.rows, other.rows) and np.array_equal(one.target, other.target)):
        return "the predictions are not of the same rows"
    found = statistics.of_rows(one.values, other.values)
    if found.effect and (found.effect > 0) != one.upwards:
        return f"{metric} has no value per row, and by the {one.name} the order is the other"
    return f"{first.first.judged} {one.name}", found
