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

from nnrun import layout
from nnrun.cli import console
from nnrun.cli.verb import Json, Runs, exit_codes
from nnrun.errors import CommandError, NnrunError

if TYPE_CHECKING:
    from nnrun.cleaning import Plan, Standing, Subject

EXAMPLE = "Example: nnrun clean --keep-best 3 --older-than 30d --dry-run"
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
    """Remove runs by rule: those of which every rule given says so.

    Nothing that is running or is no run is ever removed. Without --yes it asks first.
    """
    with exit_codes():
        from nnrun import cleaning, runs
        from nnrun.cli import removals

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
        remains = {path: runs.size(path) for path in runs.leftovers(root)}
        out = console.stderr() if json else console.stdout()
        removals.show(plan, remains, rules, out)
        is_agreed = not dry_run and bool(plan.removals or remains) and _is_agreed(yes=yes)
        done = _removed(plan, remains) if is_agreed else {}
        if json:
            console.print_json(removals.as_json(plan, remains, done))
        elif done:
            removals.say(plan, done, out)
        if any(done.values()):
            raise typer.Exit(1)


def _named(paths: Sequence[Path], root: Path) -> frozenset[Path]:
    """The folders that are meant; what is there but no run is told and passed over.

    Raises:
        CommandError: one is not there, or lies elsewhere.
    """
    from nnrun.runs import removable

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


def _subjects(root: Path) -> Iterator[Subject]:
    """All runs; one whose record cannot be read is told and stays."""
    from nnrun.cleaning import read
    from nnrun.runs import removable

    if os.path.isfile(root / layout.RUN):  # noqa: PTH113 - also of a name that is too long
        raise CommandError(f"{root} is itself a run, and its parts go only with it")
    for run in removable(root):
        try:
            yield read(run)
        except NnrunError as error:
            console.stderr().print(f"skipped: {error}", markup=False)


def _standings(subjects: Iterable[Subject]) -> dict[Path, Standing]:
    """Which runs are the best; one that cannot be read is told and has no place, so it stays."""
    from nnrun.compare import read
    from nnrun.standings import standings

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
    from nnrun.runs import remove, remove_leftover

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
