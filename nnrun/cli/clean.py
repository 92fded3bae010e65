"""`nnrun clean`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console

from nnrun.cli import console
from nnrun.cli.list import count_runs
from nnrun.cli.verb import Json, Runs
from nnrun.errors import CommandError, NnrunError
from nnrun.runs import Run, cleaning, layout
from nnrun.runs.cleaning import Plan
from nnrun.spec.text import format_size

NO_FILTER = (
    "select runs by name, or with --keep-best, --older-than, --max-size or --status; only runs "
    "that match all given filters are deleted, and --dry-run lists them"
)


Status = StrEnum("Status", ["failed", "interrupted", "crashed"])
Content = TypeVar("Content")


def clean(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN]...", help="Only these runs, by name or by folder."),
    ] = None,
    keep_best: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Only runs that are not among the N best of their name, as compare ranks them.",
        ),
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="AGE", help="Only runs that ended before: 36h, 30d or 2w.")
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Only the oldest, until all runs fit: 500M or 2G."),
    ] = None,
    status: Annotated[
        list[Status] | None,
        typer.Option(
            metavar="STATUS", help="Only failed, interrupted or crashed runs; may be repeated."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be deleted; delete nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    root: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Delete runs that match all given filters.

    Running experiments and folders that are not runs are never deleted. Without --yes the command
    asks first.

    Example: nnrun clean --keep-best 3 --older-than 30d --dry-run
    """
    limit = cleaning.bytes_of(max_size) if max_size is not None else None
    filters = []
    if paths:
        filters.append(cleaning.named(_find_named(paths, root)))
    if status:
        filters.append(cleaning.ended_as(status))
    if older_than is not None:
        filters.append(cleaning.older_than(cleaning.age(older_than), now=datetime.now()))
    if not filters and keep_best is None and limit is None:
        raise CommandError(NO_FILTER)
    if os.path.isfile(root / layout.RUN):  # noqa: PTH113 - also for names that are too long
        raise CommandError(f"{root} is itself a run; delete it from its parent folder")
    runs = list(_read_all(cleaning.removable(root), cleaning.read))
    if keep_best:
        from nnrun.analysis.compare import read, standings

        ranked = standings(_read_all((info.run for info in runs), read))
        filters.append(cleaning.not_best(keep_best, ranked))
    plan = cleaning.plan(runs, filters, limit)
    leftovers = {path: cleaning.disk_usage(path) for path in cleaning.leftovers(root)}
    out = console.stderr() if json else console.stdout()
    _show(plan, leftovers, limit, out)
    is_empty = not (plan.removals or leftovers)
    errors = {} if dry_run or is_empty or not _confirm(yes=yes) else _delete(plan, leftovers)
    if json:
        console.print_json(_as_json(plan, leftovers, errors))
    elif errors:
        subjects = [removal.subject for removal in plan.removals]
        sizes = [info.bytes for info in subjects if not errors[info.run.path]]
        failed = sum(map(bool, errors.values()))
        rest = f"; {failed} could not be deleted" if failed else ""
        out.print(f"deleted {count_runs(len(sizes), sum(sizes))}{rest}")
    if any(errors.values()):
        raise typer.Exit(1)


def _find_named(paths: Sequence[Path], root: Path) -> frozenset[Path]:
    """The run folders given by name or path; reports and skips other folders."""
    runs = {run.path for run in cleaning.removable(root)}
    folders = {path: _folder(path, root) for path in paths}
    for path, folder in folders.items():
        if folder not in runs:
            reason = "a link" if folder.is_symlink() else "not a run"
            console.stderr().print(f"skipped: {path} is {reason}")
    return frozenset(runs.intersection(folders.values()))


def _folder(path: Path, root: Path) -> Path:
    """The folder of a name or a path, below the folder of all runs; links are not followed."""
    inside = root / path.name
    if len(path.parts) == 1 and os.path.lexists(inside):
        return inside
    # `resolve` would follow a link.
    absolute = Path(os.path.abspath(path))  # noqa: PTH100
    if not os.path.lexists(absolute):
        raise CommandError(f"there is no run {path}; nothing is deleted")
    if (absolute.parent / layout.RUN).is_file():
        raise CommandError(f"{path} is a part of {absolute.parent.name}; delete the whole run")
    if absolute.parent.resolve() != root.resolve():
        raise CommandError(f"{path} is not in {root}; use `--runs {absolute.parent}`")
    return root / absolute.name


def _read_all(runs: Iterable[Run], read: Callable[[Run], Content]) -> Iterator[Content]:
    """Reads all runs; reports and keeps those that cannot be read."""
    for run in runs:
        try:
            yield read(run)
        except NnrunError as error:
            console.stderr().print(f"skipped: {error}")


def _confirm(*, yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        raise CommandError("nothing is deleted: use --yes where the command cannot ask")
    console.stderr().print("delete all these? [y/N] ", end="")
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    console.stderr().print("nothing is deleted")
    return False


def _delete(plan: Plan, leftovers: Iterable[Path]) -> dict[Path, str]:
    """Deletes one folder after another; returns an error message per folder, empty for success."""
    tasks: dict[Path, Callable[[], None]] = {
        path: partial(cleaning.remove_leftover, path) for path in leftovers
    }
    for removal in plan.removals:
        tasks[removal.subject.run.path] = partial(cleaning.remove, removal.subject.run)
    errors = dict.fromkeys(tasks, "")
    for path, task in tasks.items():
        try:
            task()
        except NnrunError as error:
            console.print_error(error)
            errors[path] = str(error)
    return errors


def _show(plan: Plan, leftovers: Mapping[Path, int], limit: int | None, out: Console) -> None:
    """Prints the runs to be deleted, and `leftovers`: folders of interrupted deletions."""
    kept = f"{count_runs(plan.staying, plan.left)} kept"
    if plan.removals or leftovers:
        rows = []
        for removal in plan.removals:
            info, why = removal.subject, "; ".join(removal.reasons)
            rows.append((info.run.path.name, info.status, format_size(info.bytes), why))
        for path, size in leftovers.items():
            rows.append((path.name, "-", format_size(size), "left by an interrupted deletion"))
        out.print(console.make_table(("run", "status", "size", "why"), rows, right=["size"]))
        freed = plan.freed + sum(leftovers.values())
        out.print(f"to delete: {count_runs(len(plan.removals), freed)}; {kept}")
    else:
        out.print(f"nothing to delete; {kept}")
    if limit is not None and plan.left > limit:
        excess = f"{format_size(plan.left)} are still above {format_size(limit)}"
        out.print(f"{excess}, but no other run matches all filters")


def _as_json(
    plan: Plan, leftovers: Mapping[Path, int], errors: Mapping[Path, str]
) -> dict[str, object]:
    """The result as a JSON document; `errors` is empty if nothing was tried."""

    def outcome(path: Path) -> dict[str, object]:
        error = {"error": errors[path]} if errors.get(path) else {}
        return {"removed": path in errors and not error, **error}

    sizes = {removal.subject.run.path: removal.subject.bytes for removal in plan.removals}
    sizes |= leftovers
    return {
        "runs": [
            {
                "path": str(removal.subject.run.path),
                "status": removal.subject.status,
                "bytes": removal.subject.bytes,
                "why": list(removal.reasons),
                **outcome(removal.subject.run.path),
            }
            for removal in plan.removals
        ],
        "leftovers": [
            {"path": str(path), "bytes": size, **outcome(path)} for path, size in leftovers.items()
        ],
        "removed_bytes": sum(sizes[path] for path, error in errors.items() if not error),
        "staying": {"runs": plan.staying, "bytes": plan.left},
    }
