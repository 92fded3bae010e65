"""`nnrun train SPEC…`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnrun.cli import console
from nnrun.cli import specs as reading
from nnrun.cli.verb import MISSED, Expect, Json, Overrides, Runs, exit_codes
from nnrun.errors import IncompatibleSpec, NnrunError, SpecError
from nnrun.experiment.interrupts import Interrupts

if TYPE_CHECKING:
    from nnrun.cli.progress import TrainingProgress
    from nnrun.experiment.setup import TrainingSetup
    from nnrun.runs import Run
    from nnrun.spec.loading import Loaded

Folder = Callable[[dict[str, Any]], "Run"]


@dataclass
class Last:
    """What the last training was made with, which serves for the next seed of the same spec.

    TensorFlow keeps what XLA has compiled for as long as the process lives, 8 MB each time.
    """

    setup: TrainingSetup | None = None


def train(
    specs: Annotated[
        list[Path], typer.Argument(metavar="SPEC", help="YAML files, or shipped specs by name.")
    ],
    overrides: Overrides = [],  # noqa: B006 - Typer reads it, nobody changes it
    expect: Expect = [],  # noqa: B006 - likewise
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", min=1, metavar="N", help="A run each with N seeds in a row."),
    ] = None,
    root: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Train each experiment, test it and leave a run folder.

    Example: nnrun train configs/digits.yaml --set training.epochs=5
    """
    entries: list[dict[str, Any]] = []
    with exit_codes():
        try:
            # All are read first: a typo in the last must not show after the first has trained.
            loaded = [each for spec in specs for each in _seeded(spec, overrides, expect, seeds)]
            last = Last()
            codes = [
                train_all(each, _new(each, root), entries, quiet=json, last=last) for each in loaded
            ]
            if seeds and not json:
                _sum_up(entries)
        finally:
            if json:
                console.print_json({"schema_version": 1, "runs": entries})
        raise typer.Exit(max(codes))


def _seeded(spec: Path, overrides: list[str], expect: list[str], seeds: int | None) -> list[Loaded]:
    """The experiment; with `--seeds` once for each seed, from its own on."""
    loaded = reading.read_spec(spec, overrides, expect)
    if seeds is None:
        return [loaded]
    first = loaded.experiment.seed
    if first is None:
        message = "must be a number for --seeds to count on from, got null"
        raise SpecError((loaded.fault("NN103", ("seed",), message),))
    return [
        reading.read_spec(spec, [*overrides, f"seed={seed}"], expect)
        for seed in range(first, first + seeds)
    ]


def _sum_up(entries: list[dict[str, Any]]) -> None:
    """Says of each experiment what its seeds have in common, as far as they were finished."""
    from nnrun.analysis.compare import experiments, formats, read
    from nnrun.analysis.compare.facts import finished
    from nnrun.runs import Run

    runs = [run for entry in entries if finished(run := read(Run(Path(entry["path"]))))]
    for experiment in experiments(runs):
        if experiment.is_group:
            metric = next(iter(experiment.first.reported))
            console.stdout().print(formats.over_seeds(experiment, metric), markup=False)


def _new(loaded: Loaded, root: Path) -> Folder:
    """Makes a new run folder."""

    def folder(record: dict[str, Any]) -> Run:
        from nnrun import runs

        return runs.create(root, loaded.experiment.name, now=datetime.now(), record=record)

    return folder


def train_all(
    loaded: Loaded,
    folder: Folder,
    entries: list[dict[str, Any]],
    *,
    quiet: bool = False,
    last: Last | None = None,
) -> int:
    """Trains one experiment and says how it went, however it went.

    Args:
        loaded: the experiment.
        folder: makes the run folder, or opens one that is to be gone on with.
        entries: the run is added to them.
        quiet: prints no table.
        last: what was trained before in this process.

    Returns:
        An exit code.
    """
    from nnrun.cli import summary
    from nnrun.cli.progress import TrainingProgress
    from nnrun.runs import Run
    from nnrun.runs.gates import judge_gates

    watcher = TrainingProgress()
    try:
        train_one(loaded, folder, watcher, last)
        assert watcher.path
        judged = judge_gates(Run(watcher.path), loaded.experiment.expect)
    except NnrunError as error:
        console.print_error(error)
        return error.exit_code
    finally:
        if watcher.path:
            run = Run(watcher.path)
            entries.append(summary.as_json(run))
            summary.log(run)
            if not quiet:
                summary.show(run, console.stdout())
    return 0 if all(outcome.passed for outcome in judged) else MISSED


def train_one(
    loaded: Loaded, folder: Folder, watcher: TrainingProgress, last: Last | None = None
) -> None:
    """Trains one experiment into a folder.

    Raises:
        NnrunError: it cannot be done, or has failed; the folder keeps what there is.
        KeyboardInterrupt: likewise.
    """
    began = time.perf_counter()
    try:
        from nnrun.experiment.inputs import load_and_prepare
        from nnrun.training import backend

        watcher.reading(loaded.experiment.dataset.name)
        prepared = load_and_prepare(loaded.experiment)
        with watcher, Interrupts() as interrupts:
            imported = time.perf_counter()
            watcher.stage("loading TensorFlow")
            backend.load()
            from nnrun.experiment import fold
            from nnrun.experiment.recorder import RunContext
            from nnrun.experiment.setup import serves

            # Packages that load catch what they should not, and go on.
            interrupts.raise_again()
            spent = time.perf_counter() - imported
            context = RunContext(loaded.overrides, began, spent, heed=interrupts.raise_again)
            last = last or Last()
            again = last.setup if serves(last.setup, prepared.spec) else None
            last.setup = None
            setup = fold.prepare(prepared, watcher, previous=again)
            fold.fit_fold(setup, folder, context=context, observer=watcher)
            last.setup = setup
    except IncompatibleSpec as problem:
        fault = loaded.fault(problem.code, problem.path, problem.message)
        raise SpecError((fault,)) from problem
