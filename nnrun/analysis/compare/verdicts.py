"""Which entry is better than which, in words and numbers, or why that is unknown."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nnrun.analysis.compare import statistics
from nnrun.analysis.compare.entries import Entry
from nnrun.analysis.compare.statistics import Estimate
from nnrun.errors import RunError
from nnrun.spec.text import shorten_list

TESTED = 20
"""Number of the best entries that are tested against the best one; a test reads predictions."""
LISTED = 5
"""Number of names that are listed; more are only counted."""

BETTER = "better"
SAME = "no difference shown"
UNTESTED = "not tested"
NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True)
class Verdict:
    """The result of comparing two entries.

    Args:
        first, second: their names; the first has the better value.
        verdict: `better` if the first is, else `no difference shown`, `not tested` or
            `not comparable`.
        reason: why it is not tested or not comparable.
        metric: the compared metric, in words.
        estimate: first minus second.
        adjusted: its p-value after Holm's correction.
        comparisons: how many comparisons that corrects for.
        test_set: one of several test sets, whose rows are compared.
    """

    first: str
    second: str
    verdict: str
    reason: str = ""
    metric: str = ""
    estimate: Estimate | None = None
    adjusted: float | None = None
    comparisons: int = 1
    test_set: str = ""

    def sentence(self) -> str:
        """The verdict as one line."""
        sentence = self._sentence()
        return f"on {self.test_set}: {sentence}" if self.test_set and sentence else sentence

    def _sentence(self) -> str:
        if self.verdict == NOT_COMPARABLE:
            return f"{self.first} and {self.second} are not comparable: {self.reason}"
        if self.verdict == UNTESTED:
            return f"{self.first} and {self.second} are not tested: {self.reason}"
        if self.estimate is None or self.adjusted is None:
            return ""
        estimate = self.estimate
        verdict = f"no difference shown between {self.first} and {self.second}"
        if self.verdict == BETTER:
            verdict = f"{self.first} is better than {self.second}"
        correction = f", Holm over {self.comparisons}" if self.comparisons > 1 else ""
        p = "p < 0.001" if self.adjusted < 0.001 else f"p = {self.adjusted:.3f}"
        return (
            f"{verdict}: {self.metric} {estimate.effect:+.4f}, 95 % interval {estimate.low:+.4f} "
            f"to {estimate.high:+.4f}, {p}, level {estimate.level} ({estimate.test}{correction})"
        )

    @property
    def is_of_rows(self) -> bool:
        """Whether two trained models were tested, so that the seeds may be the only difference."""
        return self.estimate is not None and self.estimate.level == statistics.LEVEL_OF_ROWS


def judge(entries: Sequence[Entry], metric: str) -> list[Verdict]:
    """Compares every finished entry, given best first, with the best comparable one.

    Returns:
        For each class of comparable entries the verdicts against its best entry, then for each
        further class why it cannot be compared with the first.
    """
    classes: dict[Hashable, list[Entry]] = {}
    for entry in entries:
        if entry.is_finished:
            run, has_metric = entry.first, entry.score(metric) is not None
            key = (has_metric, run.record.data_digest, run.has_folds, entry.split, run.judged)
            classes.setdefault(key, []).append(entry)
    groups = list(classes.values())
    verdicts = [verdict for group in groups for verdict in _against_best(group, metric)]
    for group in groups[1:]:
        best = groups[0][0]
        reason = _incomparable(best, group[0], metric)
        names = ", ".join(shorten_list([entry.label for entry in group], LISTED))
        verdicts.append(Verdict(best.label, names, NOT_COMPARABLE, reason))
    return verdicts


def _incomparable(first: Entry, second: Entry, metric: str) -> str:
    one, other = first.first, second.first
    for entry in (second, first):
        if entry.score(metric) is None:
            names = ", ".join(entry.first.reported) or "no metric"
            return f"the metric differs: {entry.label} reports {names}, not {metric}"
    if one.record.data_digest != other.record.data_digest:
        return "the data differ (data_digest)"
    if one.has_folds != other.has_folds:
        return "one is cross-validated, the other is not"
    if first.split != second.split:
        what = "folds are" if one.has_folds else "rows held out are"
        return f"the split differs: the {what} not the same (split_digest)"
    return f"one is ranked by {one.judged} rows, the other by {other.judged} rows"


def _against_best(entries: Sequence[Entry], metric: str) -> list[Verdict]:
    best, *others = entries
    if best.score(metric) is None:
        return []
    tested: list[tuple[Verdict, Estimate]] = []
    untested: list[Verdict] = []
    for other in others[: TESTED - 1]:
        verdict = Verdict(best.label, other.label, SAME)
        match _estimate(best, other, metric):
            case str() as reason:
                untested.append(replace(verdict, verdict=UNTESTED, reason=reason))
            case (name, estimate):
                tested.append((replace(verdict, metric=name, estimate=estimate), estimate))
    # The best was chosen after looking at all, so any pair might have been tested.
    pairs = len(entries) * (len(entries) - 1) // 2
    adjusted = statistics.holm([estimate.p for _, estimate in tested], family=pairs)
    verdicts = [
        replace(
            verdict,
            # Zero must be outside of the interval too.
            verdict=BETTER
            if p < estimate.level and max(estimate.low, -estimate.high) > 0
            else SAME,
            adjusted=p,
            comparisons=pairs,
        )
        for (verdict, estimate), p in zip(tested, adjusted, strict=True)
    ]
    if len(entries) > TESTED:
        reason = f"only the best {TESTED} are"
        untested.append(Verdict(best.label, f"{len(entries) - TESTED} more", UNTESTED, reason))
    return [*verdicts, *untested]


def _estimate(first: Entry, second: Entry, metric: str) -> tuple[str, Estimate] | str:
    """The compared metric and the estimate; or the reason why no test is possible."""
    if first.is_group or second.is_group:
        return _of_seeds(first, second, metric)
    if first.first.has_folds:
        return _of_folds(first, second, metric)
    return _of_rows(first, second, metric)


def _of_seeds(first: Entry, second: Entry, metric: str) -> tuple[str, Estimate] | str:
    rows = first.first.judged
    one, other = first.values(rows, metric), second.values(rows, metric)
    if (len(one), len(other)) != (len(first.runs), len(second.runs)):
        return f"{metric} is not a number for every seed"
    estimate = statistics.of_seeds(one, other)
    return (
        (f"{rows.replace('_', ' ')} {metric}", estimate)
        if estimate
        else "the metric is the same for all seeds"
    )


def _of_folds(first: Entry, second: Entry, metric: str) -> tuple[str, Estimate] | str:
    values = [entry.first.folds(metric) for entry in (first, second)]
    folds = first.first.record.folds or []
    if len({len(folds), *map(len, values)}) > 1 or not all(fold.train for fold in folds):
        return "their metrics have another number of folds"
    both = [
        (one, other)
        for one, other in zip(*values, strict=True)
        if one is not None and other is not None
    ]
    if len(both) < 2:
        return "fewer than two folds have results of both"
    ratio = float(np.mean([fold.validation / fold.train for fold in folds]))
    one, other = zip(*both, strict=True)
    estimate = statistics.of_folds(one, other, ratio=ratio)
    return (f"validation {metric}", estimate) if estimate else "all folds differ by the same"


def _of_rows(first: Entry, second: Entry, metric: str) -> tuple[str, Estimate] | str:
    try:
        one, other = (statistics.of_run(entry.first, metric) for entry in (first, second))
    except RunError as error:
        return str(error)
    if one is None or other is None:
        return "there are no predictions"
    if one.name != other.name:
        return f"one is scored by {one.name}, the other by {other.name}"
    if not (np.array_equal(one.rows, other.rows) and np.array_equal(one.target, other.target)):
        return "the predictions are not of the same rows"
    estimate = statistics.of_rows(one.values, other.values)
    if estimate is None:
        return "the difference is the same in every row, or a row has no finite score"
    if estimate.effect and (estimate.effect > 0) != one.upwards:
        return f"{metric} has no value per row, and the {one.name} ranks them the other way round"
    return f"{first.first.judged.replace('_', ' ')} {one.name}", estimate
