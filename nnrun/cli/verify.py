"""`nnrun verify RUN…`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from nnrun.cli import console, kfold, specs, train
from nnrun.cli.verb import MISSED, AllowCode, Json, Workers, kept_or_temporary
from nnrun.errors import NnrunError, RunError, SpecError, TrainingError
from nnrun.runs import Run, layout
from nnrun.spec.text import count, format_size

if TYPE_CHECKING:
    from nnrun.runs.verify.causes import Cause
    from nnrun.runs.verify.files import Checked, VerifyTarget
    from nnrun.runs.verify.judging import Comparison, Judged
    from nnrun.spec.loading import Loaded

COLUMNS = ("compared", "extent", "differing", "by up to", "")
COLORS = {"identical": "green", "within tolerance": "yellow", "different": "red"}
REPEATS = (
    "a second repetition is identical to the first, so the experiment does repeat here; something "
    "that is not recorded has changed, or files and digests of the run were edited"
)
DIFFERS = "a second repetition differs from the first too"
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
        repeated: folder of the repetition, if it is kept.
        second_verdict: of a second repetition and the first, if no cause was found.
    """

    subject: VerifyTarget
    judged: Judged
    causes: Sequence[Cause]
    repeated: Path | None = None
    second_verdict: str | None = None


def verify(
    paths: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.")],
    files: Annotated[
        bool, typer.Option("--files", help="Only compare files with their digests; train nothing.")
    ] = False,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="X",
            help="Maximum relative difference that counts as equal; by default 0.0001.",
        ),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the repetitions in this folder.")
    ] = None,
    workers: Workers = None,
    allow_code: AllowCode = False,
    json: Json = False,
) -> None:
    """Repeat runs and compare every file with the original.

    Exit code 0: identical or within tolerance; 3: different; 1: the repetition failed; 2: the run
    cannot be verified.

    Example: nnrun verify runs/20260101-120000-digits
    """
    entries: list[dict[str, object]] = []
    checks: list[Checked] = []
    codes = []
    for path in paths:
        try:
            if files:
                entry = _check_files(path, checks, quiet=json)
                code = MISSED if checks[-1].damaged else 0
            else:
                verified = _verify(path, tolerance, keep, workers, allow_code=allow_code)
                entry = _as_json(verified)
                code = MISSED if verified.judged.verdict == "different" else 0
                if not json:
                    console.stdout().print(_table(verified), *_sentences(verified), sep="\n")
        except NnrunError as error:
            console.print_error(error)
            faults = error.faults if isinstance(error, SpecError) else ()
            lines = [f"{fault.code} {fault.path}: {fault.message}" for fault in faults]
            reason = "; ".join(lines) or str(error)
            entry = {"path": str(path), "verdict": None, "error": reason}
            code = error.exit_code
        entries.append(entry)
        codes.append(code)
    if json:
        console.print_json({"runs": entries})
    elif checks:
        _print_file_totals(checks)
    raise typer.Exit(max(codes))


def _check_files(path: Path, checks: list[Checked], *, quiet: bool) -> dict[str, object]:
    from nnrun.runs.verify.files import check

    checked = check(Run(path))
    checks.append(checked)
    for damage in () if quiet else checked.damaged:
        console.stdout().print(f"{path / damage.file} {damage.reason}", style="red")
    return {
        "path": str(checked.path),
        "verdict": "damaged" if checked.damaged else "whole",
        "files": checked.files,
        "bytes": checked.bytes,
        "damaged": [{"file": damage.file, "reason": damage.reason} for damage in checked.damaged],
    }


def _print_file_totals(checks: Sequence[Checked]) -> None:
    files = sum(checked.files for checked in checks)
    damaged = sum(len(checked.damaged) for checked in checks)
    state = f"{damaged:,} damaged" if damaged else "all unchanged"
    size = format_size(sum(checked.bytes for checked in checks))
    console.stdout().print(f"{count(len(checks), 'run')}, {files:,} files, {size}: {state}")


def _verify(
    path: Path,
    tolerance: float | None,
    keep: Path | None,
    workers: int | None,
    *,
    allow_code: bool,
) -> Verified:
    from nnrun.runs.verify import causes, judging
    from nnrun.runs.verify.files import UnverifiedRun, verify_target

    tolerance = judging.TOLERANCE if tolerance is None else tolerance
    with kept_or_temporary(keep) as root:
        subject = verify_target(path)
        loaded = specs.read_spec(
            subject.run.path / layout.SPEC, subject.overrides, allow_code=allow_code
        )
        subject.run.check_code(loaded.experiment.code)
        repeated = _repeat(subject, loaded, root, workers)
        judged = judging.judge(path, repeated, subject.damaged, tolerance=tolerance)
        likely: list[Cause] = []
        second_verdict = None
        if judged.verdict != judging.IDENTICAL:
            likely = causes.find(judged, subject.run, UnverifiedRun(repeated))
        if any(cause.kind == causes.UNKNOWN for cause in likely):
            # Without a cause, a second repetition shows whether the experiment repeats at all.
            second = _repeat(subject, loaded, root, workers)
            second_verdict = judging.judge(repeated, second, (), tolerance=tolerance).verdict
        return Verified(subject, judged, likely, repeated if keep else None, second_verdict)


