"""`nnrun verify RUN…`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnrun.cli import console
from nnrun.cli.kfold import Workers
from nnrun.cli.verb import MISSED, Json, exit_codes
from nnrun.errors import NnrunError, SpecError

if TYPE_CHECKING:
    from nnrun.cli.verified import Verified
    from nnrun.verification.files import Checked

EXAMPLE = "Example: nnrun verify runs/20260101-120000-digits"


def verify(
    paths: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs.")],
    files: Annotated[
        bool,
        typer.Option("--files", help="Train nothing: only compare each file with its digest."),
    ] = False,
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance",
            min=0.0,
            metavar="X",
            help="Largest relative difference that is not called different; by default 0.0001.",
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Leave the repetitions in this folder."),
    ] = None,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Repeat runs from their folders and compare epochs, metrics, predictions and weights.

    Exit code 0: identical or within tolerance; 3: different; 1: the repetition failed; 2: the run
    cannot be verified.
    """
    with exit_codes():
        each = _Files() if files else _Repeating(tolerance, keep, workers)
        found = [_found(path, each, quiet=json) for path in paths]
        if json:
            runs = [entry for entry, _ in found]
            console.print_json({"schema_version": 1, "runs": runs})
        elif files:
            assert isinstance(each, _Files)
            each.sum_up()
        raise typer.Exit(max(code for _, code in found))


Answered = tuple[dict[str, Any], int]


def _found(path: Path, each: Callable[..., Answered], *, quiet: bool) -> Answered:
    """What is said of a run, and the exit code; one that cannot be verified stops no other."""
    try:
        return each(path, quiet=quiet)
    except NnrunError as error:
        console.print_error(error)
        return {"path": str(path), "verdict": None, "error": _words(error)}, error.exit_code


def _words(error: NnrunError) -> str:
    if isinstance(error, SpecError):
        return "; ".join(f"{fault.code} {fault.path}: {fault.message}" for fault in error.faults)
    return str(error)


class _Files:
    """Compares files with their digests."""

    def __init__(self) -> None:
        self._checked: list[Checked] = []

    def __call__(self, path: Path, *, quiet: bool) -> Answered:
        from nnrun.runs import Run
        from nnrun.verification.files import check

        found = check(Run(path))
        self._checked.append(found)
        damaged = [{"file": each.file, "reason": each.reason} for each in found.damaged]
        for each in () if quiet else found.damaged:
            console.stdout().print(f"{path / each.file} {each.reason}", markup=False, style="red")
        verdict = "damaged" if damaged else "whole"
        entry = {"path": str(path), "verdict": verdict, "files": found.files, "bytes": found.bytes}
        return entry | {"damaged": damaged}, MISSED if damaged else 0

    def sum_up(self) -> None:
        """Says how much was read and how much of it is damaged."""
        from nnrun.number import size

        files = sum(each.files for each in self._checked)
        damaged = sum(len(each.damaged) for each in self._checked)
        runs = f"{len(self._checked):,} {'run' if len(self._checked) == 1 else 'runs'}"
        read = f"{runs}, {files:,} files, {size(sum(each.bytes for each in self._checked))}"
        state = f"{damaged:,} not as written" if damaged else "all as they were written"
        if self._checked:
            console.stdout().print(f"{read}: {state}", markup=False)


@dataclass(frozen=True)
class _Repeating:
    """Repeats a run and compares; arguments as of `verify`."""

    tolerance: float | None
    keep: Path | None
    workers: int | None

    def __call__(self, path: Path, *, quiet: bool) -> Answered:
        from nnrun.cli import repeating, verified
        from nnrun.verification.comparing import DIFFERENT

        with repeating.folder(self.keep) as root:
            found = self._verified(path, root)
        if not quiet:
            verified.show(found, console.stdout())
        return verified.as_json(found), MISSED if found.judged.verdict == DIFFERENT else 0

    def _verified(self, path: Path, root: Path) -> Verified:
        from nnrun.cli.repeating import repeat
        from nnrun.cli.verified import Verified
        from nnrun.verification import causes, judging
        from nnrun.verification.comparing import IDENTICAL
        from nnrun.verification.subject import subject
        from nnrun.verification.unsealed import Unsealed

        tolerance = judging.TOLERANCE if self.tolerance is None else self.tolerance
        run = subject(path)
        repeated = repeat(run, root, self.workers)
        judged = judging.judge(path, repeated, run.damaged, tolerance=tolerance)
        reasons: list[causes.Cause] = []
        again = None
        if judged.verdict != IDENTICAL:
            reasons = causes.find(causes.Evidence(judged, run.run, Unsealed(repeated)))
        if any(cause.kind == causes.UNKNOWN for cause in reasons):
            # Whether it repeats at all decides what the difference means.
            second = repeat(run, root, self.workers)
            again = judging.judge(repeated, second, (), tolerance=tolerance).verdict
        return Verified(run, judged, reasons, repeated if self.keep else None, again)
