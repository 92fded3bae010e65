"""Keys and names as tables: in a terminal, in Markdown, in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from nnrun.spec.keys import TOP, Key, Section

# Words of a value that stand on one line.
WIDE = 34


def show(section: Section, out: Console) -> None:
    """Prints a section: what it is, and a line for each key."""
    named = f"{section.title} ({section.kind})" if section.kind else section.title
    out.print(f"{named}: {section.meaning}", markup=False, style="bold", soft_wrap=False)
    if not section.keys:
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for _ in _columns(section)[1:-1]:
        table.add_column(max_width=WIDE)
    table.add_column()
    for key in section.keys:
        first, *rest = (_cell(key, column) for column in _columns(section))
        table.add_row(f"  {first}", *rest)
    out.print(table, markup=False)


def markdown(section: Section) -> str:
    """A section under a heading of the third level."""
    heading = "The top level" if section.title == TOP else f"`{section.title}`"
    lines = [f"### {heading}", ""]
    if section.kind:
        lines += [section.meaning, ""]
    if section.keys:
        columns = _columns(section)
        lines += [_row(columns), "|" + "---|" * len(columns)]
        lines += [_row([_cell(key, c, mark="`") for c in columns]) for key in section.keys]
        lines.append("")
    return "\n".join(lines)


def plain(section: Section) -> dict[str, Any]:
    """A section as JSON holds it."""
    return asdict(section)


def _columns(section: Section) -> list[str]:
    """A name that is only listed has no value and no default."""
    listed = all(key.value is None for key in section.keys)
    return ["key", "meaning"] if listed else ["key", "value", "default", "meaning"]


def _cell(key: Key, column: str, *, mark: str = "") -> str:
    match column:
        case "key":
            return f"{mark}{key.name}{mark}"
        case "value":
            return key.value or ""
        case "default":
            return _default(key, mark)
    return key.meaning


def _default(key: Key, mark: str) -> str:
    if key.fallback or key.required:
        return key.fallback or "needed"
    if key.default in ("", [], {}):
        return "none"
    return f"{mark}{json.dumps(key.default)}{mark}".replace('"', "")


def _row(cells: Iterable[str]) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"
