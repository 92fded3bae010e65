"""`nnrun smoke SPEC…`."""

from __future__ import annotations

import os
import platform
import re
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from xml.etree import ElementTree

import typer
from rich.console import Console

from nnrun.cli import console, specs
from nnrun.cli.progress import LoggedProgress, epoch_line
from nnrun.cli.train import folder_maker
from nnrun.cli.verb import AllowCode, Json, Overrides, Specs, kept_or_temporary
from nnrun.errors import Fault, NnrunError, SpecError
from nnrun.runs import Run, layout
from nnrun.spec import code
from nnrun.spec.text import escape_markdown, escape_text
from nnrun.training import backend
from nnrun.training.backend import Interrupts
from nnrun.types import Logs

if TYPE_CHECKING:
    from nnrun.spec.loading import Loaded

PASSED = "passed"
FAILED = "failed"
REFUSED = "refused"  # the spec cannot be loaded, or does not fit the data
INTERRUPTED = "interrupted"
UNTRIED = "not tried"

GITHUB_SUMMARY = "GITHUB_STEP_SUMMARY"
"""Names the Markdown file that GitHub shows on the page of a workflow."""
COLUMNS = ("spec", "data", "seconds", "result")
SUITE = "nnrun.smoke"
# XML 1.0 does not allow most control characters.
_INVALID_IN_XML = re.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass
class SmokeResult:
    """The result of one spec.

    Args:
        data: `real` or `synthetic`, once the rows are loaded.
        seconds: without loading TensorFlow.
        trace: traceback of a bug in nnrun.
        skipped: keys of the spec that are not checked.
        path: of the run folder, if it is kept.
    """

    spec: str
    name: str = ""
    status: str = UNTRIED
    data: str = ""
    seconds: float = 0.0
    errors: tuple[str, ...] = ()
    trace: str = ""
    skipped: tuple[str, ...] = ()
    path: Path | None = None
    metrics: dict[str, object] = field(default_factory=dict)

    @property
    def code(self) -> int:
        """The exit code for this result alone."""
        return {PASSED: 0, REFUSED: 2}.get(self.status, 1)

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """Spec, kind of rows, seconds, and status with the skipped keys."""
        rows = f"{self.data} rows" if self.data else ""
        seconds = "" if self.status in (REFUSED, UNTRIED) else f"{self.seconds:.2f}"
        return self.spec, rows, seconds, ", ".join([self.status, *self.notes])

    @property
    def notes(self) -> list[str]:
        """A note per skipped key."""
        return [f"{key} skipped" for key in self.skipped]

    @property
    def reasons(self) -> list[str]:
        """The errors, each beginning with the spec."""
        return [e if e.startswith(self.spec) else f"{self.spec}: {e}" for e in self.errors]

    def refuse(self, error: SpecError) -> None:
        """Stores the faults of the spec, without the lines of the file."""
        from nnrun.spec.rendering import render

        self.status = REFUSED
        self.errors = tuple(render(fault).splitlines()[0] for fault in error.faults)


def smoke(
    paths: Specs,
    overrides: Overrides = [],  # noqa: B006 - Typer reads it, nobody changes it
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Generate rows if the data are not in the cache.")
    ] = False,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write JUnit XML, for CI.")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the run folders in DIR.")
    ] = None,
    allow_code: AllowCode = False,
    json: Json = False,
) -> None:
    """Smoke-test each experiment: one epoch on a few rows.

    Example: nnrun smoke configs/*.yaml --synthetic --junit smoke.xml
    """
    began, start = datetime.now(), time.perf_counter()
    results = [SmokeResult(str(path)) for path in paths]
    try:
        loaded = _load(paths, overrides, results, allow_code=allow_code)
        if loaded:
            run_all(loaded, keep, synthetic=synthetic)
    finally:
        seconds = time.perf_counter() - start
        if json:
            runs = [_as_json(result) for result in results]
            console.print_json({"runs": runs})
        else:
            show(results, console.stdout(), seconds=seconds)
        if junit:
            text = junit_xml(results, began=began)
            console.save(junit, lambda path: path.write_text(text, encoding="utf-8"))
        if summary := os.environ.get(GITHUB_SUMMARY):
            with console.reported(summary), Path(summary).open("a", encoding="utf-8") as file:
                file.write(markdown(results, seconds=seconds))
    raise typer.Exit(max(result.code for result in results))


