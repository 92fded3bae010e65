"""`nnrun smoke SPEC…`."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnrun.cli import console, github
from nnrun.cli import specs as reading
from nnrun.cli.tried import FAILED, Tried
from nnrun.cli.verb import Json, Overrides, exit_codes
from nnrun.errors import Fault, RunError, SpecError

if TYPE_CHECKING:
    from nnrun.spec.loading import Loaded

EXAMPLE = "Example: nnrun smoke configs/*.yaml --synthetic --junit smoke.xml"

SUMMARY = "GITHUB_STEP_SUMMARY"
"""Names the file whose Markdown GitHub shows on the page of a workflow."""


def smoke(
    specs: Annotated[
        list[Path], typer.Argument(metavar="SPEC", help="YAML files, or shipped specs by name.")
    ],
    overrides: Overrides = [],  # noqa: B006 - Typer reads it, nobody changes it
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Draw rows where the data are not in the cache.")
    ] = False,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML, for CI.")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Leave the run folders in DIR.")
    ] = None,
    json: Json = False,
) -> None:
    """Try each experiment: one epoch on a few rows, then read every file back."""
    closing = _Closing([Tried(str(spec)) for spec in specs], junit=junit, json=json)
    with exit_codes():
        try:
            loaded = _load(specs, overrides, closing.trials)
            if loaded:
                from nnrun.cli.smoke_trials import try_all

                try_all(loaded, keep, stand_in=synthetic)
        finally:
            closing.say()
        raise typer.Exit(max(each.code for each in closing.trials))


@dataclass(frozen=True)
class _Closing:
    """What is said at the end, however it ended."""

    trials: Sequence[Tried]
    junit: Path | None
    json: bool
    began: datetime = field(default_factory=datetime.now)
    since: float = field(default_factory=time.perf_counter)

    def say(self) -> None:
        """Prints the answer and writes the files that were asked for.

        Raises:
            RunError: one of them cannot be written; the answer has been printed.
        """
        from nnrun.cli import smoke_report

        seconds = time.perf_counter() - self.since
        if self.json:
            runs = [each.as_json() for each in self.trials]
            console.print_json({"schema_version": 1, "runs": runs})
        else:
            smoke_report.show(self.trials, console.stdout(), seconds=seconds)
            # A refused spec has had its annotations, each with its line.
            for each in self.trials if github.wanted() else ():
                for error in each.errors if each.status == FAILED else ():
                    print(github.annotation(Fault("smoke", "", error), Path(each.spec)))
        if self.junit:
            _write_junit(self.junit, self)
        if summary := os.environ.get(SUMMARY):
            _append(Path(summary), smoke_report.markdown(self.trials, seconds=seconds))


def _write_junit(path: Path, closing: _Closing) -> None:
    from nnrun.cli.junit import document
    from nnrun.cli.saving import save

    text = document(closing.trials, began=closing.began)
    save(path, lambda passing: passing.write_text(text, encoding="utf-8"))


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror or error}") from error


def _load(
    specs: Sequence[Path], overrides: list[str], trials: Sequence[Tried]
) -> list[tuple[Loaded, Tried]]:
    """The specs that can be loaded; of the others all faults are said at once."""
    loaded = []
    for spec, each in zip(specs, trials, strict=True):
        try:
            found = reading.read(spec, overrides)
        except SpecError as error:
            each.refuse(error)
            console.print_error(error)
            continue
        each.name = found.experiment.name
        each.skipped = ("expect",) if found.experiment.expect else ()
        loaded.append((found, each))
    return loaded
