"""How answers of a model show: as a table, as JSON, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from nnrun import inert
from nnrun.number import number
from nnrun.prediction import Raw, Subject
from nnrun.prediction.answers import Answer

# Characters of a text that a table has room for.
EXCERPT = 60


def table(subject: Subject, answers: Sequence[Answer]) -> Table:
    """A line per row; a wrong prediction is red and has a cross."""
    has_texts = any(answer.text is not None for answer in answers)
    labelled = any(answer.label is not None for answer in answers)
    sure = any(answer.probability is not None for answer in answers)
    found = Table(
        "row", title=Text(inert.line(f"{subject.name}: {subject.target}")), title_justify="left"
    )
    if has_texts:
        found.add_column("text")
    if labelled:
        found.add_column("label", justify="left" if subject.classes else "right")
    found.add_column("prediction", justify="left" if subject.classes else "right")
    if sure:
        found.add_column("probability", justify="right")
    for answer in answers:
        wrong = bool(subject.classes) and labelled and answer.label != answer.prediction
        cells = [
            answer.name,
            *([_excerpt(answer.text or "")] if has_texts else []),
            *([_said(answer.label)] if labelled else []),
            f"{_said(answer.prediction)}{' ✗' if wrong else ''}",
            *([number(answer.probability)] if sure else []),
        ]
        style = "red" if wrong else ""
        found.add_row(*(Text(inert.line(cell)) for cell in cells), style=style)
    return found


def _excerpt(text: str) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT else f"{line[: EXCERPT - 1].rstrip()}…"


def _said(value: str | float | None) -> str:
    return value if isinstance(value, str) else number(value)


def as_json(subject: Subject, raw: Raw, answers: Sequence[Answer]) -> dict[str, Any]:
    """All that is known of each row."""
    return {
        "schema_version": 1,
        "path": str(subject.run.path),
        "dataset": subject.name,
        "target": subject.target,
        "classes": list(subject.classes),
        "notices": [*subject.notices, *raw.notices],
        "rows": [answer.as_json() for answer in answers],
    }


def as_csv(subject: Subject, answers: Sequence[Answer]) -> str:
    """A line per row, with a column per class where there are probabilities."""
    names = [f"p({name})" for name in subject.classes] if answers[0].probabilities else []
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    header = ["row", "text", "label", "prediction", "probability", *names]
    writer.writerow(map(inert.cell, header))
    for each in answers:
        shares = (each.probabilities or {}).values()
        cells = [each.name, each.text, each.label, each.prediction, each.probability, *shares]
        writer.writerow(_cell(cell) for cell in cells)
    return file.getvalue()


def _cell(value: str | float | None) -> str | float:
    if value is None:
        return ""
    return inert.cell(value) if isinstance(value, str) else value