def _as_json(result: SmokeResult) -> dict[str, object]:
    return {
        "path": str(result.path) if result.path else None,
        "name": result.name or None,
        "status": result.status,
        **({"error": "; ".join(result.errors)} if result.errors else {}),
        "spec": result.spec,
        "data": result.data or None,
        "seconds": round(result.seconds, 3),
        "skipped": list(result.skipped),
        "metrics": result.metrics,
    }


def _load(
    paths: Sequence[Path],
    overrides: list[str],
    results: Sequence[SmokeResult],
    *,
    allow_code: bool,
) -> list[tuple[Loaded, SmokeResult]]:
    loaded = []
    for path, result in zip(paths, results, strict=True):
        try:
            spec = specs.read_spec(path, overrides, allow_code=allow_code)
        except SpecError as error:
            result.refuse(error)
            console.print_error(error)
            continue
        result.name = spec.experiment.name
        result.skipped = ("expect",) if spec.experiment.expect else ()
        loaded.append((spec, result))
    return loaded


def run_all(
    loaded: Sequence[tuple[Loaded, SmokeResult]], keep: Path | None, *, synthetic: bool
) -> None:
    """Runs all specs, also after an error of one, and fills in their results."""
    with (
        kept_or_temporary(keep) as root,
        SmokeProgress(len(loaded)) as progress,
        Interrupts() as interrupts,
    ):
        start = time.perf_counter()
        progress.stage("loading TensorFlow")
        backend.load()
        # Imported here, so that its seconds do not count as those of the first spec.
        import nnrun.experiment.smoke  # noqa: F401

        seconds = time.perf_counter() - start
        for spec, result in loaded:
            progress.began(result.spec)
            try:
                run_one(spec, result, root, seconds, progress, interrupts, synthetic=synthetic)
            finally:
                result.path = progress.run.path if keep and progress.run else None
                progress.ended(result)


def run_one(
    loaded: Loaded,
    result: SmokeResult,
    root: Path,
    import_seconds: float,
    progress: SmokeProgress,
    interrupts: Interrupts,
    *,
    synthetic: bool,
) -> None:
    """Runs one trial and fills in its result, also after an interrupt."""
    from nnrun.experiment import smoke
    from nnrun.experiment.recorder import RunContext

    start = time.perf_counter()
    result.status = INTERRUPTED
    context = RunContext(loaded.overrides, start, import_seconds)
    try:
        with specs.located_errors(loaded):
            trial = smoke.load_rows(loaded.experiment, synthetic=synthetic)
            result.data = trial.data
            folder = folder_maker(loaded, root)
            run = smoke.run_trial(trial, folder, context=context, observer=progress)
        result.metrics = run.read_json(layout.METRICS)
        interrupts.check()
        result.status = PASSED
    except SpecError as error:
        interrupts.check()
        result.refuse(error)
        console.print_error(error, progress.console)
    except Exception as raised:  # noqa: BLE001 - the other specs are tried all the same
        interrupts.check()
        cause = code.blame(raised) or raised
        is_bug = not isinstance(cause, NnrunError)
        result.status, result.errors = FAILED, (repr(cause) if is_bug else str(cause),)
        if is_bug:
            result.trace = "".join(traceback.format_exception(cause))
            progress.console.print(result.trace)
    finally:
        result.seconds = time.perf_counter() - start


