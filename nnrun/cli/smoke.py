"""`nnrun smoke SPEC…`."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnrun.cli import console
from nnrun.cli import specs as reading
from nnrun.cli.verb import Json, Overrides, exit_codes
from nnrun.errors import Fault, RunError, SpecError

if TYPE_CHECKING:
    from nnrun.spec.loading import Loaded
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from nnrun.cli.progress import epoch_line
from nnrun.errors import IncompatibleSpec, NnrunError
from nnrun.experiment.interrupts import Interrupts
from nnrun.runs import layout
from nnrun.spec import text
from nnrun.training import backend
from nnrun.training.backend import Noise
from nnrun.types import Logs

if TYPE_CHECKING:
    from nnrun.runs import Run
    from nnrun.spec.loading import Loaded
import platform
import re
from xml.etree import ElementTree

from nnrun.spec.text import escape_text

# How the trial of a spec went.

PASSED = "passed"
FAILED = "failed"
REFUSED = "refused"
"""The spec cannot be loaded, or does not fit the data."""
INTERRUPTED = "interrupted"
UNTRIED = "not tried"

_CODES = {PASSED: 0, FAILED: 1, REFUSED: 2}


@dataclass
class SmokeResult:
    """A spec, and how its trial went as soon as there was one.

    Args:
        spec: as the person named it.
        name: the experiment's, once it is loaded.
        status: one of the words above.
        data: `real` or `synthetic`, once the rows are there.
        seconds: without those that TensorFlow took to load.
        errors: a line each.
        trace: of an error that is ours to mend.
        skipped: keys of the spec that a trial does not look at.
        path: of the run folder, where it is kept.
        metrics: what the run's `metrics.json` says.
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
    metrics: dict[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> int:
        """What the command ends with if all others pass."""
        return _CODES.get(self.status, 1)

    @property
    def rows(self) -> str:
        """Which rows it was tried on."""
        return f"{self.data} rows" if self.data else ""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Its errors, each with the spec in front; a fault of a file has its place there already."""
        spec = self.spec
        return tuple(each if each.startswith(spec) else f"{spec}: {each}" for each in self.errors)

    @property
    def result(self) -> str:
        """The status, and what was not looked at."""
        return ", ".join([self.status, *(f"{key} skipped" for key in self.skipped)])

    def refuse(self, error: SpecError) -> None:
        """Notes that the spec has faults."""
        # Only a refused spec needs it.
        from nnrun.spec.rendering import render

        self.status = REFUSED
        # The first line says it; those below it show the place in the file.
        self.errors = tuple(render(fault).splitlines()[0] for fault in error.faults)

    def as_json(self) -> dict[str, Any]:
        """Of the same keys as a run in every verb's `--json`, and some of its own."""
        own: dict[str, Any] = {"spec": self.spec, "data": self.data or None}
        error = {"error": "; ".join(self.errors)} if self.errors else {}
        return {
            "path": str(self.path) if self.path else None,
            "name": self.name or None,
            "status": self.status,
            **error,
            **own,
            "seconds": round(self.seconds, 3),
            "skipped": list(self.skipped),
            "metrics": self.metrics,
        }


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
    """Try each experiment: one epoch on a few rows.

    Example: nnrun smoke configs/*.yaml --synthetic --junit smoke.xml
    """
    closing = _Closing([SmokeResult(str(spec)) for spec in specs], junit=junit, json=json)
    with exit_codes():
        try:
            loaded = _load(specs, overrides, closing.trials)
            if loaded:
                run_all(loaded, keep, stand_in=synthetic)
        finally:
            closing.say()
        raise typer.Exit(max(each.code for each in closing.trials))


@dataclass(frozen=True)
class _Closing:
    """What is said at the end, however it ended."""

    trials: Sequence[SmokeResult]
    junit: Path | None
    json: bool
    began: datetime = field(default_factory=datetime.now)
    since: float = field(default_factory=time.perf_counter)

    def say(self) -> None:
        """Prints the answer and writes the files that were asked for.

        Raises:
            RunError: one of them cannot be written; the answer has been printed.
        """
        seconds = time.perf_counter() - self.since
        if self.json:
            runs = [each.as_json() for each in self.trials]
            console.print_json({"schema_version": 1, "runs": runs})
        else:
            show(self.trials, console.stdout(), seconds=seconds)
            # A refused spec has had its annotations, each with its line.
            for each in self.trials if console.in_github_actions() else ():
                for error in each.errors if each.status == FAILED else ():
                    print(console.annotation(Fault("smoke", "", error), Path(each.spec)))
        if self.junit:
            _write_junit(self.junit, self)
        if summary := os.environ.get(SUMMARY):
            _append(Path(summary), markdown(self.trials, seconds=seconds))


def _write_junit(path: Path, closing: _Closing) -> None:
    from nnrun.cli.console import save

    text = document(closing.trials, began=closing.began)
    save(path, lambda passing: passing.write_text(text, encoding="utf-8"))


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror or error}") from error


