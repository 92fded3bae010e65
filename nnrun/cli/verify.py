"""`nnrun verify RUN…`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nnrun.cli import console, kfold, specs, train
from nnrun.cli.list import count_runs
from nnrun.cli.verb import MISSED, Json, Workers, exit_codes, kept_or_temporary
from nnrun.errors import NnrunError, RunError, SpecError, TrainingError
from nnrun.runs import Run, layout

if TYPE_CHECKING:
    from nnrun.runs.verify.causes import Cause
    from nnrun.runs.verify.files import VerifyTarget
    from nnrun.runs.verify.judging import Comparison, Judged
    from nnrun.spec.loading import Loaded

COLUMNS = ("compared", "extent", "differing", "by up to", "")
COLORS = {"identical": "green", "within tolerance": "yellow", "different": "red"}
BUG = (
    "nothing that is recorded explains it, so it is a bug of nnrun; please report it with the "
    "`run.json` of the run and the output of `nnrun verify --json`"
)
SENDING_CALLBACK = "RemoteMonitor"
"""A callback that a repetition leaves out, so that nothing is sent twice."""


@dataclass(frozen=True)
class Verified:
    """A run compared with its repetition.

    Args:
        subject: the run.
        judged: the comparisons and the verdict.
        causes: likely causes of differences.
        repeated: folder of the repetition, if it is kept.
        again: verdict of comparing a second repetition with the first, if no cause was found.
    """

    subject: VerifyTarget
    judged: Judged
    causes: Sequence[Cause]
    repeated: Path | None = None
    again: str | None = None


def verify(
    paths: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.")],
    files: Annotated[
        bool,
        typer.Option("--files", help="Only compare files with their digests; train nothing."),
    ] = False,
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance",
            min=0.0,
            metavar="X",
            help="Maximum relative difference that counts as equal; by default 0.0001.",
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Keep the repetitions in this folder."),
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
        entries: list[dict[str, Any]] = []
        codes = []
        for path in paths:
            try:
                if files:
                    entry, code = _check_files(path, quiet=json)
                else:
                    entry, code = _verify(path, tolerance, keep, workers, quiet=json)
            except NnrunError as error:
                console.print_error(error)
                entry = {"path": str(path), "verdict": None, "error": _one_line(error)}
                code = error.exit_code
            entries.append(entry)
            codes.append(code)
        if json:
            console.print_json({"schema_version": 1, "runs": entries})
        elif files:
            _print_file_totals([entry for entry in entries if entry["verdict"]])
        raise typer.Exit(max(codes))


def _one_line(error: NnrunError) -> str:
    if isinstance(error, SpecError):
        return "; ".join(f"{fault.code} {fault.path}: {fault.message}" for fault in error.faults)
    return str(error)


def _check_files(path: Path, *, quiet: bool) -> tuple[dict[str, Any], int]:
    """Compares the files of a run with their digests; returns a document and an exit code."""
    from nnrun.runs.verify.files import check

    checked = check(Run(path))
    damaged = [{"file": damage.file, "reason": damage.reason} for damage in checked.damaged]
    for damage in () if quiet else checked.damaged:
        console.stdout().print(f"{path / damage.file} {damage.reason}", style="red")
    entry = {
        "path": str(path),
        "verdict": "damaged" if damaged else "whole",
        "files": checked.files,
        "bytes": checked.bytes,
        "damaged": damaged,
    }
    return entry, MISSED if damaged else 0


def _print_file_totals(entries: list[dict[str, Any]]) -> None:
    files = sum(entry["files"] for entry in entries)
    damaged = sum(len(entry["damaged"]) for entry in entries)
    state = f"{damaged:,} damaged" if damaged else "all unchanged"
    if entries:
        runs, size = count_runs(len(entries), sum(entry["bytes"] for entry in entries)).split(", ")
        console.stdout().print(f"{runs}, {files:,} files, {size}: {state}")


def _verify(
    path: Path, tolerance: float | None, keep: Path | None, workers: int | None, *, quiet: bool
) -> tuple[dict[str, Any], int]:
    """Repeats a run and compares it; returns a document and an exit code."""
    from nnrun.runs.verify import causes, judging
    from nnrun.runs.verify.files import UnverifiedRun, verify_target

    tolerance = judging.TOLERANCE if tolerance is None else tolerance
    with kept_or_temporary(keep) as root:
        subject = verify_target(path)
        repeated = _repeat(subject, root, workers)
        judged = judging.judge(path, repeated, subject.damaged, tolerance=tolerance)
        likely: list[Cause] = []
        again = None
        if judged.verdict != judging.IDENTICAL:
            evidence = causes.Evidence(judged, subject.run, UnverifiedRun(repeated))
            likely = causes.find(evidence)
        if any(cause.kind == causes.UNKNOWN for cause in likely):
            # Without a cause, a second repetition shows whether the experiment repeats at all.
            second = _repeat(subject, root, workers)
            again = judging.judge(repeated, second, (), tolerance=tolerance).verdict
        verified = Verified(subject, judged, likely, repeated if keep else None, again)
        if not quiet:
            show(verified, console.stdout())
        return as_json(verified), MISSED if judged.verdict == judging.DIFFERENT else 0


def _repeat(subject: VerifyTarget, root: Path, workers: int | None) -> Path:
    """Trains a run again.

    Args:
        subject: the run; if it failed, its repetition may fail too.
        root: folder of the repetition.
        workers: as for `nnrun kfold`.

    Returns:
        The folder of the repetition.

    Raises:
        SpecError: the spec of the run cannot be read.
        DataError: the data cannot be read.
        TrainingError: the repetition failed, and the run did not.
        RunError: likewise, or the folder of the repetition cannot be written.
        KeyboardInterrupt: the user stopped it.
    """
    from nnrun.cli.progress import FoldProgress, TrainingProgress

    loaded = specs.read_spec(subject.run.path / layout.SPEC, subject.overrides)
    loaded = _without_sending(loaded)
    folder = train.folder_maker(loaded, root)
    title = f"repeating {console.relative_path(subject.run.path)}"
    if subject.has_folds:
        folds = FoldProgress(title)
        kfold.cross_validate_one(loaded, folder, workers, folds)
        assert folds.run
        if folds.run.status() != layout.FINISHED and subject.status == layout.FINISHED:
            raise RunError(f"the repetition failed: {folds.run.record().error}")
        return folds.run.path
    progress = TrainingProgress(title)
    try:
        train.train_one(loaded, folder, progress)
    except TrainingError as error:
        # The epochs of a failed run are compared with those of its failed repetition.
        if subject.status != layout.FAILED:
            raise TrainingError(f"the repetition failed: {error}") from error
    assert progress.run
    return progress.run.path


def _without_sending(loaded: Loaded) -> Loaded:
    training = loaded.experiment.training
    callbacks = tuple(each for each in training.callbacks if each.name != SENDING_CALLBACK)
    training = training.model_copy(update={"callbacks": callbacks})
    return replace(loaded, experiment=loaded.experiment.model_copy(update={"training": training}))


def show(verified: Verified, out: Console) -> None:
    """Prints the table of comparisons, the verdict and likely causes."""
    out.print(_table(verified))
    for sentence in sentences(verified):
        out.print(sentence)


def _table(verified: Verified) -> Table:
    judged = verified.judged
    rows = []
    for what in dict.fromkeys(each.what for each in judged.comparisons):
        group = judged.of(what)
        worst = max(group, key=lambda each: (each.error is not None, each.largest, each.differing))
        verdict = worst.verdict(judged.tolerance)
        differing = _differing(group)
        sizes = [each.largest for each in group if each.differing and math.isfinite(each.largest)]
        largest = f"{max(sizes):.1e}" if sizes else "-"
        rows.append(
            (what, _extent(group), f"{differing:,}", largest, Text(verdict, COLORS[verdict]))
        )
    name = verified.subject.run.record().name
    return console.make_table(COLUMNS, rows, title=name, right=("differing", "by up to"))


def _extent(group: Sequence[Comparison]) -> str:
    """The extent of the first file of each part; equal ones are counted."""
    first = {each.part: each.extent for each in reversed(group)}
    counts = Counter(reversed(first.values()))
    return " + ".join(
        extent if count == 1 else f"{count} × ({extent})" for extent, count in counts.items()
    )


def _differing(group: Sequence[Comparison]) -> int:
    """Number of differing values: the maximum over the files of a part, summed over the parts."""
    counts: dict[str, int] = {}
    for each in group:
        counts[each.part] = max(counts.get(each.part, 0), each.differing)
    return sum(counts.values())


def sentences(verified: Verified) -> Iterator[str]:
    """The verdict, the place of the first differences, and likely causes."""
    judged, status = verified.judged, verified.subject.status
    if status != layout.FINISHED:
        epochs = verified.subject.epochs
        yield f"{status} after epoch {epochs}: only complete epochs and parts are compared"
    yield _verdict(judged)
    for each in judged.comparisons:
        if each.error:
            yield f"  {each.error}"
        elif each.first and each.verdict(judged.tolerance) == "different":
            yield f"  {_place(each)}"
    for cause in verified.causes:
        if cause.kind != "unknown":
            yield f"likely cause: {cause.text}"
            continue
        yield f"no cause found: {cause.text}"
        if verified.again == "identical":
            yield (
                "a second repetition is identical to the first, so the experiment does repeat "
                "here; something that is not recorded has changed, or files and digests of the run "
                "were edited"
            )
        else:
            yield f"a second repetition differs from the first too; {BUG}"
    if verified.repeated:
        yield f"the repetition is in {console.relative_path(verified.repeated)}"


def _verdict(judged: Judged) -> str:
    worst = max((each.largest for each in judged.comparisons), default=0.0)
    names = dict.fromkeys(
        each.what for each in judged.comparisons if each.verdict(judged.tolerance) == judged.verdict
    )
    if judged.verdict == "identical":
        return "bit-identical"
    if judged.verdict == "within tolerance":
        difference = f"{', '.join(names)} differ by up to {worst:.1e}"
        return f"within {judged.tolerance:g}, not bit-identical: {difference}"
    if not names:
        return (
            "bit-identical where compared, but files of the run were changed after it was written"
        )
    return f"different: {', '.join(names)}"


def _place(each: Comparison) -> str:
    """The first difference of a file: `history.csv: loss of epoch 1: 0.61 → 0.62`."""
    assert each.first
    first, name = each.first, each.first.name
    if first.index:
        is_epoch = each.what == "history"
        at = ", ".join(map(str, first.index))
        name = f"{name} of epoch {first.index[0] + 1}" if is_epoch else f"{name}[{at}]"
    file = f"{each.part}/{each.file}" if each.part else each.file
    return f"{file}: {name}: {_formatted(first.kept)} → {_formatted(first.repeated)}"


def _formatted(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return "missing" if value is None else str(value)


def as_json(verified: Verified) -> dict[str, Any]:
    """The result as a JSON document."""
    judged, subject = verified.judged, verified.subject
    kept = {"repetition": str(verified.repeated)} if verified.repeated else {}
    again = {"second_repetition": verified.again} if verified.again else {}
    return {
        "path": str(subject.run.path),
        "name": subject.run.record().name,
        "status": subject.status,
        "verdict": judged.verdict,
        "tolerance": judged.tolerance,
        "comparisons": [_comparison(each, judged.tolerance) for each in judged.comparisons],
        "damaged": [{"file": each.file, "reason": each.reason} for each in judged.damaged],
        "causes": [asdict(cause) for cause in verified.causes],
        **again,
        **kept,
    }


def _comparison(each: Comparison, tolerance: float) -> dict[str, Any]:
    document = asdict(each) | {"verdict": each.verdict(tolerance)}
    # JSON has neither infinity nor NaN.
    document["largest"] = each.largest if math.isfinite(each.largest) else None
    if each.first:
        document["first"] = {
            key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(each.first).items()
        }
    return document
