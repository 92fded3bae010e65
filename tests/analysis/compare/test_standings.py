"""Which run of a name is the best is what `compare` says, each run taken by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nnrun.analysis import compare
from nnrun.analysis.compare.table import standings
from nnrun.runs import layout
from nnrun.runs.cleaning import Standing


def places(*facts: compare.Facts) -> list[int | None]:
    found = standings(facts)
    return [found[run.run.path].place for run in facts]


def test_the_order_is_that_of_compare(make: Any, answers: Callable[[int], Any]) -> None:
    facts = [make.classifier(f"n{right}", answers(right)) for right in (150, 190, 120)]
    order = [entry.first.run.path for entry in compare.compare(facts).entries]
    metric, ranked = compare.ranking(facts)

    assert [run.run.path for run in ranked] == order
    assert metric == compare.compare(facts).metric == "accuracy"


def test_less_is_better_where_the_metric_is_an_error(make: Any) -> None:
    facts = [make.regression("boston", [off, -off, off]) for off in (2.0, 1.0, 3.0)]

    assert places(*facts) == [2, 1, 3]
    assert standings(facts)[facts[0].run.path] == Standing(2, 3, "mae")


def test_each_seed_is_a_run_by_itself(make: Any, answers: Callable[[int], Any]) -> None:
    """`compare` takes them for one row, but each is a folder that may go."""
    facts = [make.classifier("iris", answers(100 + seed), seed=seed) for seed in range(3)]

    assert places(*facts) == [3, 2, 1]


def test_each_name_has_a_best_of_its_own(make: Any, answers: Callable[[int], Any]) -> None:
    facts = [make.classifier(name, answers(right)) for name, right in (("a", 9), ("b", 5))]

    assert places(*facts) == [1, 1]


def test_a_cross_validation_is_not_ranked_among_trainings(
    make: Any, answers: Callable[[int], Any]
) -> None:
    """The one is judged by rows held out, the other by test rows."""
    facts = [make.classifier("a", answers(100)), make.folds("a", [0.7, 0.8])]

    assert places(*facts) == [1, 1]


def test_a_run_that_did_not_finish_has_no_place(make: Any, answers: Callable[[int], Any]) -> None:
    """Its metrics are those of some epoch, not of a whole training."""
    good = make.classifier("a", answers(199), status=layout.INTERRUPTED)
    poor = make.classifier("a", answers(100))
    none = compare.read(make.run("a", {}, {}))

    assert places(good, poor, none) == [None, 1, None]


def test_a_metric_that_is_no_number_has_no_place(make: Any) -> None:
    split = {"loss": None, "accuracy": None}
    facts = compare.read(make.run("a", {}, {"train": split, "test": split}))

    assert places(facts) == [None]


def test_of_two_as_good_the_later_comes_first(make: Any, answers: Callable[[int], Any]) -> None:
    """A run that was repeated to the bit is worth keeping once."""
    facts = [make.classifier("a", answers(100)) for _ in range(2)]

    assert places(*facts) == [2, 1]