def _load(
    specs: Sequence[Path], overrides: list[str], trials: Sequence[SmokeResult]
) -> list[tuple[Loaded, SmokeResult]]:
    """The specs that can be loaded; of the others all faults are said at once."""
    loaded = []
    for spec, each in zip(specs, trials, strict=True):
        try:
            found = reading.read_spec(spec, overrides)
        except SpecError as error:
            each.refuse(error)
            console.print_error(error)
            continue
        each.name = found.experiment.name
        each.skipped = ("expect",) if found.experiment.expect else ()
        loaded.append((found, each))
    return loaded


# What is said of a smoke run when it is over: a table, or Markdown for a CI service's page.

HEADER = ("spec", "data", "seconds", "result")


def show(trials: Sequence[SmokeResult], out: Console, *, seconds: float) -> None:
    """Prints a row per spec, the reasons of those that did not pass, and a sentence on all.

    Args:
        trials: in the order of the command.
        out: where to.
        seconds: that the whole took.
    """
    table = Table()
    for name in HEADER:
        table.add_column(name, justify="right" if name == "seconds" else "left")
    for each in trials:
        table.add_row(*map(escape, _cells(each)))
    out.print(table)
    for each in trials:
        for reason in each.reasons:
            out.print(reason, markup=False, soft_wrap=True)
    out.print(_sentence(trials, seconds), markup=False)


def markdown(trials: Sequence[SmokeResult], *, seconds: float) -> str:
    """The same as GitHub shows it on the page of a workflow."""
    rows = [HEADER, ("---", "---", "---:", "---"), *map(_cells, trials)]
    lines = [f"| {' | '.join(map(text.escape_markdown, row))} |" for row in rows]
    reasons = [f"- {text.escape_markdown(reason)}" for each in trials for reason in each.reasons]
    parts = ["### nnrun smoke", "\n".join(lines), "\n".join(reasons), _sentence(trials, seconds)]
    return "\n\n".join(filter(None, parts)) + "\n"


def line(each: SmokeResult) -> str:
    """What is printed as a trial ends, where no bar is drawn."""
    return "  ".join(filter(None, [each.result, each.spec, each.rows, f"{each.seconds:.2f} s"]))


def _cells(each: SmokeResult) -> tuple[str, ...]:
    untimed = each.status in (REFUSED, UNTRIED)
    return each.spec, each.rows, "" if untimed else f"{each.seconds:.2f}", each.result


def _sentence(trials: Sequence[SmokeResult], seconds: float) -> str:
    passed = sum(each.status == PASSED for each in trials)
    return f"{passed} of {len(trials)} passed in {seconds:.1f} s"


# How a smoke run shows: a bar on a terminal, a line per spec elsewhere.


