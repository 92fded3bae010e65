"""Runs of each name are ranked as `compare` ranks them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nnrun.analysis import compare
from nnrun.analysis.compare import standings
from nnrun.runs import layout
from nnrun.runs.cleaning import Standing


def places(*facts: compare.Facts) -> list[int | None]:
    ranked = standings(facts)
    return [ranked[run.run.path].place for run in facts]


def test_the_order_is_that_of_compare(make: Any, answers: Callable[[int], Any]) -> None:
    rights = (150, 190, 120)
    facts = [make.classifier("a", answers(n), training={"epochs": n}) for n in rights]
    comparison = compare.compare(facts)
    paths = [entry.first.run.path for entry in comparison.entries]

    assert sorted(paths, key=lambda path: standings(facts)[path].place or 0) == paths
    assert standings(facts)[paths[0]] == Standing(1, 3, comparison.metric)


def test_a_smaller_error_is_better(make: Any) -> None:
    facts = [make.regression("boston", [off, -off, off]) for off in (2.0, 1.0, 3.0)]

    assert places(*facts) == [2, 1, 3]
    assert standings(facts)[facts[0].run.path] == Standing(2, 3, "mae")


def test_each_seed_is_ranked(make: Any, answers: Callable[[int], Any]) -> None:
    """`compare` shows them as one row, but each is a folder that may be deleted."""
    facts = [make.classifier("iris", answers(100 + seed), seed=seed) for seed in range(3)]

    assert places(*facts) == [3, 2, 1]


def test_each_name_has_its_own_best(make: Any, answers: Callable[[int], Any]) -> None:
    facts = [make.classifier(name, answers(right)) for name, right in (("a", 9), ("b", 5))]

    assert places(*facts) == [1, 1]


def test_a_cross_validation_is_not_ranked_among_trainings(
    make: Any, answers: Callable[[int], Any]
) -> None:
    facts = [make.classifier("a", answers(100)), make.folds("a", [0.7, 0.8])]

    assert places(*facts) == [1, 1]


def test_an_unfinished_run_has_no_place(make: Any, answers: Callable[[int], Any]) -> None:
    good = make.classifier("a", answers(199), status=layout.INTERRUPTED)
    poor = make.classifier("a", answers(100))
    none = compare.read(make.run("a", {}, {}))

    assert places(good, poor, none) == [None, 1, None]


def test_a_run_without_a_value_has_no_place(make: Any) -> None:
    split = {"loss": None, "accuracy": None}
    facts = compare.read(make.run("a", {}, {"train": split, "test": split}))

    assert places(facts) == [None]


def test_of_two_equal_runs_the_later_comes_first(make: Any, answers: Callable[[int], Any]) -> None:
    facts = [make.classifier("a", answers(100)) for _ in range(2)]

    assert places(*facts) == [2, 1]
