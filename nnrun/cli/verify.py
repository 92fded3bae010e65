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
    from nnrun.runs.verify.files import Checked
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nnrun.cli import kfold, specs, train
from nnrun.errors import RunError, TrainingError
from nnrun.runs import layout
from nnrun.runs.verify import judging
from nnrun.runs.verify.causes import Cause
from nnrun.runs.verify.files import VerifyTarget
from nnrun.runs.verify.judging import DIFFERENT, IDENTICAL, WITHIN, Comparison, Judged

if TYPE_CHECKING:
    from nnrun.runs import Run
    from nnrun.runs.verify.files import VerifyTarget
    from nnrun.spec.loading import Loaded


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
    """Repeat runs and compare every file with the original.

    Exit code 0: identical or within tolerance; 3: different; 1: the repetition failed; 2: the run
    cannot be verified.

    Example: nnrun verify runs/20260101-120000-digits
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
        from nnrun.runs.verify.files import check

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
        from nnrun.spec.text import format_size

        files = sum(each.files for each in self._checked)
        damaged = sum(len(each.damaged) for each in self._checked)
        runs = f"{len(self._checked):,} {'run' if len(self._checked) == 1 else 'runs'}"
        read = f"{runs}, {files:,} files, {format_size(sum(each.bytes for each in self._checked))}"
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
        from nnrun.runs.verify.judging import DIFFERENT

        with folder(self.keep) as root:
            found = self._verified(path, root)
        if not quiet:
            show(found, console.stdout())
        return as_json(found), MISSED if found.judged.verdict == DIFFERENT else 0

    def _verified(self, path: Path, root: Path) -> Verified:
        from nnrun.runs.verify import causes, judging
        from nnrun.runs.verify.files import UnverifiedRun, verify_target
        from nnrun.runs.verify.judging import IDENTICAL

        tolerance = judging.TOLERANCE if self.tolerance is None else self.tolerance
        run = verify_target(path)
        repeated = repeat(run, root, self.workers)
        judged = judging.judge(path, repeated, run.damaged, tolerance=tolerance)
        reasons: list[causes.Cause] = []
        again = None
        if judged.verdict != IDENTICAL:
            reasons = causes.find(causes.Evidence(judged, run.run, UnverifiedRun(repeated)))
        if any(cause.kind == causes.UNKNOWN for cause in reasons):
            # Whether it repeats at all decides what the difference means.
            second = repeat(run, root, self.workers)
            again = judging.judge(repeated, second, (), tolerance=tolerance).verdict
        return Verified(run, judged, reasons, repeated if self.keep else None, again)


# What `nnrun verify` says of a run and its repetition.

_COLORS = {IDENTICAL: "green", WITHIN: "yellow", DIFFERENT: "red"}
_REPORT = (
    "nothing that is recorded explains it, so it is a bug of nnrun; please report it with the "
    "`run.json` of the run and the answer of `nnrun verify --json`"
)


@dataclass(frozen=True)
class Verified:
    """A run beside its repetition, and what speaks for a reason where they differ.

    Args:
        repeated: the folder of the repetition, where it is kept.
        again: the verdict on a second repetition beside the first; only where nothing explained
            the first.
    """

    subject: VerifyTarget
    judged: Judged
    causes: Sequence[Cause]
    repeated: Path | None = None
    again: str | None = None


def show(verified: Verified, out: Console) -> None:
    """Prints the table, the verdict, and what may have caused it."""
    out.print(_table(verified))
    for sentence in sentences(verified):
        out.print(sentence, markup=False)


def _table(verified: Verified) -> Table:
    judged = verified.judged
    table = Table(title=escape(verified.subject.run.record()["name"]), title_justify="left")
    for column in ("compared", "extent", "differing", "by up to", ""):
        numeric = column in ("differing", "by up to")
        table.add_column(column, justify="right" if numeric else "left")
    for what in dict.fromkeys(each.what for each in judged.comparisons):
        found = judged.of(what)
        worst = max(found, key=lambda each: (each.error is not None, each.largest, each.differing))
        verdict = worst.verdict(judged.tolerance)
        differing = _differing(found)
        by = _largest(found) if differing else "-"
        word = f"[{_COLORS[verdict]}]{verdict}[/]"
        table.add_row(what, _extent(found), f"{differing:,}", by, word)
    return table


def _extent(found: Sequence[Comparison]) -> str:
    """Of the file that says it first in each part; equal ones are counted."""
    first = {each.part: each.extent for each in reversed(found)}
    counted = Counter(reversed(first.values()))
    return " + ".join(
        extent if count == 1 else f"{count} × ({extent})" for extent, count in counted.items()
    )


def _differing(found: Sequence[Comparison]) -> int:
    """How many values differ: two files of one kind say much the same, parts do not."""
    counts: dict[str, int] = {}
    for each in found:
        counts[each.part] = max(counts.get(each.part, 0), each.differing)
    return sum(counts.values())


def _largest(found: Sequence[Comparison]) -> str:
    """The largest difference that can be measured, if any."""
    measured = [each.largest for each in found if each.differing and math.isfinite(each.largest)]
    return f"{max(measured):.1e}" if measured else "-"


def sentences(verified: Verified) -> Iterator[str]:
    """What can be said in words: the verdict, where the first differences are, and why."""
    judged, status = verified.judged, verified.subject.status
    if status != layout.FINISHED:
        epochs = verified.subject.epochs
        yield f"{status} after epoch {epochs}: only epochs and parts that ended are compared"
    yield _verdict(judged)
    for each in judged.comparisons:
        if each.error:
            yield f"  {each.error}"
        elif each.first and each.verdict(judged.tolerance) == DIFFERENT:
            yield f"  {_place(each)}"
    if judged.verdict != IDENTICAL:
        yield from _reasons(verified)
    if verified.repeated:
        yield f"the repetition is in {console.relative_path(verified.repeated)}"


def _verdict(judged: Judged) -> str:
    worst = max((each.largest for each in judged.comparisons), default=0.0)
    names = list(
        dict.fromkeys(
            each.what
            for each in judged.comparisons
            if each.verdict(judged.tolerance) == judged.verdict
        )
    )
    if judged.verdict == IDENTICAL:
        return "identical to the bit"
    if judged.verdict == WITHIN:
        by = f"{', '.join(names)} differ by up to {worst:.1e}"
        return f"within {judged.tolerance:g}, not to the bit: {by}"
    if not names:
        return "identical to the bit where it was compared, but the folder is not as it was written"
    return f"different: {', '.join(names)}"


def _place(each: Comparison) -> str:
    """Where a file differs first: `history.csv: loss of epoch 1: 0.61 → 0.62`."""
    assert each.first
    first, name = each.first, each.first.name
    if first.index:
        is_epoch = each.what == judging.HISTORY
        at = ", ".join(map(str, first.index))
        name = f"{name} of epoch {first.index[0] + 1}" if is_epoch else f"{name}[{at}]"
    file = f"{each.part}/{each.file}" if each.part else each.file
    return f"{file}: {name}: {_shown(first.kept)} → {_shown(first.repeated)}"


def _shown(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return "missing" if value is None else str(value)


def _reasons(verified: Verified) -> Iterator[str]:
    for cause in verified.causes:
        if cause.kind != "unknown":
            yield f"likely cause: {cause.text}"
            continue
        yield f"no cause found: {cause.text}"
        if verified.again == IDENTICAL:
            yield (
                "a second repetition is identical to the first, so the experiment does repeat here; "
                "the run was made where something not recorded was different, or was sealed anew"
            )
        else:
            yield f"a second repetition differs from the first too; {_REPORT}"


def as_json(verified: Verified) -> dict[str, Any]:
    """The same for programs."""
    judged, subject = verified.judged, verified.subject
    kept = {"repetition": str(verified.repeated)} if verified.repeated else {}
    again = {"second_repetition": verified.again} if verified.again else {}
    return {
        "path": str(subject.run.path),
        "name": subject.run.record()["name"],
        "status": subject.status,
        "verdict": judged.verdict,
        "tolerance": judged.tolerance,
        "comparisons": [_comparison(each, judged.tolerance) for each in judged.comparisons],
        "damaged": [{"file": each.file, "reason": each.reason} for each in judged.damaged],
        "causes": [asdict(cause) for cause in verified.causes],
        **again,
        **kept,
    }


def _comparison(each: judging.Comparison, tolerance: float) -> dict[str, Any]:
    found = asdict(each) | {"verdict": each.verdict(tolerance)}
    # JSON knows no infinity; where there is no number, there is nothing to measure.
    found["largest"] = each.largest if math.isfinite(each.largest) else None
    if each.first:
        found["first"] = {
            key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(each.first).items()
        }
    return found


# A run once more, from its folder alone, into another folder.

# Of what is sent away nothing comes back, and once more it would be there twice.
_SENT_AWAY = "RemoteMonitor"


@contextmanager
def folder(keep: Path | None) -> Iterator[Path]:
    """Where repetitions go: the folder given, else a passing one."""
    if keep:
        yield keep
        return
    with TemporaryDirectory(prefix="nnrun-verify-", ignore_cleanup_errors=True) as passing:
        yield Path(passing)


def repeat(subject: VerifyTarget, root: Path, workers: int | None) -> Path:
    """Trains once more what a run says that it trained.

    Args:
        subject: the run; one that failed may fail again.
        root: where the repetition's folder is made.
        workers: as of `nnrun kfold`.

    Returns:
        The folder of the repetition.

    Raises:
        SpecError: the spec of the run cannot be read any more.
        DataError: the data cannot be had.
        TrainingError: the repetition failed, and the run did not.
        RunError: likewise, or the folder of the repetition cannot be written.
        KeyboardInterrupt: it was stopped.
    """
    loaded = _without_what_is_sent(
        specs.read_spec(subject.run.path / layout.SPEC, subject.overrides)
    )
    name = loaded.experiment.name

    def made(record: dict[str, Any]) -> Run:
        from nnrun import runs

        return runs.create(root, name, now=datetime.now(), record=record)

    said = f"repeating {console.relative_path(subject.run.path)}"
    if subject.has_folds:
        return _cross_validated(subject, loaded, made, workers, said)
    return _trained(subject, loaded, made, said)


def _trained(subject: VerifyTarget, loaded: Loaded, made: Any, said: str) -> Path:
    from nnrun.cli.progress import TrainingProgress

    watcher = TrainingProgress(said)
    try:
        train.train_one(loaded, made, watcher)
    except TrainingError as error:
        # Whether it failed alike shows in its epochs.
        if subject.status != layout.FAILED:
            raise TrainingError(f"the repetition failed: {error}") from error
    assert watcher.path
    return watcher.path


def _cross_validated(
    subject: VerifyTarget, loaded: Loaded, made: Any, workers: int | None, said: str
) -> Path:
    from nnrun.cli.progress import FoldProgress

    progress = FoldProgress(said)
    kfold.cross_validate_one(loaded, made, workers, progress)
    assert progress.run
    record = progress.run.record()
    if record["status"] != layout.FINISHED and subject.status == layout.FINISHED:
        raise RunError(f"the repetition failed: {record['error']}")
    return progress.run.path


def _without_what_is_sent(loaded: Loaded) -> Loaded:
    training = loaded.experiment.training
    kept = tuple(each for each in training.callbacks if each.name != _SENT_AWAY)
    training = training.model_copy(update={"callbacks": kept})
    return replace(loaded, experiment=loaded.experiment.model_copy(update={"training": training}))