class SmokeProgress:
    """The Observer of one trial after another; while entered, TensorFlow's noise goes to a log.

    Args:
        specs: how many there are to be tried.
    """

    def __init__(self, specs: int) -> None:
        self.path: Path | None = None
        self._specs = specs
        self._noise = Noise()
        self._epochs = 1

    def __enter__(self) -> Self:
        self.console = console.stderr(self._noise.__enter__().terminal)
        self._draws = self.console.is_terminal and not self.console.is_dumb_terminal
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.completed}/{task.total}  {task.fields[stage]}", markup=False),
            TimeElapsedColumn(),
            console=self.console,
            disable=not self._draws,
            transient=True,
        )
        self._task = self._bar.add_task("", total=self._specs, stage="")
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
        self._noise.__exit__()

    def began(self, spec: str) -> None:
        """Names the spec that is tried."""
        self._bar.update(self._task, description=spec, stage="reading")

    def ended(self, each: SmokeResult) -> None:
        """Says how a trial went; what comes until the next one has a folder is in no log."""
        self._noise.leave_log()
        self.path = None
        self._bar.advance(self._task)
        if not self._draws:
            self.console.print(line(each), markup=False)

    def stage(self, text: str) -> None:
        """Names what is being done."""
        self._bar.update(self._task, stage=text)

    def run_began(self, path: Path) -> None:
        """From now on there is a log to write to."""
        self.path = path
        self._noise.move_to(path / layout.LOG)
        self.stage("training")

    def notice(self, text: str) -> None:
        """Is in the log only: of a few rows it says nothing about the experiment."""
        self._noise.note(f"note: {text}")

    def epoch_began(self, epoch: int, epochs: int, steps: int) -> None:
        """Nothing to show."""
        self._epochs = epochs

    def steps_done(self, step: int) -> None:
        """Nothing to show."""

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        """Is in the log only."""
        self._noise.note(epoch_line(epoch, self._epochs, logs, seconds))


# Tries one spec after another in this process, and notes how each went.


def run_all(
    loaded: Sequence[tuple[Loaded, SmokeResult]], keep: Path | None, *, stand_in: bool
) -> None:
    """Tries all of them, whatever becomes of each.

    Args:
        loaded: each with what is to be noted of it.
        keep: where the run folders are left; None for nowhere.
        stand_in: whether made-up rows may stand in for files that are not there.

    Raises:
        KeyboardInterrupt: what was noted until then stays.
    """
    with _folder(keep) as root, SmokeProgress(len(loaded)) as watcher, Interrupts() as interrupts:
        began = time.perf_counter()
        watcher.stage("loading TensorFlow")
        backend.load()
        # Before the first trial, whose seconds would else be those of all.
        from nnrun.experiment.smoke import run_trial

        seconds = time.perf_counter() - began
        trials = Trials(root, watcher, stand_in, seconds, run_trial, interrupts)
        for found, each in loaded:
            watcher.began(each.spec)
            try:
                trials.attempt(found, each)
            finally:
                each.path = watcher.path if keep else None
                watcher.ended(each)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep:
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="nnrun-smoke-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@dataclass(frozen=True)
class Trials:
    """What all trials have in common.

    Args:
        root: folder of their runs.
        watcher: is told how they go.
        stand_in: whether made-up rows may stand in for files that are not there.
        import_seconds: spent loading TensorFlow and Keras.
        carry_out: trains and reads back, as `smoke.trial` has it.
        interrupts: entered.
    """

    root: Path
    watcher: SmokeProgress
    stand_in: bool
    import_seconds: float
    carry_out: Callable[..., Run]
    interrupts: Interrupts

    def attempt(self, loaded: Loaded, each: SmokeResult) -> None:
        """Tries one experiment and notes how it went.

        Raises:
            KeyboardInterrupt: when that is noted.
        """
        began = time.perf_counter()
        each.status = INTERRUPTED
        try:
            each.metrics = self._run(loaded, each, began)
            self.interrupts.raise_again()
            each.status = PASSED
        except Exception as error:  # noqa: BLE001 - the other experiments are tried all the same
            self.interrupts.raise_again()
            self._note(each, error)
        finally:
            each.seconds = time.perf_counter() - began

    def _note(self, each: SmokeResult, error: Exception) -> None:
        if isinstance(error, SpecError):
            each.refuse(error)
            console.print_error(error, self.watcher.console)
            return
        each.status, each.errors = FAILED, (str(error),)
        if not isinstance(error, NnrunError):
            # Ours to mend.
            each.errors, each.trace = (repr(error),), "".join(traceback.format_exception(error))
            self.watcher.console.print(each.trace, markup=False)

    def _run(self, loaded: Loaded, each: SmokeResult, began: float) -> dict[str, Any]:
        """Trains and reads back; returns the metrics."""
        from nnrun import runs
        from nnrun.experiment import smoke
        from nnrun.experiment.recorder import RunContext

        context = RunContext(loaded.overrides, began, self.import_seconds)
        try:
            trial = smoke.load_rows(loaded.experiment, stand_in=self.stand_in)
            each.data = trial.data
            run = self.carry_out(
                trial,
                lambda record: runs.create(
                    self.root, each.name, now=context.clock(), record=record
                ),
                context=context,
                observer=self.watcher,
            )
        except IncompatibleSpec as problem:
            fault = loaded.fault(problem.code, problem.path, problem.message)
            raise SpecError((fault,)) from problem
        return run.metrics()


