"""`nnrun kfold SPEC`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnrun.cli import console, specs
from nnrun.cli.train import folder_maker
from nnrun.cli.verb import MISSED, Expect, Json, Overrides, Runs, Workers
from nnrun.errors import SpecError
from nnrun.runs import layout
from nnrun.training.backend import Interrupts

if TYPE_CHECKING:
    from nnrun.cli.progress import FoldProgress
    from nnrun.experiment.fold import Folder
    from nnrun.spec.loading import Loaded


def kfold(
    spec: Annotated[
        Path, typer.Argument(metavar="SPEC", help="A YAML file, or a shipped spec by name.")
    ],
    overrides: Overrides = [],  # noqa: B006 - Typer reads it, nobody changes it
    expect: Expect = [],  # noqa: B006 - likewise
    final: Annotated[
        bool, typer.Option("--final", help="Then train on all training rows and test the model.")
    ] = False,
    workers: Workers = None,
    root: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Cross-validate an experiment: one run per fold, and a summary.

    Example: nnrun kfold configs/boston.yaml --set training.epochs=20
    """
    more = ["validation.kfold.final=true"] if final else []
    loaded = specs.read_spec(spec, [*overrides, *more], expect)
    kfold_and_report(loaded, folder_maker(loaded, root), workers=workers, json=json)


def kfold_and_report(loaded: Loaded, folder: Folder, *, workers: int | None, json: bool) -> None:
    """Cross-validates, prints the summary, also after an error, and exits with 0, 1 or 3."""
    from nnrun.cli import summary
    from nnrun.cli.progress import FoldProgress
    from nnrun.runs.gates import judge_gates

    if loaded.experiment.validation.kfold is None:
        message = (
            "is missing, and `nnrun kfold` needs it, such as `kfold: {folds: 5}`; "
            "for once, --set validation.kfold.folds=5"
        )
        raise SpecError((loaded.fault("NN102", ("validation", "kfold"), message, key=True),))
    progress = FoldProgress()
    code = 1
    try:
        cross_validate_one(loaded, folder, workers, progress)
        if progress.run and progress.run.status() == layout.FINISHED:
            outcomes = judge_gates(progress.run, loaded.experiment.expect)
            code = 0 if all(outcome.passed for outcome in outcomes) else MISSED
    finally:
        entries = []
        if progress.run:
            entries.append(summary.as_json(progress.run))
            summary.log(progress.run)
            if not json:
                summary.show(progress.run, console.stdout())
        if json:
            console.print_json({"schema_version": 1, "runs": entries})
    raise typer.Exit(code)


def cross_validate_one(
    loaded: Loaded, folder: Folder, workers: int | None, progress: FoldProgress
) -> None:
    """Cross-validates an experiment with `validation.kfold` into a folder."""
    began = time.perf_counter()
    from nnrun.cli import worker
    from nnrun.executors.local import WorkerPool

    with (
        specs.located_errors(loaded),
        progress,
        Interrupts() as interrupts,
        WorkerPool(worker.main) as team,
    ):
        # Workers start first: loading TensorFlow there takes longer than everything below.
        team.start()
        from nnrun.experiment.crossval.flow import cross_validate

        interrupts.check()
        cross_validate(
            loaded.experiment,
            team,
            folder,
            progress,
            overrides=loaded.overrides,
            workers=workers,
            began=began,
            check_interrupt=interrupts.check,
        )
