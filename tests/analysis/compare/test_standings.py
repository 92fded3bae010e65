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


def test_each_seed_is_ranked(make: Any, answers: Callable[[int], Any]) -> None:
    """`compare` shows them as one row, but each is a folder that may be deleted."""
    facts = [make.classifier("iris", answers(100 + seed), seed=seed) for seed in range(3)]

    assert places(*facts) == [3, 2, 1]


def test_of_two_equal_runs_the_later_comes_first(make: Any, answers: Callable[[int], Any]) -> None:
    facts = [make.classifier("a", answers(100)) for _ in range(2)]

    assert places(*facts) == [2, 1]


def test_names_and_cross_validations_are_ranked_among_themselves(
    make: Any, answers: Callable[[int], Any]
) -> None:
    facts = [make.classifier("a", answers(9)), make.classifier("b", answers(5))]

    assert places(*facts, make.folds("a", [0.7, 0.8])) == [1, 1, 1]


def test_an_unfinished_run_or_one_without_a_value_has_no_place(
    make: Any, answers: Callable[[int], Any]
) -> None:
    good = make.classifier("a", answers(199), status=layout.INTERRUPTED)
    poor = make.classifier("a", answers(100))
    split = {"loss": None, "accuracy": None}
    others = [make.run("a", {}, {}), make.run("a", {}, {"train": split, "test": split})]

    assert places(good, poor, *map(compare.read, others)) == [None, 1, None, None]