class SmokeProgress(LoggedProgress):
    """Observes one trial after another: a bar on a terminal, a line per spec elsewhere."""

    def __init__(self, specs: int) -> None:
        super().__init__()
        self._specs, self._ended, self._epochs = specs, 0, 1

    def began(self, spec: str) -> None:
        """Shows the name of the spec."""
        self._bar.update(self.task, description=spec, total=self._specs, completed=self._ended)
        self.stage("reading")

    def ended(self, result: SmokeResult) -> None:
        """Prints the result of a trial and closes its log."""
        self._noise.leave_log()
        self.run = None
        self._ended += 1
        if not console.can_draw(self.console):
            spec, rows, _, status = result.cells
            words = [status, spec, rows, f"{result.seconds:.2f} s"]
            self.console.print("  ".join(filter(None, words)))

    def stage(self, text: str) -> None:
        """Shows the current step."""
        self._bar.update(self.task, metrics=f"{self._ended}/{self._specs}  {text}")

    def run_began(self, path: Path, parts: int = 1) -> None:
        """Opens the log."""
        self.run = Run(path)
        self._noise.move_to(path / layout.LOG)
        self.stage("training")

    def notice(self, text: str) -> None:
        """Logs a notice, which matters little for a few rows."""
        self._log(f"note: {text}")

    def epoch_began(self, epoch: int, epochs: int, steps: int) -> None:
        """Remembers the number of epochs."""
        self._epochs = epochs

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        """Logs the line of an epoch."""
        self._log(epoch_line(epoch, self._epochs, logs, seconds))


def show(results: Sequence[SmokeResult], out: Console, *, seconds: float) -> None:
    """Prints a row per spec, the errors, the number of passed specs, and annotations for GitHub."""
    rows = [result.cells for result in results]
    out.print(console.make_table(COLUMNS, rows, right=["seconds"]))
    for result in results:
        for reason in result.reasons:
            out.print(reason, soft_wrap=True)
    out.print(_total(results, seconds))
    if console.in_github_actions():
        for result in results:
            # Refused specs have been annotated with their lines.
            for error in result.errors if result.status == FAILED else ():
                print(console.annotation(Fault("smoke", "", error), Path(result.spec)))


def markdown(results: Sequence[SmokeResult], *, seconds: float) -> str:
    """The same in Markdown, for the page of a GitHub workflow."""
    rows = [COLUMNS, ("---", "---", "---:", "---"), *(result.cells for result in results)]
    lines = [f"| {' | '.join(map(escape_markdown, row))} |" for row in rows]
    reasons = [f"- {escape_markdown(reason)}" for result in results for reason in result.reasons]
    parts = ["### nnrun smoke", "\n".join(lines), "\n".join(reasons), _total(results, seconds)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _total(results: Sequence[SmokeResult], seconds: float) -> str:
    passed = sum(result.status == PASSED for result in results)
    return f"{passed} of {len(results)} passed in {seconds:.1f} s"


def junit_xml(results: Sequence[SmokeResult], *, began: datetime) -> str:
    """One JUnit test suite with a test case per spec.

    A failed trial is a `failure`, a refused spec or a bug of nnrun an `error`, and a trial that did
    not end is `skipped`.
    """
    tags = [_junit_tag(result) for result in results]
    counts = {
        "tests": str(len(results)),
        "failures": str(tags.count("failure")),
        "errors": str(tags.count("error")),
        "time": f"{sum(result.seconds for result in results):.3f}",
    }
    root = ElementTree.Element("testsuites", {"name": "nnrun smoke", **counts})
    suite = ElementTree.SubElement(root, "testsuite", {"name": SUITE, **counts})
    suite.set("skipped", str(tags.count("skipped")))
    suite.set("hostname", platform.node())
    suite.set("timestamp", began.isoformat(timespec="seconds"))
    suite.extend(map(_junit_case, results, tags))
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _junit_tag(result: SmokeResult) -> str | None:
    if result.status in (INTERRUPTED, UNTRIED):
        return "skipped"
    if result.status == REFUSED or result.trace:
        return "error"
    return "failure" if result.status == FAILED else None


def _junit_case(result: SmokeResult, tag: str | None) -> ElementTree.Element:
    case = ElementTree.Element("testcase", name=_xml_text(result.spec), classname=SUITE)
    case.set("time", f"{result.seconds:.3f}")
    if tag:
        message = _xml_text("; ".join(result.errors) or result.status)
        element = ElementTree.SubElement(case, tag, message=message)
        if tag != "skipped":
            element.set("type", result.status)
            element.text = _xml_text(result.trace or "\n".join(result.errors))
    if output := "\n".join(filter(None, [result.cells[1], *result.notes])):
        ElementTree.SubElement(case, "system-out").text = _xml_text(output)
    return case


def _xml_text(text: str) -> str:
    return escape_text(_INVALID_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text))
