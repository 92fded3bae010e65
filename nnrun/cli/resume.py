"""`nnrun resume RUN`."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnrun import layout
from nnrun.cli import console, kfold, specs
from nnrun.cli.verb import Json, exit_codes
from nnrun.errors import RunError

if TYPE_CHECKING:
    from nnrun.runs import Run

EXAMPLE = "Example: nnrun resume runs/20260101-120000-boston"

# Seconds that a worker may take to notice that it is alone.
PATIENCE = 10.0
# Whoever goes on with other rows or another split would mix two experiments in one folder.
_MUST_AGREE = {"data_digest": "the data are others", "split_digest": "the folds are others"}


def resume(
    path: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a K-fold run.")],
    workers: kfold.Workers = None,
    json: Json = False,
) -> None:
    """Go on with a K-fold that was stopped or killed: finished folds stay, the others are made."""
    with exit_codes():
        from nnrun.runs import Run, process

        run = Run(path)
        known = run.record()
        if "fold" in known:
            raise RunError(f"{path} is a fold; `nnrun resume {path.resolve().parent}` goes on")
        if "folds" not in known:
            spec = path / layout.SPEC
            raise RunError(f"{path} is no K-fold run; `nnrun train {spec}` repeats it")
        _check_rests(run)
        if run.status() == layout.FINISHED:
            _say_finished(run, json=json)
            return

        def folder(record: dict[str, Any]) -> Run:
            # Once more, because another process may have begun while this one loaded TensorFlow.
            _check_rests(run)
            for key, reason in _MUST_AGREE.items():
                if known.get(key) != record[key]:
                    raise RunError(f"{path} cannot be gone on with: {reason} than when it began")
            run.update(status=layout.RUNNING, ended=None, error=None, process=process())
            return run

        # With the overrides of the beginning, for the records of the folds that are still to come.
        loaded = replace(specs.read(path / layout.SPEC, []), overrides=tuple(known["overrides"]))
        kfold.conduct(loaded, folder, workers=workers, json=json)


def _check_rests(run: Run) -> None:
    """Refuses a run that is at work, or whose workers have not noticed yet that it was killed."""
    from nnrun.runs import Run

    until = time.monotonic() + PATIENCE
    for part in (run, *(Run(found.parent) for found in run.path.glob(f"*/{layout.RUN}"))):
        # A worker stops by itself when nobody listens to it any more.
        while part is not run and part.status() == layout.RUNNING and time.monotonic() < until:
            time.sleep(0.1)
        if part.status() == layout.RUNNING:
            pid = part.record()["process"]["pid"]
            raise RunError(f"{part.path} is still running, as process {pid}")


def _say_finished(run: Run, *, json: bool) -> None:
    from nnrun.cli import closing

    if json:
        console.print_json({"schema_version": 1, "runs": [closing.as_json(run)]})
    console.stderr().print(f"{console.short(run.path)} is finished", markup=False)
