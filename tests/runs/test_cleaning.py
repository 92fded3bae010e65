"""Which runs the rules let go: all given must agree, and what is running never goes."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nnrun import runs
from nnrun.errors import CommandError
from nnrun.runs import Run, cleaning, layout
from nnrun.runs.cleaning import Rules, RunInfo, Standing

NOW = datetime(2026, 6, 1)
MB = 1_000_000


def subject(
    name: str, *, status: str = layout.FINISHED, days: float | None = 1, size: int = MB
) -> RunInfo:
    ended = None if days is None else NOW - timedelta(days=days)
    return RunInfo(Run(Path(name)), status, ended, size)


def gone(rules: Rules, *subjects: RunInfo, **standings: Standing) -> dict[str, tuple[str, ...]]:
    """The names of the runs that may go, in their order, each with the reasons."""
    ranked = {Path(name): standing for name, standing in standings.items()}
    plan = cleaning.plan(subjects, rules, now=NOW, standings=ranked)
    return {removal.subject.run.path.name: removal.reasons for removal in plan.removals}


def test_a_named_run_goes() -> None:
    rules = Rules(named=frozenset({Path("a")}))

    assert gone(rules, subject("a"), subject("b")) == {"a": ("named",)}


@pytest.mark.parametrize("status", [layout.FAILED, layout.INTERRUPTED, layout.CRASHED])
def test_a_run_that_ended_so_goes(status: str) -> None:
    rules = Rules(statuses=frozenset({status}))

    assert gone(rules, subject("a", status=status), subject("b")) == {"a": (status,)}


def test_a_run_goes_that_ended_longer_ago() -> None:
    """To the second: whoever says 30d keeps what is 30 days old."""
    rules = Rules(age=timedelta(days=30))
    young, old = subject("young", days=30), subject("old", days=30.5)

    assert gone(rules, young, old) == {"old": ("30 days old",)}


def test_an_age_of_hours_is_told_in_hours() -> None:
    rules = Rules(age=timedelta(minutes=30))

    assert gone(rules, subject("a", days=1.5 / 24), subject("b", days=1)) == {
        "b": ("1 day old",),
        "a": ("1 hour old",),
    }


def test_a_run_that_does_not_say_when_it_ended_is_not_old() -> None:
    assert gone(Rules(age=timedelta()), subject("a", days=None)) == {}


def test_all_but_the_best_go() -> None:
    standings = {name: Standing(place, 3, "accuracy") for place, name in enumerate("abc", start=1)}

    assert gone(Rules(keep_best=2), *map(subject, "abc"), **standings) == {
        "c": ("number 3 of 3 by accuracy",)
    }


def test_what_has_no_rank_is_none_of_the_best() -> None:
    """A failed training has no result, and one without the metric cannot be the best by it."""
    failed, other, bare = subject("a", status=layout.FAILED), subject("b"), subject("c")
    standings = {"a": Standing(None, 1, "accuracy"), "b": Standing(None, 1, "accuracy")}

    assert gone(Rules(keep_best=1), failed, other, bare, **standings, c=Standing(None, 0, "")) == {
        "a": ("not ranked: failed",),
        "b": ("not ranked: no accuracy",),
        "c": ("not ranked: no metrics",),
    }


def test_what_could_not_be_read_is_not_ranked_and_stays() -> None:
    assert gone(Rules(keep_best=1), subject("a")) == {}


def test_the_oldest_go_until_all_fit_in() -> None:
    found = [subject(name, days=days) for name, days in {"b": 2, "a": 1, "c": 3}.items()]

    assert gone(Rules(max_size=MB), *found) == {
        "c": ("3.0 MB in all, above 1.0 MB",),
        "b": ("2.0 MB in all, above 1.0 MB",),
    }


def test_what_fits_in_stays() -> None:
    assert gone(Rules(max_size=2 * MB), subject("a"), subject("b")) == {}


def test_a_run_without_a_time_goes_last() -> None:
    """Nobody knows that it is old."""
    assert list(gone(Rules(max_size=0), subject("a", days=None), subject("b"))) == ["b", "a"]


def test_the_size_is_that_of_all_runs_but_only_those_go_that_the_other_rules_let_go() -> None:
    """It comes last: of the failed ones so many go as are needed, and no finished one."""
    failed = [subject(name, status=layout.FAILED, days=days) for name, days in (("x", 5), ("y", 9))]
    rules = Rules(statuses=frozenset({layout.FAILED}), max_size=3 * MB)

    assert gone(rules, subject("old", days=99), subject("new"), *failed) == {
        "y": ("failed", "4.0 MB in all, above 3.0 MB")
    }


def test_a_running_run_counts_for_the_size_and_stays() -> None:
    running = subject("a", status=layout.RUNNING, days=9, size=5 * MB)
    plan = cleaning.plan([running, subject("b")], Rules(max_size=MB), now=NOW)

    assert [removal.subject.run.path.name for removal in plan.removals] == ["b"]
    assert (plan.staying, plan.left, plan.freed) == (1, 5 * MB, MB)


RULES: dict[str, Any] = {
    "named": frozenset({Path("all"), Path("named")}),
    "statuses": frozenset({layout.FAILED}),
    "age": timedelta(days=30),
    "keep_best": 1,
}


@pytest.mark.parametrize("missing", RULES)
def test_a_run_stays_of_which_one_given_rule_says_so(missing: str) -> None:
    """Of two runs one meets all rules, the other all but one; without that one both go."""
    meets = {
        "named": "named" if missing != "named" else "other",
        "status": layout.FAILED if missing != "statuses" else layout.FINISHED,
        "days": 40 if missing != "age" else 20,
    }
    place = 9 if missing != "keep_best" else 1
    pair = (
        subject("all", status=layout.FAILED, days=41),
        subject(meets["named"], status=meets["status"], days=meets["days"]),
    )
    standings = {"all": Standing(9, 9, "mae"), meets["named"]: Standing(place, 9, "mae")}
    less = {key: rule for key, rule in RULES.items() if key != missing}

    assert list(gone(Rules(**RULES), *pair, **standings)) == ["all"]
    assert list(gone(Rules(**less), *pair, **standings)) == ["all", meets["named"]]


@pytest.mark.parametrize("rule", RULES)
def test_a_running_run_stays_whatever_the_rules_say(rule: str) -> None:
    rules = Rules(**{rule: RULES[rule]}, max_size=0)
    running = subject("all", status=layout.RUNNING, days=99)

    assert gone(rules, running, all=Standing(9, 9, "mae")) == {}


def test_a_rule_that_names_nothing_is_given_all_the_same() -> None:
    """All that was named was no run: that must not mean every run."""
    assert Rules(named=frozenset()).are_given
    assert gone(Rules(named=frozenset()), subject("a")) == {}
    assert not Rules().are_given


@pytest.mark.parametrize("text", ["", "30", "d", "-3d", "3m", "1e3d", "d3", "9" * 400 + "w"])
def test_what_is_no_age_is_refused(text: str) -> None:
    message = f"^--older-than {text}: must be hours, days or weeks, such as 36h, 30d or 2w$"
    with pytest.raises(CommandError, match=message):
        cleaning.age(text)


@pytest.mark.parametrize("text", ["", "G", "-2G", "2X", "2 kilo", "1e9", "9" * 400])
def test_what_is_no_size_is_refused(text: str) -> None:
    message = f"^--max-size {text}: must be a size, such as 500M or 2G$"
    with pytest.raises(CommandError, match=message):
        cleaning.bytes_of(text)


@pytest.mark.parametrize(
    ("text", "count"),
    {"0": 0, "800": 800, "12k": 12e3, "1.5MB": 1.5e6, "2gb": 2e9, "1T": 1e12}.items(),
)
def test_a_size_has_the_units_of_a_gate(text: str, count: float) -> None:
    assert cleaning.bytes_of(text) == count


@pytest.mark.parametrize(
    ("ended", "expected"),
    {
        "2026-03-01T12:00:00": datetime(2026, 3, 1, 12),
        None: datetime(2026, 1, 2),
        "soon": datetime(2026, 1, 2),
    }.items(),
    ids=str,
)
def test_the_time_is_the_records_and_no_files(
    tmp_path: Path, ended: str | None, expected: datetime
) -> None:
    """A copied run folder is as old as its run; one that never ended as old as its beginning."""
    run = runs.create(tmp_path, "a", now=datetime(2026, 1, 2), record={})
    run.update(status=layout.FINISHED, ended=ended)

    assert cleaning.read(run).ended == expected


def test_a_time_with_a_zone_is_the_same_moment(tmp_path: Path) -> None:
    run = runs.create(tmp_path, "a", now=datetime(2026, 1, 2), record={})
    moment = datetime(2026, 3, 1, 12)
    run.update(status=layout.FAILED, ended=moment.astimezone().isoformat())

    assert cleaning.read(run).ended == moment
