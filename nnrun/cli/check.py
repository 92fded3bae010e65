"""`nnrun check SPEC…`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnrun.cli import console
from nnrun.cli.specs import find
from nnrun.cli.verb import Json, Overrides, exit_codes
from nnrun.errors import Fault, SpecError
from nnrun.spec.rendering import place_of, render

if TYPE_CHECKING:
    from nnrun.check import SpecContext
    from nnrun.spec.loading import Loaded
from dataclasses import replace
from typing import TYPE_CHECKING

from nnrun.errors import IncompatibleSpec


class Format(StrEnum):
    """How faults are written."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


@dataclass(frozen=True)
class Checked:
    """What was found in one spec.

    Args:
        path: as the person named it.
        loaded: the experiment; None where a value of it is wrong.
        faults: errors and warnings, in the order of the file.
    """

    path: Path
    loaded: Loaded | None
    faults: tuple[Fault, ...]

    @property
    def errors(self) -> int:
        """How many faults keep it from being run."""
        return sum(not fault.is_warning for fault in self.faults)

    @cached_property
    def about(self) -> SpecContext | None:
        """What is known of the experiment, where it can be run."""
        from nnrun import check

        return (
            check.spec_context(self.loaded.experiment) if self.loaded and not self.errors else None
        )


def check(
    specs: Annotated[
        list[Path], typer.Argument(metavar="SPEC", help="YAML files, or shipped specs by name.")
    ],
    overrides: Overrides = [],  # noqa: B006 - Typer reads it, nobody changes it
    form: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="How to write what is found; in GitHub Actions annotations come by themselves.",
        ),
    ] = None,
    build: Annotated[
        bool, typer.Option("--build", help="Also build each model with Keras; print its summary.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Let warnings end the command with exit code 2, too.")
    ] = False,
    json: Json = False,
) -> None:
    """Check specs without data and without TensorFlow.

    Example: nnrun check configs/*.yaml
    """
    form = Format.JSON if json else form
    with exit_codes():
        found = [_checked(spec, overrides) for spec in specs]
        if build:
            found = built(found, quiet=form in (Format.JSON, Format.GITHUB))
        _say(found, form)
        wrong = any(each.errors or (strict and each.faults) for each in found)
        raise typer.Exit(2 if wrong else 0)


def _checked(spec: Path, overrides: list[str]) -> Checked:
    from nnrun import check
    from nnrun.runs import layout
    from nnrun.spec.loading import load

    try:
        path = find(spec)
        loaded = load(path, overrides=overrides)
    except SpecError as error:
        return Checked(spec, None, error.faults)
    return Checked(path, loaded, check.faults(loaded, own=layout.OWN))


def _say(found: list[Checked], form: Format | None) -> None:
    if form is Format.JSON:
        console.print_json({"schema_version": 1, "specs": [_as_json(each) for each in found]})
        return
    if form is not Format.GITHUB:
        out = console.stdout()
        for each in found:
            _say_one(each, out)
        if len(found) > 1 or found[0].faults:
            out.print(_total(found), markup=False)
    if form is Format.GITHUB or (form is None and console.wanted()):
        for each in found:
            for fault in each.faults:
                print(console.annotation(fault, each.path))


def _say_one(each: Checked, out: Any) -> None:
    for fault in each.faults:
        console.print_fault(fault, out)
    if not each.errors:
        out.print(f"{console.short(each.path)}: {_fine(each)}", markup=False)


def _fine(each: Checked) -> str:
    about = each.about
    word = "fine" if not each.faults else _counted(len(each.faults), "warning")
    if about is None or about.trace is None:
        return word
    if about.trace.parameters is None:
        return f"{word}, shapes from model[{about.trace.unchecked}] on not checked"
    return f"{word}, {about.trace.parameters:,} parameters"


def _total(found: list[Checked]) -> str:
    errors = sum(each.errors for each in found)
    warnings = sum(len(each.faults) for each in found) - errors
    counts = f"{_counted(errors, 'fault')}, {_counted(warnings, 'warning')}"
    first = next((fault.code for each in found for fault in each.faults), None)
    more = f"; `nnrun explain {first}` says more" if first else ""
    return f"{_counted(len(found), 'spec')}: {counts}{more}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _as_json(each: Checked) -> dict[str, Any]:
    about = each.about
    trace = about.trace if about else None
    layers = [
        {"name": layer.name, "shape": list(layer.shape), "parameters": layer.parameters}
        for layer in (trace.layers if trace else ())
    ]
    return {
        "path": str(each.path),
        "valid": not each.errors,
        "parameters": trace.parameters if trace else None,
        "layers": layers,
        "faults": [_fault_as_json(fault) for fault in each.faults],
    }


def _fault_as_json(fault: Fault) -> dict[str, Any]:
    return {
        "code": fault.code,
        "severity": "warning" if fault.is_warning else "error",
        "key": fault.path,
        "message": fault.message,
        "suggestion": fault.suggestion,
        **place_of(fault),
        "text": render(fault),
    }


# What `nnrun check --build` does besides: every model built and compiled by Keras.


def built(found: list[Checked], *, quiet: bool) -> list[Checked]:
    """The specs with what Keras has against them.

    Args:
        found: checked without Keras.
        quiet: leave out the summaries, which are printed of those that Keras takes.
    """
    from nnrun.training import backend
    from nnrun.training.backend import Noise

    with Noise() as noise:
        console.say_meanwhile("loading TensorFlow", console.stderr(noise.terminal))
        backend.load()
        return [_built(each, quiet=quiet) for each in found]


def _built(each: Checked, *, quiet: bool) -> Checked:
    about = each.about
    if about is None or about.row is None or each.loaded is None:
        return each
    from nnrun.models.build import begin_anew, summary, wire
    from nnrun.training.compile import compile_model

    try:
        shape = tuple(size or 0 for size in about.row.shape)
        begin_anew(about.spec.training.precision)
        wired = wire(about.spec.model, shape, dtype=about.row.dtype)
        described = summary(wired)
        compile_model(wired.model, about.spec.training)
    except IncompatibleSpec as problem:
        fault = each.loaded.fault(problem.code, problem.path, problem.message)
        return replace(each, faults=(*each.faults, fault))
    if not quiet:
        console.stdout().print(f"{about.spec.name}\n{described}", markup=False, end="")
    return each
