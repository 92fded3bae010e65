"""`nnrun resume RUN`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from nnrun.cli import console, kfold
from nnrun.cli.verb import Json, exit_codes
from nnrun.errors import RunError
from nnrun.runs import Run, layout, process
from nnrun.spec.loading import load

EXAMPLE = "Example: nnrun resume runs/20260101-120000-boston"

# Whoever goes on with other rows or another split would mix two experiments in one folder.
_MUST_AGREE = {"data_digest": "the data are others", "split_digest": "the folds are others"}


def resume(
    path: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a K-fold run.")],
    workers: kfold.Workers = None,
    json: Json = False,
) -> None:
    """Go on with a K-fold that was stopped or killed: finished folds stay, the others are made."""
    with exit_codes():
        run = Run(path)
        known = run.record()
        status = run.status()
        if "folds" not in known:
            spec = path / layout.SPEC
            raise RunError(f"{path} is no K-fold run; `nnrun train {spec}` repeats it")
        if status == layout.RUNNING:
            raise RunError(f"{path} is still running, as process {known['process']['pid']}")
        if status == layout.FINISHED:
            console.stderr().print(f"{console.short(path)} is finished", markup=False)
            return

        def folder(record: dict[str, Any]) -> Run:
            for key, reason in _MUST_AGREE.items():
                if known.get(key) != record[key]:
                    raise RunError(f"{path} cannot be gone on with: {reason} than when it began")
            run.update(status=layout.RUNNING, ended=None, error=None, process=process())
            return run

        # With the overrides of the beginning, for the records of the folds that are still to come.
        loaded = replace(load(path / layout.SPEC), overrides=tuple(known["overrides"]))
        kfold.conduct(loaded, folder, workers=workers, json=json)
