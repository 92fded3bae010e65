"""`nnrun kfold SPEC`, and what goes on with one that was stopped."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnrun.cli import console, specs
from nnrun.cli.train import Folder
from nnrun.cli.verb import MISSED, Expect, Json, Overrides, Runs, exit_codes
from nnrun.errors import IncompatibleSpec, SpecError
from nnrun.experiment.interrupts import Interrupts
from nnrun.runs import layout

if TYPE_CHECKING:
    from nnrun.runs import Run
    from nnrun.spec.loading import Loaded


Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        metavar="N",
        help="Folds side by side; by default one, and more where long folds wait.",
    ),
]


def kfold(
    spec: Annotated[
        Path, typer.Argument(metavar="SPEC", help="A YAML file, or a shipped spec by name.")
    ],
    overrides: Overrides = [],  # noqa: B006 - Typer reads it, nobody changes it
    expect: Expect = [],  # noqa: B006 - likewise
    final: Annotated[
        bool, typer.Option("--final", help="Then train on all training rows and test once.")
    ] = False,
    workers: Workers = None,
    root: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Cross-validate an experiment: one run per fold, and a summary.

    Example: nnrun kfold configs/boston.yaml --set training.epochs=20
    """
    with exit_codes():
        also = ["validation.kfold.final=true"] if final else []
        loaded = specs.read_spec(spec, [*overrides, *also], expect)

        def folder(record: dict[str, Any]) -> Run:
            from nnrun import runs

            return runs.create(root, loaded.experiment.name, now=datetime.now(), record=record)

        run_kfold(loaded, folder, workers=workers, json=json)


def run_kfold(loaded: Loaded, folder: Folder, *, workers: int | None, json: bool) -> None:
    """Cross-validates and says how it went, however it went.

    Raises:
        NnrunError: it cannot be done, or a fold failed.
        typer.Exit: with 1 where a fold has failed, with 3 where a gate was missed.
    """
    from nnrun.cli import summary
    from nnrun.cli.progress import FoldProgress
    from nnrun.runs.gates import Outcome, judge_gates

    _check(loaded)
    progress = FoldProgress()
    judged: list[Outcome] = []
    try:
        cross_validate_one(loaded, folder, workers, progress)
        if progress.run and progress.run.status() == layout.FINISHED:
            judged = judge_gates(progress.run, loaded.experiment.expect)
    finally:
        if progress.run:
            summary.log(progress.run)
            if not json:
                summary.show(progress.run, console.stdout())
        if json:
            entries = [summary.as_json(progress.run)] if progress.run else []
            console.print_json({"schema_version": 1, "runs": entries})
    assert progress.run is not None
    missed = any(not outcome.passed for outcome in judged)
    done = MISSED if missed else 0
    raise typer.Exit(done if progress.run.status() == layout.FINISHED else 1)


def _check(loaded: Loaded) -> None:
    if loaded.experiment.validation.kfold is None:
        message = (
            "is missing, and `nnrun kfold` needs it, such as `kfold: {folds: 5}`; "
            "for once, --set validation.kfold.folds=5"
        )
        raise SpecError((loaded.fault("NN102", ("validation", "kfold"), message, key=True),))


def cross_validate_one(loaded: Loaded, folder: Folder, workers: int | None, progress: Any) -> None:
    """Cross-validates an experiment into a folder.

    Args:
        loaded: with a `validation.kfold`.
        folder: makes the run folder, or reads one that is to be gone on with.
        workers: how many processes side by side; None for as many as are worth it.
        progress: the audience, not yet entered.

    Raises:
        NnrunError: it cannot be done; a fold that fails is in the run's status.
        KeyboardInterrupt: as soon as what there is has been kept.
    """
    began = time.perf_counter()
    from nnrun.cli import worker
    from nnrun.executors.local import WorkerPool

    try:
        with progress, Interrupts() as interrupts, WorkerPool(worker.main) as team:
            # First of all, because loading TensorFlow takes longer than all that comes before it.
            team.hire()
            from nnrun.experiment.crossval.flow import Order, cross_validate

            interrupts.raise_again()
            heed = interrupts.raise_again
            order = Order(loaded.experiment, loaded.overrides, workers, folder, began, heed)
            cross_validate(order, team, progress)
    except IncompatibleSpec as problem:
        fault = loaded.fault(problem.code, problem.path, problem.message)
        raise SpecError((fault,)) from problem