# The trials of a smoke run as JUnit XML, which CI services show.

SUITE = "nnrun.smoke"
# XML 1.0 has no way to write most control characters.
_UNWRITABLE = re.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def document(trials: Sequence[SmokeResult], *, began: datetime) -> str:
    """One test suite, one test case per spec.

    A failed trial is a `failure`, a refused spec and a fault of ours an `error`, and a spec that was
    not tried to its end is `skipped`.

    Args:
        trials: in the order of the command.
        began: the local time.
    """
    suite = ElementTree.Element("testsuite", name=SUITE, hostname=platform.node())
    suite.set("timestamp", began.isoformat(timespec="seconds"))
    suite.extend(_case(each) for each in trials)
    _count(suite, trials)
    root = ElementTree.Element("testsuites", name="nnrun smoke")
    _count(root, trials)
    del root.attrib["skipped"]  # which only a suite counts
    root.append(suite)
    ElementTree.indent(root)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        + ElementTree.tostring(root, encoding="unicode")
        + "\n"
    )


def _count(element: ElementTree.Element, trials: Sequence[SmokeResult]) -> None:
    kinds = [_kind(each) for each in trials]
    element.set("tests", str(len(trials)))
    for attribute, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(kinds.count(kind)))
    element.set("time", f"{sum(each.seconds for each in trials):.3f}")


def _case(each: SmokeResult) -> ElementTree.Element:
    case = ElementTree.Element("testcase", name=_writable(each.spec), classname=SUITE)
    case.set("time", f"{each.seconds:.3f}")
    kind = _kind(each)
    if kind:
        sign = ElementTree.SubElement(
            case, kind, message=_writable("; ".join(each.errors) or each.status)
        )
        if kind != "skipped":
            sign.set("type", each.status)
            sign.text = _writable(each.trace or "\n".join(each.errors))
    said = "\n".join(filter(None, [each.rows, *(f"{key} skipped" for key in each.skipped)]))
    if said:
        ElementTree.SubElement(case, "system-out").text = _writable(said)
    return case


def _kind(each: SmokeResult) -> str | None:
    if each.status in (INTERRUPTED, UNTRIED):
        return "skipped"
    if each.status == REFUSED or each.trace:
        return "error"
    return "failure" if each.status == FAILED else None


def _writable(text: str) -> str:
    return escape_text(_UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text))
