"""`nnrun kfold SPEC`, and what goes on with one that was stopped."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnrun import layout
from nnrun.cli import console, specs
from nnrun.cli.interrupts import Interrupts
from nnrun.cli.train import Folder
from nnrun.cli.verb import MISSED, Expect, Json, Overrides, Runs, exit_codes
from nnrun.errors import Misfit, SpecError

if TYPE_CHECKING:
    from nnrun.runs import Run
    from nnrun.spec.loading import Loaded

EXAMPLE = "Example: nnrun kfold configs/boston.yaml --set training.epochs=20"

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
    """Cross-validate an experiment: a run per fold, and what they say together."""
    with exit_codes():
        also = ["validation.kfold.final=true"] if final else []
        loaded = specs.read(spec, [*overrides, *also], expect)

        def folder(record: dict[str, Any]) -> Run:
            from nnrun import runs

            return runs.create(root, loaded.experiment.name, now=datetime.now(), record=record)

        conduct(loaded, folder, workers=workers, json=json)


def conduct(loaded: Loaded, folder: Folder, *, workers: int | None, json: bool) -> None:
    """Cross-validates and says how it went, however it went.

    Raises:
        NnrunError: it cannot be done, or a fold failed.
        typer.Exit: with 1 where a fold has failed, with 3 where a gate was missed.
    """
    from nnrun import gates
    from nnrun.cli import closing
    from nnrun.cli.lanes import Lanes

    _check(loaded)
    lanes = Lanes()
    judged: list[gates.Outcome] = []
    try:
        carry_out(loaded, folder, workers, lanes)
        if lanes.run and lanes.run.status() == layout.FINISHED:
            judged = gates.judge(lanes.run, loaded.experiment.expect)
    finally:
        if lanes.run:
            closing.log(lanes.run)
            if not json:
                closing.show(lanes.run, console.stdout())
        if json:
            entries = [closing.as_json(lanes.run)] if lanes.run else []
            console.print_json({"schema_version": 1, "runs": entries})
    assert lanes.run is not None
    missed = any(not outcome.passed for outcome in judged)
    done = MISSED if missed else 0
    raise typer.Exit(done if lanes.run.status() == layout.FINISHED else 1)


def _check(loaded: Loaded) -> None:
    if loaded.experiment.validation.kfold is None:
        message = (
            "is missing, and `nnrun kfold` needs it, such as `kfold: {folds: 5}`; "
            "for once, --set validation.kfold.folds=5"
        )
        raise SpecError((loaded.fault("NN102", ("validation", "kfold"), message, key=True),))


def carry_out(loaded: Loaded, folder: Folder, workers: int | None, lanes: Any) -> None:
    """Cross-validates an experiment into a folder.

    Args:
        loaded: with a `validation.kfold`.
        folder: makes the run folder, or reads one that is to be gone on with.
        workers: how many processes side by side; None for as many as are worth it.
        lanes: the audience, not yet entered.

    Raises:
        NnrunError: it cannot be done; a fold that fails is in the run's status.
        KeyboardInterrupt: as soon as what there is has been kept.
    """
    began = time.perf_counter()
    from nnrun.cli import worker
    from nnrun.workers import Team

    try:
        with lanes, Interrupts() as interrupts, Team(worker.main) as team:
            # First of all, because loading TensorFlow takes longer than all that comes before it.
            team.hire()
            from nnrun.kfold.flow import Order, cross_validate

            interrupts.raise_again()
            heed = interrupts.raise_again
            order = Order(loaded.experiment, loaded.overrides, workers, folder, began, heed)
            cross_validate(order, team, lanes)
    except Misfit as misfit:
        fault = loaded.fault(misfit.code, misfit.path, misfit.message)
        raise SpecError((fault,)) from misfit
