"""`nnrun train SPEC…`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from nnrun.cli import console, shipped
from nnrun.cli.noise import Noise
from nnrun.cli.verb import Json, Runs, exit_codes
from nnrun.errors import Misfit, SpecError
from nnrun.spec.loading import Loaded, load

EXAMPLE = "Example: nnrun train configs/digits.yaml --set training.epochs=5"


def train(
    specs: Annotated[
        list[Path], typer.Argument(metavar="SPEC…", help="YAML files, or shipped specs by name.")
    ],
    overrides: Annotated[
        list[str],
        typer.Option("--set", metavar="KEY=VALUE", help="Change a key; may be repeated."),
    ] = [],  # noqa: B006 - Typer reads it, nobody changes it
    root: Runs = Path("runs"),
    json: Json = False,
) -> None:
    """Train each experiment, test it and leave a run folder."""
    began = time.perf_counter()
    with exit_codes():
        # All are read first: a typo in the last must not show after the first has trained.
        loaded = [load(shipped.find(spec), overrides=overrides) for spec in specs]
        runs = [_train(experiment, root, began, quiet=json) for experiment in loaded]
        if json:
            console.print_json({"schema_version": 1, "runs": runs})


def _train(loaded: Loaded, root: Path, began: float, *, quiet: bool) -> dict[str, Any]:
    from nnrun.cli import closing
    from nnrun.cli.progress import Watcher

    with Noise() as noise, Watcher(noise) as watcher:
        watcher.stage(f"reading {loaded.experiment.dataset.name}")
        try:
            from nnrun.intake import take_in

            intake = take_in(loaded.experiment)
            imported = time.perf_counter()
            watcher.stage("loading TensorFlow")
            _quiet_tensorflow()
            from nnrun import experiment
            from nnrun.recording import Origin

            origin = Origin(loaded.overrides, began, time.perf_counter() - imported)
            run = experiment.train(intake, root=root, origin=origin, observer=watcher)
        except Misfit as misfit:
            fault = loaded.fault(misfit.code, misfit.path, misfit.message)
            raise SpecError((fault,)) from misfit
    if not quiet:
        closing.show(run)
    return closing.as_json(run)


def _quiet_tensorflow() -> None:
    """What TensorFlow reads while it loads; a person's own settings win."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
