"""`nnrun check SPEC…`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnrun.cli import console
from nnrun.cli.specs import allow, find_spec
from nnrun.cli.verb import AllowCode, Json, Overrides, Specs
from nnrun.errors import Fault, IncompatibleSpec, SpecError
from nnrun.runs import layout
from nnrun.spec.rendering import place_of, render
from nnrun.spec.text import count

if TYPE_CHECKING:
    from nnrun.check import SpecContext
    from nnrun.spec.loading import Loaded
    from nnrun.spec.training import Training


Format = StrEnum("Format", ["text", "json", "github"])


@dataclass(frozen=True)
class Checked:
    """A spec and its faults; `loaded` is None where the spec cannot be loaded."""

    path: Path
    loaded: Loaded | None
    faults: tuple[Fault, ...]

    @property
    def errors(self) -> int:
        """Number of errors."""
        return sum(not fault.is_warning for fault in self.faults)

    @cached_property
    def context(self) -> SpecContext | None:
        """Shapes and parameters of a spec without errors."""
        from nnrun import check

        if self.loaded is None or self.errors:
            return None
        return check.spec_context(self.loaded.experiment)


def check(
    specs: Specs,
    overrides: Overrides = [],  # noqa: B006 - Typer reads it, nobody changes it
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Default: text; in GitHub Actions text and annotations."),
    ] = None,
    build: Annotated[
        bool, typer.Option("--build", help="Also build each model with Keras; print its summary.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 2 for warnings, too.")
    ] = False,
    allow_code: AllowCode = False,
    json: Json = False,
) -> None:
    """Check specs and the files they name, without training.

    Example: nnrun check configs/*.yaml
    """
    form = Format.json if json else form
    results = [_check(spec, overrides) for spec in specs]
    if build:
        results = [_allow(result, allow_code=allow_code) for result in results]
        results = _build_all(results, quiet=form in (Format.json, Format.github))
    if form is Format.json:
        documents = [_as_json(result) for result in results]
        console.print_json({"specs": documents})
    else:
        _print(results, form)
    is_wrong = any(result.errors or (strict and result.faults) for result in results)
    raise typer.Exit(2 if is_wrong else 0)


def _check(spec: Path, overrides: list[str]) -> Checked:
    from nnrun import check
    from nnrun.spec.loading import load

    try:
        path = find_spec(spec)
        loaded = load(path, overrides=overrides)
    except SpecError as error:
        return Checked(spec, None, error.faults)
    return Checked(path, loaded, check.faults(loaded, own=layout.OWN))


def _allow(result: Checked, *, allow_code: bool) -> Checked:
    """A spec with its Python files allowed, or with the fault that they are not."""
    if result.loaded is None:
        return result
    try:
        allow(result.loaded, allow_code=allow_code)
    except SpecError as error:
        return replace(result, faults=(*result.faults, *error.faults))
    return result


def _print(results: list[Checked], form: Format | None) -> None:
    if form is not Format.github:
        out = console.stdout()
        for result in results:
            for fault in result.faults:
                console.print_fault(fault, out)
            if not result.errors:
                out.print(f"{console.relative_path(result.path)}: {_verdict(result)}")
                for line in _notes(result):
                    out.print(f"  {line}")
        if len(results) > 1 or results[0].faults:
            out.print(_total(results))
    if form is Format.github or (form is None and console.in_github_actions()):
        for result in results:
            for fault in result.faults:
                print(console.annotation(fault, result.path))


def _verdict(result: Checked) -> str:
    trace = result.context.trace if result.context else None
    word = count(len(result.faults), "warning") if result.faults else "fine"
    if trace is None:
        return f"{word}, shapes not checked"
    if trace.parameters is None:
        return f"{word}, shapes from model[{trace.unchecked}] on not checked"
    return f"{word}, {trace.parameters:,} parameters"


def _notes(result: Checked) -> Iterator[str]:
    """The columns of a user table, as training will read them, and what was not read."""
    from nnrun.check.training import schedule_notes

    if result.context and (rows := _trained_rows(result.context)):
        yield from schedule_notes(result.context.spec.training, rows)
    from nnrun.spec.dataset import Images, Npz, Table, Text

    files = result.loaded.experiment.code if result.loaded else ()
    if files:
        yield f"{', '.join(file.path.name for file in files)}: read, not run"
    dataset = result.loaded.experiment.dataset if result.loaded else None
    if isinstance(dataset, Images | Text) and Path(dataset.path).is_dir():
        yield "the files in the folder were not opened"
    if isinstance(dataset, Npz):
        from nnrun.data.columns import described_target

        if result.context and result.context.profile.target.shape:
            yield described_target(result.context.profile.target)
        yield "of x only the shape was read"
    if not isinstance(dataset, Table):
        return
    from nnrun.data.columns import described

    try:
        table = dataset.sample(Path(dataset.path))
        columns = {name: table.columns[name] for name in dataset.feature_names(table)}
        target = dataset.meaning(table)
    except (ImportError, OSError, ValueError, KeyError):
        return  # a fault, or `shapes not checked`, says so
    counts = {name: len(column.categories or ()) for name, column in columns.items()}
    counts |= dict.fromkeys(dataset.texts, -1)
    yield described(counts, target)
    if table.is_sample:
        yield f"only the first {table.rows:,} rows were read"


def _trained_rows(context: SpecContext) -> int | None:
    """The rows that are trained on, if their number is known without reading them."""
    from nnrun.check.context import held_out

    rows, holdout = context.profile.train, context.spec.validation.holdout
    return rows - held_out(holdout, rows) if rows and holdout else rows


def _counted(context: SpecContext) -> Training:
    from nnrun.check.training import with_steps

    return with_steps(context.spec.training, _trained_rows(context) or 1)


def _total(results: list[Checked]) -> str:
    errors = sum(result.errors for result in results)
    warnings = sum(len(result.faults) for result in results) - errors
    counts = f"{count(errors, 'error')}, {count(warnings, 'warning')}"
    first = next((fault.code for result in results for fault in result.faults), None)
    more = f"; for details: nnrun explain {first}" if first else ""
    return f"{count(len(results), 'spec')}: {counts}{more}"


def _as_json(result: Checked) -> dict[str, object]:
    trace = result.context.trace if result.context else None
    return {
        "path": str(result.path),
        "valid": not result.errors,
        "parameters": trace.parameters if trace else None,
        "notes": [] if result.errors else list(_notes(result)),
        "layers": [
            {"name": layer.name, "shape": list(output.shape), "parameters": output.parameters}
            for layer, output in (result.context.layers if result.context else ())
        ],
        "faults": [
            {
                "code": fault.code,
                "severity": "warning" if fault.is_warning else "error",
                "key": fault.path,
                "message": fault.message,
                "suggestion": fault.suggestion,
                **place_of(fault),
                "text": render(fault),
            }
            for fault in result.faults
        ],
    }


def _build_all(results: list[Checked], *, quiet: bool) -> list[Checked]:
    from nnrun.training import backend

    with backend.Noise() as noise:
        console.print_status("loading TensorFlow", console.stderr(noise.terminal))
        backend.load()
        return [_build(result, quiet=quiet) for result in results]


def _build(result: Checked, *, quiet: bool) -> Checked:
    context = result.context
    if context is None or context.input_shape is None or result.loaded is None:
        return result
    from nnrun.models.build import reset_keras, summary, wire
    from nnrun.models.components import use_code
    from nnrun.training.compile import compile_model

    try:
        use_code(context.spec.code)
        reset_keras(context.spec.training.precision)
        wired = wire(context.spec.model, context.input_shape, dtype=context.input_dtype)
        text = summary(wired.model)
        compile_model(wired.model, _counted(context), context.profile.target)
    except IncompatibleSpec as problem:
        fault = result.loaded.fault(problem.code, problem.path, problem.message)
        return replace(result, faults=(*result.faults, fault))
    if not quiet:
        console.stdout().print(f"{context.spec.name}\n{text}", end="")
    return result
