"""`nnrun resume RUN`."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from nnrun.cli import console, kfold, specs, train
from nnrun.cli.verb import AllowCode, Json, RunFolder, Workers
from nnrun.errors import CommandError, RunError
from nnrun.runs import Run, layout, reopen
from nnrun.runs.files import check_all
from nnrun.spec.text import join_words

if TYPE_CHECKING:
    from nnrun.spec.loading import Loaded
    from nnrun.spec.training import Training

STOPPING = ("EarlyStopping", "TerminateOnNaN")  # callbacks that end a training
WORKER_TIMEOUT = 10.0  # seconds within which the workers of a killed cross-validation end


def resume(
    path: RunFolder,
    epochs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Train until there are N epochs.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Resume even if spec, data or versions have changed.")
    ] = False,
    workers: Workers = None,
    allow_code: AllowCode = False,
    json: Json = False,
) -> None:
    """Resume a stopped or killed run, with bit-identical results.

    Example: nnrun resume runs/20260101-120000-digits
    """
    from nnrun.cli import summary

    record = Run(path).record()
    if record.kind == "fold":
        raise RunError(f"{path} is a fold; use `nnrun resume {path.resolve().parent}`")
    check_all(path)
    run = reopen(path)
    try:
        _wait_for_workers(run)
        loaded = _load(run, epochs, force=force, allow_code=allow_code)
        reason = _stopped_early(run, loaded.experiment.training)
        is_complete = record.epochs == loaded.experiment.training.epochs
        if record.status == layout.FINISHED and (is_complete or (reason and not force)):
            if json:
                console.print_json({"runs": [summary.as_json(run)]})
            console.stderr().print(f"{console.relative_path(run.path)} is finished{reason}")
        else:
            _resume(run, loaded, workers, force=force, json=json)
    finally:
        run.release()


def _wait_for_workers(run: Run) -> None:
    """Waits for workers of a killed cross-validation, which end when they notice it."""
    until = time.monotonic() + WORKER_TIMEOUT
    for fold in run.parts():
        while fold.is_running():
            if time.monotonic() > until:
                raise RunError(f"{fold.path} is still running, as process {fold.record().pid}")
            time.sleep(0.1)


def _parts(run: Run) -> list[Run]:
    """The run and its folds."""
    return [run, *(part for part in run.parts() if part.path.name != layout.FINAL)]


def _stopped_early(run: Run, training: Training) -> str:
    """Why more epochs change nothing: a callback ended the training, and would again."""
    names = [callback.name for callback in training.callbacks if callback.name in STOPPING]
    lengths = [epochs for part in _parts(run) if (epochs := len(part.history()))]
    if not (names and lengths) or max(lengths) >= (run.record().epochs or 0):
        return ""
    last = join_words(sorted({str(epochs) for epochs in lengths}), "and")
    return (
        f": {names[0]} ended it after epoch {last}, and would end it there again; to train longer, "
        f"change {names[0]} in a copy of {layout.SPEC} and train that"
    )


def _load(run: Run, epochs: int | None, *, force: bool, allow_code: bool) -> Loaded:
    """The experiment of a run, with the overrides it was started with."""
    from nnrun.spec.dumping import digest

    record, path = run.record(), run.path / layout.SPEC
    if not path.is_file():
        raise RunError(f"{run.path} was stopped before its first step; train it again")
    loaded = specs.read_spec(path, [], allow_code=allow_code)
    same = digest(loaded.experiment) == record.spec_digest
    if not force and not (same and loaded.experiment.training.epochs == record.epochs):
        raise RunError(
            f"{path}: has changed since the run began; use `nnrun resume {run.path} --force` to "
            f"resume with it, or `nnrun train {path}` to start again"
        )
    more = [] if epochs is None else [f"training.epochs={epochs}"]
    trained = max(len(part.history()) for part in _parts(run))
    if epochs is not None and epochs < trained:
        raise CommandError(f"{run.path} has {trained} epochs already; --epochs must be larger")
    given = [o for o in record.overrides if not (more and o.startswith("training.epochs="))]
    return replace(specs.read_spec(path, more), overrides=(*given, *more))


def _resume(run: Run, loaded: Loaded, workers: int | None, *, force: bool, json: bool) -> None:
    old = run.record()

    def folder(record: dict[str, object]) -> Run:
        from nnrun.runs.run import differences, reopen_record

        changes = list(differences(old, record))
        if changes and not force:
            reasons = f"results would not be bit-identical: {'; '.join(changes)}"
            raise RunError(f"{run.path}: {reasons} (see --force)")
        if old.kind == "kfold":
            reopen_record(run, record)
        else:
            # Keras is loaded here; for k-fold runs only the workers load it.
            from nnrun.experiment.resume import extend

            extend(run, loaded.experiment.training, record)
        return run

    with console.json_of_runs(wanted=json) as entries:
        if old.kind == "kfold":
            code = kfold.kfold_and_report(loaded, folder, entries, workers, quiet=json)
        else:
            code = train.train_and_report(loaded, folder, entries, quiet=json)
    raise typer.Exit(code)
