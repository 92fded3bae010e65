"""`nnrun kfold SPEC`."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnrun.cli import console, specs
from nnrun.cli.train import folder_maker, report
from nnrun.cli.verb import AllowCode, Expect, Json, Overrides, Runs, Workers
from nnrun.errors import SpecError
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
    allow_code: AllowCode = False,
    json: Json = False,
) -> None:
    """Cross-validate an experiment: one run per fold, and a summary.

    Example: nnrun kfold configs/boston.yaml --set training.epochs=20
    """
    more = ["validation.kfold.final=true"] if final else []
    loaded = specs.read_spec(spec, [*overrides, *more], expect, allow_code=allow_code)
    with console.json_of_runs(wanted=json) as entries:
        code = kfold_and_report(loaded, folder_maker(loaded, root), entries, workers, quiet=json)
    raise typer.Exit(code)


def kfold_and_report(
    loaded: Loaded,
    folder: Folder,
    entries: list[dict[str, object]],
    workers: int | None,
    *,
    quiet: bool,
) -> int:
    """Cross-validates, with a summary as `report` prints it; returns an exit code."""
    from nnrun.cli.progress import FoldProgress

    if loaded.experiment.validation.kfold is None:
        message = (
            "is missing, and `nnrun kfold` needs it, such as `kfold: {folds: 5}`; "
            "for once, --set validation.kfold.folds=5"
        )
        raise SpecError((loaded.fault("NN102", ("validation", "kfold"), message, key=True),))
    progress = FoldProgress()
    training = partial(cross_validate_one, loaded, folder, workers, progress)
    return report(loaded, progress, training, entries, quiet=quiet)


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
