"""A comparison as CSV, Markdown, HTML or JSON."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Callable
from dataclasses import asdict

from nnrun.analysis.compare.entries import Entry
from nnrun.analysis.compare.facts import SPLITS, abridged, of_test_set
from nnrun.analysis.compare.table import Column, Comparison, is_spread
from nnrun.spec.text import escape_cell, escape_markdown, escape_text, format_number, plain_value

MARK = "*"


def cells(column: Column, best: float | None) -> list[str]:
    """The values of a column as text; the best one is marked."""
    full = [_text(column, value) for value in column.values]
    short = [_text(column, abridged(value)) for value in column.values]
    # The names of blocks alone are not enough if their contents differ.
    texts = short if len({*short}) == len({*full}) else full
    return [
        text + (MARK if best is not None and mean == best else "")
        for text, mean in zip(texts, column.means, strict=True)
    ]


def _text(column: Column, value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, int | float) and column.name in ("seconds", "best_epoch"):
        text = f"{value:.1f}"
        return text if column.name == "seconds" else text.removesuffix(".0")
    if is_spread(value):
        std = value.get("std")
        return format_number(value["mean"]) + ("" if std is None else f" ± {format_number(std)}")
    if column.upwards is not None and type(value) is float:
        return format_number(value)
    return plain_value(value)


def shared(comparison: Comparison) -> str:
    """All that the specs have in common, on one line, without unused keys."""
    return "; ".join(
        f"{key} {plain_value(abridged(value))}"
        for key, value in comparison.shared.items()
        if value is not None and value is not False and value not in ([], {}, "")
    )


def as_csv(comparison: Comparison) -> str:
    """One row per entry with all digits; a spread takes four columns."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = [part for column in comparison.columns for part in _csv_columns(column)]
    writer.writerow([escape_cell(name) for name, _ in columns])
    writer.writerows(zip(*(values for _, values in columns), strict=True))
    return out.getvalue()


def _csv_columns(column: Column) -> list[tuple[str, list[object]]]:
    means: list[object] = [
        mean if mean is None or isinstance(mean, int | float) else escape_cell(plain_value(mean))
        for mean in column.means
    ]
    columns = [(column.name, means)]
    for part in ("std", "low", "high"):
        values: list[object] = [
            value.get(part) if is_spread(value) else None for value in column.values
        ]
        if any(value is not None for value in values):
            columns.append((f"{column.name}_{part}", values))
    return columns


def as_markdown(comparison: Comparison) -> str:
    """The table and the verdicts for GitHub."""
    columns = [[c.name, *cells(c, comparison.best(c))] for c in comparison.columns]
    header, *body = ([escape_markdown(cell) for cell in row] for row in zip(*columns, strict=True))
    lines = ["| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *body)]
    common = shared(comparison)
    above = [f"In common: {escape_markdown(common)}", ""] if common else []
    below = [f"- {escape_markdown(sentence)}" for sentence in sentences(comparison)]
    return "\n".join([*above, *lines, "", *below]).rstrip("\n") + "\n"


def sentences(comparison: Comparison) -> list[str]:
    """Notes on the table, then all verdicts."""
    lines = []
    if any(comparison.best(column) is not None for column in comparison.columns):
        lines.append(f"{MARK} best of its column")
    if any(is_spread(value) for column in comparison.columns for value in column.values):
        lines.append("± is the standard deviation over folds or seeds (ddof 1)")
    for run in comparison.repeated:
        lines.append(
            f"{run.run.path.name} has the same spec and seed as another run and is left out"
        )
    if comparison.seeds:
        lines.append(over_seeds(comparison.seeds, comparison.metric))
    if len(comparison.entries) == 1:
        lines.append("only one run: nothing to compare")
    lines += [*comparison.unfinished, *(verdict.sentence() for verdict in comparison.verdicts)]
    if any(verdict.is_of_rows for verdict in comparison.verdicts):
        lines.append(
            "one seed each: this compares two trained models; to compare the experiments, run "
            "`nnrun train SPEC --seeds 5` for both"
        )
    return lines


def over_seeds(entry: Entry, metric: str) -> str:
    """Mean, spread and interval of several seeds in one sentence."""
    rows = entry.first.judged
    spread = entry.spread(rows, metric)
    mean, std, low, high = (format_number(spread[key]) for key in ("mean", "std", "low", "high"))
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
    columns = [
        [_html_cell(cell, is_number=column.upwards is not None) for cell in texts]
        for column in comparison.columns
        for texts in [cells(column, comparison.best(column))]
    ]
    common = shared(comparison)
    return PAGE.format(
        title="nnrun compare",
        common=_html(f"In common: {common}" if common else ""),
        header="".join(f"<th>{_html(column.name)}</th>" for column in comparison.columns),
        body="\n".join(f"<tr>{''.join(row)}</tr>" for row in zip(*columns, strict=True)),
        sentences="\n".join(f"<li>{_html(sentence)}</li>" for sentence in sentences(comparison)),
    )


def _html(text: str) -> str:
    return html.escape(escape_text(text))


def _html_cell(cell: str, *, is_number: bool) -> str:
    classes = [*(["number"] if is_number else []), *(["best"] if cell.endswith(MARK) else [])]
    attribute = f' class="{" ".join(classes)}"' if classes else ""
    return f"<td{attribute}>{_html(cell)}</td>"


def as_json(comparison: Comparison) -> dict[str, object]:
    """Everything, with all digits."""
    seeds = comparison.seeds
    return {
        "metric": comparison.metric,
        "comparable": comparison.is_comparable,
        "shared": comparison.shared,
        "rows": [
            {"runs": [str(run.run.path) for run in entry.runs]}
            | {column.name: column.values[place] for column in comparison.columns}
            for place, entry in enumerate(comparison.entries)
        ],
        "seeds": seeds
        and {
            rows: {name: seeds.spread(rows, name) for name in seeds.first.on(rows)}
            for rows in (*SPLITS, *map(of_test_set, seeds.first.metrics.tests))
            if seeds.first.on(rows)
        },
        "repeated": [str(run.run.path) for run in comparison.repeated],
        "verdicts": [asdict(verdict) for verdict in comparison.verdicts],
    }


FORMATS: dict[str, Callable[[Comparison], str]] = {
    "csv": as_csv,
    "md": as_markdown,
    "html": as_html,
}
