"""What is said of a smoke run when it is over: a table, or Markdown for a CI service's page."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nnrun import inert
from nnrun.cli import tried
from nnrun.cli.tried import Tried

HEADER = ("spec", "data", "seconds", "result")


def show(trials: Sequence[Tried], out: Console, *, seconds: float) -> None:
    """Prints a row per spec, the reasons of those that did not pass, and a sentence on all.

    Args:
        trials: in the order of the command.
        out: where to.
        seconds: that the whole took.
    """
    table = Table()
    for name in HEADER:
        table.add_column(name, justify="right" if name == "seconds" else "left")
    for each in trials:
        table.add_row(*map(escape, _cells(each)))
    out.print(table)
    for each in trials:
        for reason in each.reasons:
            out.print(reason, markup=False, soft_wrap=True)
    out.print(_sentence(trials, seconds), markup=False)


def markdown(trials: Sequence[Tried], *, seconds: float) -> str:
    """The same as GitHub shows it on the page of a workflow."""
    rows = [HEADER, ("---", "---", "---:", "---"), *map(_cells, trials)]
    lines = [f"| {' | '.join(map(inert.markdown, row))} |" for row in rows]
    reasons = [f"- {inert.markdown(reason)}" for each in trials for reason in each.reasons]
    parts = ["### nnrun smoke", "\n".join(lines), "\n".join(reasons), _sentence(trials, seconds)]
    return "\n\n".join(filter(None, parts)) + "\n"


def line(each: Tried) -> str:
    """What is printed as a trial ends, where no bar is drawn."""
    return "  ".join(filter(None, [each.result, each.spec, each.rows, f"{each.seconds:.2f} s"]))


def _cells(each: Tried) -> tuple[str, ...]:
    untimed = each.status in (tried.REFUSED, tried.UNTRIED)
    return each.spec, each.rows, "" if untimed else f"{each.seconds:.2f}", each.result


def _sentence(trials: Sequence[Tried], seconds: float) -> str:
    passed = sum(each.status == tried.PASSED for each in trials)
    return f"{passed} of {len(trials)} passed in {seconds:.1f} s"
