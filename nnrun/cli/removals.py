"""What `nnrun clean` says: which runs go, why, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nnrun.cleaning import Plan, Rules
from nnrun.cli.list import counted
from nnrun.number import size

REMAINS = "left of a removal that was cut short"


def show(plan: Plan, remains: Mapping[Path, int], rules: Rules, out: Console) -> None:
    """Lists what the rules let go, the oldest first; or says that there is nothing."""
    if not (plan.removals or remains):
        out.print(f"nothing to remove; {_staying(plan)}", markup=False)
    else:
        out.print(_table(plan, remains))
        freed = plan.freed + sum(remains.values())
        out.print(f"to remove: {counted(len(plan.removals), freed)}; {_staying(plan)}")
    if rules.max_size is not None and plan.left > rules.max_size:
        more = f"{size(plan.left)} are still above {size(rules.max_size)}"
        out.print(f"{more}, but no other run may go", markup=False)


def _staying(plan: Plan) -> str:
    verb = "stays" if plan.staying == 1 else "stay"
    return f"{counted(plan.staying, plan.left)}, {verb}"


def _table(plan: Plan, remains: Mapping[Path, int]) -> Table:
    table = Table("run", "status")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("why")
    for removal in plan.removals:
        subject = removal.subject
        row = (subject.run.path.name, subject.status, size(subject.bytes))
        table.add_row(*map(escape, row), escape("; ".join(removal.reasons)))
    for path, count in remains.items():
        table.add_row(escape(path.name), "-", size(count), REMAINS)
    return table


def say(plan: Plan, done: Mapping[Path, str], out: Console) -> None:
    """Says how many went, and how many did not."""
    going = [removal.subject for removal in plan.removals]
    gone = [subject.bytes for subject in going if not done[subject.run.path]]
    failed = sum(map(bool, done.values()))
    rest = f"; {failed} could not be removed" if failed else ""
    out.print(f"removed {counted(len(gone), sum(gone))}{rest}", markup=False)


def as_json(plan: Plan, remains: Mapping[Path, int], done: Mapping[Path, str]) -> dict[str, Any]:
    """The same for programs.

    Args:
        remains: what was left of earlier removals, each with its bytes.
        done: why each folder that was to go could not be removed, empty where it was; nothing at
            all where none was to go.
    """
    rows = [
        {
            "path": str(removal.subject.run.path),
            "status": removal.subject.status,
            "bytes": removal.subject.bytes,
            "why": list(removal.reasons),
            **_outcome(removal.subject.run.path, done),
        }
        for removal in plan.removals
    ]
    others = [
        {"path": str(path), "bytes": count, **_outcome(path, done)}
        for path, count in remains.items()
    ]
    return {
        "schema_version": 1,
        "runs": rows,
        "leftovers": others,
        "removed_bytes": sum(row["bytes"] for row in (*rows, *others) if row["removed"]),
        "staying": {"runs": plan.staying, "bytes": plan.left},
    }


def _outcome(path: Path, done: Mapping[Path, str]) -> dict[str, Any]:
    error = {"error": done[path]} if done.get(path) else {}
    return {"removed": path in done and not error, **error}
