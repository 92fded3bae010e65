"""A comparison as CSV, Markdown, HTML or JSON."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from nnrun.analysis.compare.entries import Entry
from nnrun.analysis.compare.facts import SPLITS, abridged, plain
from nnrun.analysis.compare.table import Column, Comparison, is_spread
from nnrun.spec.text import escape_cell, escape_markdown, escape_text, format_number

SCHEMA_VERSION = 1
MARK = "*"


def rows(comparison: Comparison) -> list[list[str]]:
    """The table as text, its header first; the best value of a column has a star."""
    columns = [
        [column.name, *cells(column, comparison.best(column))] for column in comparison.columns
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def cells(column: Column, best: Any) -> list[str]:
    """The values of a column as text."""
    full, short = (
        [_text(column, value) for value in values]
        for values in (column.values, [*map(abridged, column.values)])
    )
    # Of blocks that differ inside the names alone would not tell.
    texts = short if len({*short}) == len({*full}) else full
    return [
        text + (MARK if best is not None and mean == best else "")
        for text, mean in zip(texts, column.means, strict=True)
    ]


def _text(column: Column, value: Any) -> str:
    """A value as people read it, a spread with its standard deviation."""
    if value is None:
        return "-"
    if column.name == "seconds":
        return f"{value:.1f}"
    if column.name == "best_epoch":
        return f"{value:.1f}".removesuffix(".0")
    if is_spread(value):
        std = value.get("std")
        return format_number(value["mean"]) + ("" if std is None else f" ± {format_number(std)}")
    return (
        format_number(value)
        if column.upwards is not None and type(value) is float
        else plain(value)
    )


def shared(comparison: Comparison) -> str:
    """What all specs have in common, on one line; what is switched off is left out."""
    said = [
        f"{key} {plain(abridged(value))}"
        for key, value in comparison.shared.items()
        if value is not None and value is not False and value not in ([], {}, "")
    ]
    return "; ".join(said)


def as_csv(comparison: Comparison) -> str:
    """One row per entry, numbers in full, a spread in four columns."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = [part for column in comparison.columns for part in _parts(column)]
    writer.writerow([escape_cell(name) for name, _ in columns])
    writer.writerows(zip(*(values for _, values in columns), strict=True))
    return out.getvalue()


def _parts(column: Column) -> list[tuple[str, list[Any]]]:
    """A column, and of spreads their ends beside it."""
    means = [mean if isinstance(mean, int | float) else _csv(mean) for mean in column.means]
    found = [(column.name, means)]
    for part in ("std", "low", "high"):
        values = [value.get(part) if is_spread(value) else None for value in column.values]
        if any(value is not None for value in values):
            found.append((f"{column.name}_{part}", values))
    return found


def _csv(value: Any) -> Any:
    return None if value is None else escape_cell(plain(value))


def as_markdown(comparison: Comparison) -> str:
    """A table and the verdicts, as GitHub shows them."""
    header, *body = [[escape_markdown(cell) for cell in row] for row in rows(comparison)]
    lines = ["| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *body)]
    common = shared(comparison)
    above = [f"In common: {escape_markdown(common)}", ""] if common else []
    said = [f"- {escape_markdown(sentence)}" for sentence in sentences(comparison)]
    return "\n".join([*above, *lines, "", *said]).rstrip("\n") + "\n"


def sentences(comparison: Comparison) -> list[str]:
    """What can be said of the runs in words."""
    said = []
    if any(comparison.best(column) is not None for column in comparison.columns):
        said.append(f"{MARK} best of its column")
    if any(is_spread(value) for column in comparison.columns for value in column.values):
        said.append("± is the standard deviation over folds or seeds (ddof 1)")
    for run in comparison.repeated:
        said.append(f"{run.run.path.name} repeats a seed, and is left out")
    if comparison.seeds:
        said.append(over_seeds(comparison.seeds, comparison.metric))
    if len(comparison.entries) == 1:
        said.append("one run has nothing to be compared with")
    said += [*comparison.unfinished, *(each.sentence() for each in comparison.verdicts)]
    if any(verdict.is_of_rows for verdict in comparison.verdicts):
        said.append(
            "one seed each, so a difference is one of trained models: "
            "`nnrun train SPEC --seeds 5` of each compares the experiments"
        )
    return said


def over_seeds(entry: Entry, metric: str) -> str:
    """Mean, spread and interval of several seeds in one sentence."""
    rows = entry.first.judged
    found = entry.spread(rows, metric)
    mean, std, low, high = (format_number(found[key]) for key in ("mean", "std", "low", "high"))
    return (
        f"{len(entry.runs)} seeds of {entry.name}: {rows} {metric} {mean} ± {std} (ddof 1), "
        f"95 % interval {low} to {high}"
    )


PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #222 }}
table {{ border-collapse: collapse }}
th, td {{ padding: .3rem .7rem; border-bottom: 1px solid #ddd; text-align: left }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums }}
.best {{ font-weight: 700 }}
</style>
<h1>{title}</h1>
<p>{common}</p>
<table>
<thead><tr>{header}</tr></thead>
<tbody>
{body}
</tbody>
</table>
<ul>
{sentences}
</ul>
</html>
"""


def as_html(comparison: Comparison) -> str:
    """A page that needs no other file."""
    columns = [cells(column, comparison.best(column)) for column in comparison.columns]
    numeric = [column.upwards is not None for column in comparison.columns]
    body = [
        "<tr>"
        + "".join(_cell(cell, number=n) for cell, n in zip(row, numeric, strict=True))
        + "</tr>"
        for row in zip(*columns, strict=True)
    ]
    common = shared(comparison)
    return PAGE.format(
        title="nnrun compare",
        common=_html(f"In common: {common}" if common else ""),
        header="".join(f"<th>{_html(column.name)}</th>" for column in comparison.columns),
        body="\n".join(body),
        sentences="\n".join(f"<li>{_html(sentence)}</li>" for sentence in sentences(comparison)),
    )


def _html(text: str) -> str:
    return html.escape(escape_text(text))


def _cell(cell: str, *, number: bool) -> str:
    kinds = [*(["number"] if number else []), *(["best"] if cell.endswith(MARK) else [])]
    attribute = f' class="{" ".join(kinds)}"' if kinds else ""
    return f"<td{attribute}>{_html(cell)}</td>"


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Everything, numbers in full."""
    return {
        "schema_version": SCHEMA_VERSION,
        "metric": comparison.metric,
        "comparable": comparison.is_comparable,
        "shared": comparison.shared,
        "rows": [
            {"runs": _paths(entry), **_named(comparison, place)}
            for place, entry in enumerate(comparison.entries)
        ],
        "seeds": _over_seeds(comparison),
        "repeated": [str(run.run.path) for run in comparison.repeated],
        "verdicts": [asdict(verdict) for verdict in comparison.verdicts],
    }


def _over_seeds(comparison: Comparison) -> dict[str, Any] | None:
    """What the seeds say together, where all runs are seeds of one experiment."""
    entry = comparison.seeds
    if entry is None:
        return None
    return {
        rows: {name: entry.spread(rows, name) for name in entry.first.values(rows)}
        for rows in SPLITS
        if entry.first.values(rows)
    }


def _paths(entry: Entry) -> list[str]:
    return [str(run.run.path) for run in entry.runs]


def _named(comparison: Comparison, place: int) -> Mapping[str, Any]:
    return {column.name: column.values[place] for column in comparison.columns}


FORMATS: dict[str, Callable[[Comparison], str]] = {
    "csv": as_csv,
    "md": as_markdown,
    "html": as_html,
}
"""What turns a comparison into text that is written as it is."""
