"""`nnrun resume RUN`."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnrun.cli import console, kfold, specs, train
from nnrun.cli.verb import Json, exit_codes
from nnrun.errors import CommandError, RunError
from nnrun.runs import layout

if TYPE_CHECKING:
    from nnrun.runs import Run
    from nnrun.spec.loading import Loaded


# Seconds that a worker may take to notice that it is alone.
PATIENCE = 10.0


def resume(
    path: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", min=1, metavar="N", help="Train on until there are N epochs."),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also where spec, data or versions are not what they were."),
    ] = False,
    workers: kfold.Workers = None,
    json: Json = False,
) -> None:
    """Resume a stopped or killed run, to the same bits.

    Example: nnrun resume runs/20260101-120000-digits
    """
    with exit_codes():
        from nnrun.runs import Run, reopen
        from nnrun.runs.files import check_all

        known = Run(path).record()
        if "fold" in known:
            raise RunError(f"{path} is a fold; `nnrun resume {path.resolve().parent}` goes on")
        check_all(path)
        run = reopen(path)
        try:
            _wait_for_workers(run)
            loaded = _spec(run, epochs, force=force)
            if known["status"] == layout.FINISHED and _enough(run, loaded):
                _say_finished(run, json=json)
            else:
                _go_on(run, loaded, workers, force=force, json=json)
        finally:
            run.release()


def _wait_for_workers(run: Run) -> None:
    """Workers of a killed cross-validation stop as soon as they notice that nobody listens.

    Raises:
        RunError: one has not within some seconds.
    """
    from nnrun.runs import Run

    until = time.monotonic() + PATIENCE
    for part in (Run(found.parent) for found in run.path.glob(f"*/{layout.RUN}")):
        while _is_at_work(part):
            if time.monotonic() > until:
                pid = part.record().get("process", {}).get("pid")
                raise RunError(f"{part.path} is still running, as process {pid}")
            time.sleep(0.1)


def _is_at_work(part: Run) -> bool:
    try:
        return part.status() == layout.RUNNING
    except RunError:
        # A damaged fold is made again.
        return False


def _spec(run: Run, epochs: int | None, *, force: bool) -> Loaded:
    """The experiment as it is to be gone on with, with the overrides of its beginning.

    Raises:
        RunError: it is not the one that the run began with, or it is not there.
        SpecError: it was edited, and is none any more.
        CommandError: there are more epochs already.
    """
    from nnrun.spec.dumping import digest

    known, path = run.record(), run.path / layout.SPEC
    if not path.is_file():
        raise RunError(f"{run.path} was stopped before its first step; train it again")
    loaded = specs.read_spec(path, [])
    same = digest(loaded.experiment) == known.get("spec_digest")
    if not force and not (same and loaded.experiment.training.epochs == known.get("epochs")):
        raise RunError(
            f"{path}: is not what the run began with; `nnrun resume {run.path} --force` goes on "
            f"with it as it is, `nnrun train {path}` begins anew"
        )
    more = [] if epochs is None else [f"training.epochs={epochs}"]
    if epochs is not None and epochs < (done := _epochs(run)):
        raise CommandError(f"{run.path} has {done} epochs already, so --epochs must be more")
    overrides = [each for each in known["overrides"] if not (more and _sets_epochs(each))]
    return replace(specs.read_spec(path, more), overrides=(*overrides, *more))


def _sets_epochs(override: str) -> bool:
    return override.startswith("training.epochs=")


def _epochs(run: Run) -> int:
    """How many epochs a run has, or the fold that has most."""
    from nnrun.runs import Run

    parts = [Run(found.parent) for found in run.path.glob(f"fold-*/{layout.RUN}")]
    return max(len(part.history()) for part in (run, *parts))


def _enough(run: Run, loaded: Loaded) -> bool:
    return bool(run.record().get("epochs") == loaded.experiment.training.epochs)


def _go_on(run: Run, loaded: Loaded, workers: int | None, *, force: bool, json: bool) -> None:
    known = run.record()

    def folder(record: dict[str, Any]) -> Run:
        from nnrun.runs.run import differences, reopen_record

        different = list(differences(known, record))
        if different and not force:
            reasons = "; ".join(different)
            raise RunError(f"{run.path} cannot go on to the same bytes: {reasons} (see --force)")
        if "folds" in known:
            reopen_record(run, record)
        else:
            # Keras is loaded by now; of a cross-validation it never is in this process.
            from nnrun.experiment.resume import extend

            extend(run, loaded.experiment.training, record)
        return run

    if "folds" in known:
        kfold.run_kfold(loaded, folder, workers=workers, json=json)
    entries: list[dict[str, Any]] = []
    try:
        code = train.train_all(loaded, folder, entries, quiet=json)
    finally:
        if json:
            console.print_json({"schema_version": 1, "runs": entries})
    raise typer.Exit(code)


def _say_finished(run: Run, *, json: bool) -> None:
    from nnrun.cli import summary

    if json:
        console.print_json({"schema_version": 1, "runs": [summary.as_json(run)]})
    console.stderr().print(f"{console.relative_path(run.path)} is finished", markup=False)