def _repeat(subject: VerifyTarget, loaded: Loaded, root: Path, workers: int | None) -> Path:
    """Trains a run again, in a folder below `root`; if it failed, its repetition may fail too."""
    from nnrun.cli.progress import FoldProgress, TrainingProgress

    training = loaded.experiment.training
    callbacks = tuple(spec for spec in training.callbacks if spec.name != SENDING_CALLBACK)
    training = training.model_copy(update={"callbacks": callbacks})
    experiment = loaded.experiment.model_copy(update={"training": training})
    loaded = replace(loaded, experiment=experiment)
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


def _table(verified: Verified) -> Table:
    judged = verified.judged
    rows = []
    for kind in dict.fromkeys(file.what for file in judged.comparisons):
        files = judged.of(kind)
        worst = max(files, key=lambda file: (file.error is not None, file.largest, file.differing))
        verdict = worst.verdict(judged.tolerance)
        # The maximum over the files of a part, summed over the parts.
        differing = {file.part: file.differing for file in sorted(files, key=lambda f: f.differing)}
        sizes = [file.largest for file in files if file.differing and math.isfinite(file.largest)]
        cells = (f"{sum(differing.values()):,}", f"{max(sizes):.1e}" if sizes else "-")
        rows.append((kind, _extent(files), *cells, Text(verdict, COLORS[verdict])))
    name = verified.subject.run.record().name
    return console.make_table(COLUMNS, rows, title=name, right=("differing", "by up to"))


def _extent(files: Sequence[Comparison]) -> str:
    """The extent of the first file of each part; equal ones are counted."""
    first: dict[str, str] = {}
    for file in files:
        first.setdefault(file.part, file.extent)
    return " + ".join(
        extent if count == 1 else f"{count} × ({extent})"
        for extent, count in Counter(first.values()).items()
    )


def _sentences(verified: Verified) -> Iterator[str]:
    """The verdict, the place of the first differences, and likely causes."""
    judged, subject = verified.judged, verified.subject
    if subject.status != layout.FINISHED:
        state = f"{subject.status} after epoch {subject.epochs}"
        yield f"{state}: only complete epochs and parts are compared"
    yield _verdict(judged)
    for file in judged.comparisons:
        if file.error:
            yield f"  {file.error}"
        elif file.first and file.verdict(judged.tolerance) == "different":
            yield f"  {_place(file)}"
    for cause in verified.causes:
        if cause.kind != "unknown":
            yield f"likely cause: {cause.text}"
            continue
        yield f"no cause found: {cause.text}"
        yield REPEATS if verified.second_verdict == "identical" else f"{DIFFERS}; {BUG}"
    if verified.repeated:
        yield f"the repetition is in {console.relative_path(verified.repeated)}"


def _verdict(judged: Judged) -> str:
    files = [f for f in judged.comparisons if f.verdict(judged.tolerance) == judged.verdict]
    names = ", ".join(dict.fromkeys(file.what for file in files))
    if judged.verdict == "identical":
        return "bit-identical"
    if judged.verdict == "within tolerance":
        largest = max(file.largest for file in judged.comparisons)
        difference = f"{names} differ by up to {largest:.1e}"
        return f"within {judged.tolerance:g}, not bit-identical: {difference}"
    if names:
        return f"different: {names}"
    return "bit-identical where compared, but files of the run were changed after it was written"


def _place(file: Comparison) -> str:
    """The first difference of a file: `history.csv: loss of epoch 1: 0.61 → 0.62`."""
    assert file.first
    first, name = file.first, file.first.name
    if first.index and file.what == "history":
        name = f"{name} of epoch {first.index[0] + 1}"
    elif first.index:
        name = f"{name}[{', '.join(map(str, first.index))}]"
    path = f"{file.part}/{file.file}" if file.part else file.file
    return f"{path}: {name}: {_formatted(first.kept)} → {_formatted(first.repeated)}"


def _formatted(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return "missing" if value is None else str(value)


def _as_json(verified: Verified) -> dict[str, object]:
    judged, subject = verified.judged, verified.subject
    kept = {"repetition": str(verified.repeated)} if verified.repeated else {}
    second = {"second_repetition": verified.second_verdict} if verified.second_verdict else {}
    return {
        "path": str(subject.run.path),
        "name": subject.run.record().name,
        "status": subject.status,
        "verdict": judged.verdict,
        "tolerance": judged.tolerance,
        "comparisons": [_comparison(file, judged.tolerance) for file in judged.comparisons],
        "damaged": [{"file": damage.file, "reason": damage.reason} for damage in judged.damaged],
        "causes": [asdict(cause) for cause in verified.causes],
        **second,
        **kept,
    }


def _comparison(file: Comparison, tolerance: float) -> dict[str, object]:
    """The entry of a file; JSON has neither infinity nor NaN."""
    largest = file.largest if math.isfinite(file.largest) else None
    document = asdict(file) | {"verdict": file.verdict(tolerance), "largest": largest}
    if file.first:
        document["first"] = {
            key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(file.first).items()
        }
    return document
