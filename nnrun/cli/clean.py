"""`nnrun clean`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnrun.cli import console
from nnrun.cli.verb import Json, Runs, exit_codes
from nnrun.errors import CommandError, NnrunError
from nnrun.runs import layout

if TYPE_CHECKING:
    from nnrun.runs.cleaning import Plan, RunInfo, Standing
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nnrun.cli.list import counted
from nnrun.runs.cleaning import Plan, Rules
from nnrun.spec.text import size

NO_RULE = (
    "say which runs may go: by name, or with --keep-best, --older-than, --max-size or --status; "
    "only those go of which every rule given says so, and --dry-run shows them"
)


class Status(StrEnum):
    """How a run may have ended that is not worth keeping."""

    failed = layout.FAILED
    interrupted = layout.INTERRUPTED
    crashed = layout.CRASHED


def clean(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN]...", help="Only these, by name or by folder."),
    ] = None,
    keep_best: Annotated[
        int | None,
        typer.Option(
            "--keep-best",
            min=1,
            metavar="N",
            help="Only runs that are none of the N best of their name, as compare ranks them.",
        ),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="AGE", help="Only runs that ended before: 36h, 30d or 2w."
        ),
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option(
            "--max-size", metavar="SIZE", help="Only the oldest, until all runs fit in: 500M or 2G."
        ),
    ] = None,
    status: Annotated[
        list[Status] | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help="Only failed, interrupted or crashed ones; may be repeated.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and why; remove nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    root: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Delete runs that match all given filters.

    Nothing that is running or is no run is ever removed. Without --yes it asks first.

    Example: nnrun clean --keep-best 3 --older-than 30d --dry-run
    """
    with exit_codes():
        from nnrun.runs import cleaning

        rules = cleaning.Rules(
            _named(paths, root) if paths else None,
            frozenset(status) if status else None,
            cleaning.age(older_than) if older_than is not None else None,
            keep_best,
            cleaning.bytes_of(max_size) if max_size is not None else None,
        )
        if not rules.are_given:
            raise CommandError(NO_RULE)
        subjects = list(_subjects(root))
        ranked = _standings(subjects) if keep_best else None
        plan = cleaning.plan(subjects, rules, now=datetime.now(), standings=ranked)
        remains = {path: cleaning.disk_usage(path) for path in cleaning.leftovers(root)}
        out = console.stderr() if json else console.stdout()
        show(plan, remains, rules, out)
        is_agreed = not dry_run and bool(plan.removals or remains) and _is_agreed(yes=yes)
        done = _removed(plan, remains) if is_agreed else {}
        if json:
            console.print_json(as_json(plan, remains, done))
        elif done:
            say(plan, done, out)
        if any(done.values()):
            raise typer.Exit(1)


def _named(paths: Sequence[Path], root: Path) -> frozenset[Path]:
    """The folders that are meant; what is there but no run is told and passed over.

    Raises:
        CommandError: one is not there, or lies elsewhere.
    """
    from nnrun.runs.cleaning import removable

    known = {run.path for run in removable(root)}
    found = set()
    for path in paths:
        folder = _folder(path, root)
        if folder in known:
            found.add(folder)
        elif folder.is_symlink():
            console.stderr().print(f"skipped: {path} is a link", markup=False)
        else:
            console.stderr().print(f"skipped: {path} is no run", markup=False)
    return frozenset(found)


def _folder(path: Path, root: Path) -> Path:
    """Where a name or a path leads, below the folder of all runs; links are not followed."""
    inside = root / path.name
    if len(path.parts) == 1 and os.path.lexists(inside):
        return inside
    # Not resolved, which would follow a link to wherever it leads.
    whole = Path(os.path.abspath(path))  # noqa: PTH100
    if not os.path.lexists(whole):
        raise CommandError(f"there is no run {path}; nothing is removed")
    if (whole.parent / layout.RUN).is_file():
        raise CommandError(f"{path} is a part of {whole.parent.name}, and goes only with it")
    if whole.parent.resolve() != root.resolve():
        raise CommandError(f"{path} is not in {root}; `--runs {whole.parent}` cleans there")
    return root / whole.name


def _subjects(root: Path) -> Iterator[RunInfo]:
    """All runs; one whose record cannot be read is told and stays."""
    from nnrun.runs.cleaning import read, removable

    if os.path.isfile(root / layout.RUN):  # noqa: PTH113 - also of a name that is too long
        raise CommandError(f"{root} is itself a run, and its parts go only with it")
    for run in removable(root):
        try:
            yield read(run)
        except NnrunError as error:
            console.stderr().print(f"skipped: {error}", markup=False)


def _standings(subjects: Iterable[RunInfo]) -> dict[Path, Standing]:
    """Which runs are the best; one that cannot be read is told and has no place, so it stays."""
    from nnrun.analysis.compare import read
    from nnrun.analysis.compare.table import standings

    found = []
    for subject in subjects:
        try:
            found.append(read(subject.run))
        except NnrunError as error:
            console.stderr().print(f"skipped: {error}", markup=False)
    return standings(found)


def _is_agreed(*, yes: bool) -> bool:
    """Whether all this is to go.

    Raises:
        CommandError: nobody is there to ask.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise CommandError("nothing is removed without --yes where nobody can be asked")
    console.stderr().print("remove all these? [y/N] ", end="", markup=False)
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    console.stderr().print("nothing is removed", markup=False)
    return False


def _removed(plan: Plan, remains: Iterable[Path]) -> dict[Path, str]:
    """Removes one by one; says of each folder why it could not be removed, or nothing."""
    from nnrun.runs.cleaning import remove, remove_leftover

    going = [removal.subject.run for removal in plan.removals]
    tasks = {path: partial(remove_leftover, path) for path in remains}
    tasks |= {run.path: partial(remove, run) for run in going}
    return {path: _error_of(task) for path, task in tasks.items()}


def _error_of(task: Callable[[], None]) -> str:
    """Why it failed; what is in the way of one must not keep the others."""
    try:
        task()
    except NnrunError as error:
        console.print_error(error)
        return str(error)
    return ""


# What `nnrun clean` says: which runs go, why, and what came of it.

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
