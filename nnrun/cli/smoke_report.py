"""What is said of a smoke run when it is over: a table, or Markdown for a CI service's page."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nnrun.cli import outcome
from nnrun.cli.outcome import Outcome

HEADER = ("spec", "data", "seconds", "result")


def show(outcomes: Sequence[Outcome], out: Console, *, seconds: float) -> None:
    """Prints a row per spec, the reasons of those that did not pass, and a sentence on all.

    Args:
        outcomes: in the order of the command.
        out: where to.
        seconds: that the whole took.
    """
    table = Table()
    for name in HEADER:
        table.add_column(name, justify="right" if name == "seconds" else "left")
    for each in outcomes:
        table.add_row(*map(escape, _cells(each)))
    out.print(table)
    for each in outcomes:
        for reason in each.reasons:
            out.print(reason, markup=False, soft_wrap=True)
    out.print(_sentence(outcomes, seconds), markup=False)


def markdown(outcomes: Sequence[Outcome], *, seconds: float) -> str:
    """The same as GitHub shows it on the page of a workflow."""
    rows = [HEADER, ("---", "---", "---:", "---"), *map(_cells, outcomes)]
    lines = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    reasons = [f"- {reason}" for each in outcomes for reason in each.reasons]
    parts = ["### nnrun smoke", "\n".join(lines), "\n".join(reasons), _sentence(outcomes, seconds)]
    return "\n\n".join(filter(None, parts)) + "\n"


def line(each: Outcome) -> str:
    """What is printed as a trial ends, where no bar is drawn."""
    return "  ".join(filter(None, [each.result, each.spec, each.rows, f"{each.seconds:.2f} s"]))


def _cells(each: Outcome) -> tuple[str, ...]:
    tried = each.status not in (outcome.REFUSED, outcome.UNTRIED)
    return each.spec, each.rows, f"{each.seconds:.2f}" if tried else "", each.result


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _sentence(outcomes: Sequence[Outcome], seconds: float) -> str:
    passed = sum(each.status == outcome.PASSED for each in outcomes)
    return f"{passed} of {len(outcomes)} passed in {seconds:.1f} s"
