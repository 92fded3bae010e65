"""`nnrun train SPEC…`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnrun import runs
from nnrun.cli import console, specs
from nnrun.cli.verb import MISSED, AllowCode, Expect, Json, Overrides, Runs, Specs
from nnrun.errors import NnrunError, SpecError
from nnrun.runs import Run, layout
from nnrun.training.backend import Interrupts

if TYPE_CHECKING:
    from nnrun.cli.progress import RunProgress, TrainingProgress
    from nnrun.experiment.fold import Folder
    from nnrun.experiment.setup import TrainingSetup
    from nnrun.spec.loading import Loaded


@dataclass
class Last:
    """The last training of this process, reused for the next seed of the same spec.

    TensorFlow never frees what XLA has compiled, 8 MB per training.
    """

    setup: TrainingSetup | None = None


def train(
    paths: Specs,
    overrides: Overrides = [],  # noqa: B006 - Typer reads it, nobody changes it
    expect: Expect = [],  # noqa: B006 - likewise
    seeds: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Train N runs with consecutive seeds.")
    ] = None,
    root: Runs = Path("runs"),
    allow_code: AllowCode = False,
    json: Json = False,
) -> None:
    """Train each experiment, test it and leave a run folder.

    Example: nnrun train configs/digits.yaml --set training.epochs=5
    """
    with console.json_of_runs(wanted=json) as entries:
        # All specs are read before the first is trained, so that errors show at once.
        read = partial(specs.read_spec, allow_code=allow_code)
        loaded = [spec for path in paths for spec in _load(read, path, overrides, expect, seeds)]
        last = Last()
        codes = [
            train_and_report(spec, folder_maker(spec, root), entries, quiet=json, last=last)
            for spec in loaded
        ]
        if seeds and not json:
            _print_spreads(entries)
    raise typer.Exit(max(codes))


def _load(
    read: Callable[..., Loaded],
    path: Path,
    overrides: list[str],
    expect: list[str],
    seeds: int | None,
) -> list[Loaded]:
    """The experiment; with `--seeds` once per seed, beginning with its own."""
    loaded = read(path, overrides, expect)
    if seeds is None:
        return [loaded]
    first = loaded.experiment.seed
    if first is None:
        message = "must be a number for --seeds, got null"
        raise SpecError((loaded.fault("NN103", ("seed",), message),))
    consecutive = (f"seed={seed}" for seed in range(first, first + seeds))
    return [read(path, [*overrides, seed], expect) for seed in consecutive]


def _print_spreads(entries: list[dict[str, object]]) -> None:
    from nnrun.analysis.compare import experiments, formats, read

    facts = [read(Run(Path(str(entry["path"])))) for entry in entries]
    for experiment in experiments([run for run in facts if run.is_finished]):
        if experiment.is_group:
            metric = next(iter(experiment.first.reported))
            console.stdout().print(formats.over_seeds(experiment, metric))


def folder_maker(loaded: Loaded, root: Path) -> Folder:
    """Creates a new run folder when it is called."""
    name = loaded.experiment.name
    return lambda record: runs.create(root, name, now=datetime.now(), record=record)


def train_and_report(
    loaded: Loaded,
    folder: Folder,
    entries: list[dict[str, object]],
    *,
    quiet: bool = False,
    last: Last | None = None,
) -> int:
    """Trains one experiment, with a summary as `report` prints it; returns an exit code."""
    from nnrun.cli.progress import TrainingProgress

    progress = TrainingProgress()
    training = partial(train_one, loaded, folder, progress, last)
    return report(loaded, progress, training, entries, quiet=quiet)


def report(
    loaded: Loaded,
    progress: RunProgress,
    training: Callable[[], None],
    entries: list[dict[str, object]],
    *,
    quiet: bool,
) -> int:
    """Trains and prints the summary of the run, also after an error; returns an exit code.

    The JSON document of the run is appended to `entries`.
    """
    from nnrun.cli import summary
    from nnrun.runs.gates import judge_gates

    try:
        training()
        assert progress.run
        if progress.run.status() != layout.FINISHED:
            return 1
        outcomes = judge_gates(progress.run, loaded.experiment.expect)
    except NnrunError as error:
        console.print_error(error)
        return error.exit_code
    finally:
        if progress.run:
            entries.append(summary.as_json(progress.run))
            summary.log(progress.run)
            if not quiet:
                summary.show(progress.run, console.stdout())
    return 0 if all(outcome.passed for outcome in outcomes) else MISSED


def train_one(
    loaded: Loaded, folder: Folder, progress: TrainingProgress, last: Last | None = None
) -> None:
    """Trains one experiment into a folder, which keeps the results so far after any error."""
    began = time.perf_counter()
    with specs.located_errors(loaded):
        from nnrun.experiment import fold
        from nnrun.training import backend

        progress.reading(loaded.experiment.dataset.name)
        prepared = fold.load_and_prepare(loaded.experiment)
        with progress, Interrupts() as interrupts:
            imported = time.perf_counter()
            progress.stage("loading TensorFlow")
            backend.load()
            from nnrun.experiment.recorder import RunContext
            from nnrun.experiment.setup import can_reuse

            # Some packages swallow a KeyboardInterrupt while they are imported.
            interrupts.check()
            seconds = time.perf_counter() - imported
            context = RunContext(loaded.overrides, began, seconds, check_interrupt=interrupts.check)
            last = last or Last()
            previous = last.setup if can_reuse(last.setup, prepared.spec) else None
            last.setup = None
            setup = fold.build(prepared, progress, previous=previous)
            fold.train(setup, folder, context=context, observer=progress)
            last.setup = setup
