"""Output for the user: results on stdout, everything else on stderr."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from itertools import chain, repeat
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from rich.console import Console, ConsoleOptions, RenderableType
from rich.control import Control
from rich.markup import escape
from rich.segment import ControlType, Segment
from rich.text import Text

from nnrun.errors import GATE, OVERRIDE, Fault, NnrunError, RunError, SpecError
from nnrun.spec.text import escape_json, escape_line, escape_text, is_inert

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn
    from rich.table import Table

Format = TypeVar("Format", bound=StrEnum)


class SafeConsole(Console):
    """A console that shows control characters of foreign text instead of obeying them.

    Strings are escaped before their width is measured, and all segments once more before they are
    written, except the control codes of Rich itself.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """Renders a string with its control characters escaped."""
        return super().render_str(escape_text(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Renders anything into segments without control characters."""
        for segment in super().render(renderable, options):
            if segment.control or is_inert(segment.text):
                yield segment
            else:
                yield Segment(escape_text(segment.text), segment.style)


def stdout() -> Console:
    """The console for results."""
    return _console(sys.stdout)


def stderr(file: IO[str] | None = None) -> Console:
    """The console for everything else."""
    return _console(file or sys.stderr)


def _console(file: IO[str]) -> Console:
    # Off a terminal Rich assumes 80 columns and would break lines that scripts read.
    width = None if file.isatty() or "COLUMNS" in os.environ else 120
    console = SafeConsole(file=file, width=width, markup=False, emoji=False, highlight=False)
    console.soft_wrap = not file.isatty()
    return console


def print_status(text: str, console: Console) -> None:
    """Prints a line for a slow step, on terminals only; the next line overwrites it."""
    if console.is_terminal:
        console.print(text, end="")
        console.control(Control(ControlType.CARRIAGE_RETURN))


def print_notes(notes: Iterable[str]) -> None:
    """Prints notes on stderr, beside the result."""
    for note in notes:
        stderr().print(f"note: {note}")


def make_progress(out: Console, *columns: ProgressColumn) -> Progress:
    """Progress bars that vanish at the end; disabled where the console cannot draw them."""
    from rich.progress import Progress

    return Progress(*columns, console=out, disable=not can_draw(out), transient=True)


def can_draw(out: Console) -> bool:
    """Whether the console can draw progress bars."""
    return out.is_terminal and not out.is_dumb_terminal


def print_json(document: Mapping[str, object]) -> None:
    """Prints one JSON document on stdout."""
    sys.stdout.write(as_json(document))


def as_json(document: Mapping[str, object]) -> str:
    """A JSON document with the version of its schema; ends with a newline."""
    versioned = {"schema_version": 1, **document}
    return escape_json(json.dumps(versioned, indent=2, ensure_ascii=False)) + "\n"


@contextmanager
def json_of_runs(*, wanted: bool) -> Iterator[list[dict[str, object]]]:
    """A list of runs, printed as one JSON document at the end, also after an error."""
    runs: list[dict[str, object]] = []
    try:
        yield runs
    finally:
        if wanted:
            print_json({"runs": runs})


def make_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    *,
    title: str = "",
    right: Collection[str] = (),
    row_styles: Sequence[str] = (),
) -> Table:
    """A table of plain text; `right` are the headings of columns aligned to the right."""
    from rich.table import Table

    table = Table(title=title or None, title_justify="left")
    for heading in headings:
        is_right = heading in right
        table.add_column(heading, justify="right" if is_right else "left", no_wrap=is_right)
    for row, style in zip(rows, chain(row_styles, repeat("")), strict=False):
        table.add_row(*row, style=style)
    return table


def print_error(error: NnrunError, console: Console | None = None) -> None:
    """Prints an error, by default on stderr; faults of a spec with their places."""
    console = console or stderr()
    if not isinstance(error, SpecError):
        console.print(f"[bold red]error:[/] {escape(str(error))}", markup=True)
        return
    for fault in error.faults:
        print_fault(fault, console)
    for fault in error.faults if in_github_actions() else ():
        console.print(annotation(fault), soft_wrap=True)


def print_fault(fault: Fault, out: Console) -> None:
    """Prints a fault, with its line of the spec and carets under the value."""
    from nnrun.spec.rendering import render

    head, *source = render(fault).splitlines()
    out.print(head, style="bold")
    color = "yellow" if fault.is_warning else "red"
    for line in source:
        out.print(line, style=color if "^" in line else "dim")


def relative_path(path: Path) -> str:
    """A path relative to the current folder, on one line; absolute where it is not below it."""
    try:
        return escape_line(str(path.resolve().relative_to(Path.cwd())))
    except ValueError:
        return escape_line(str(path))


def in_github_actions() -> bool:
    """Whether the command runs in a workflow of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def annotation(fault: Fault, spec: Path | None = None) -> str:
    """The workflow command by which GitHub Actions shows a fault beside its line.

    See https://docs.github.com/actions/reference/workflow-commands-for-github-actions. A fault
    without a place in a file, as in `--set`, names `spec`.
    """
    place, level = fault.place, "warning" if fault.is_warning else "error"
    where = {"file": str(spec)} if spec else {}
    if place and place.source not in (OVERRIDE, GATE):
        end = str(place.column + place.length)
        where = {"file": place.source, "line": str(place.line), "col": str(place.column)}
        where["endColumn"] = end
    properties = ",".join(
        f"{key}={_escape_message(value).replace(':', '%3A').replace(',', '%2C')}"
        for key, value in {**where, "title": fault.code}.items()
    )
    hint = f"; did you mean '{fault.suggestion}'?" if fault.suggestion else ""
    path = f"{fault.path}: " if fault.path else ""
    return f"::{level} {properties}::{_escape_message(f'{path}{fault.message}{hint}')}"


def _escape_message(text: str) -> str:
    return escape_text(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def format_of(output: Path | None, formats: type[Format]) -> Format:
    """The format named by the suffix of a file; `table` for any other suffix."""
    suffix = output.suffix.removeprefix(".") if output else ""
    return formats(suffix if suffix in set(formats) else "table")


def write_result(result: str | Callable[[Console], None], output: Path | None) -> None:
    """Writes a text, or what a function prints, to a file, or to stdout without one."""
    if output:
        text = result if isinstance(result, str) else _printed(result)
        save(output, lambda path: path.write_text(text, encoding="utf-8"))
    elif isinstance(result, str):
        sys.stdout.write(result)
    else:
        result(stdout())


def _printed(show: Callable[[Console], None]) -> str:
    file = io.StringIO()
    show(_console(file))
    return file.getvalue()


def save(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a file as a whole; an existing one is replaced when the new one is complete.

    `write` gets a temporary name beside it. The target of a link is replaced; a device is written
    to.
    """
    path, given = path.resolve(), path
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        with reported(given):
            if path.exists() and not path.is_file():
                write(path)
                return
            write(temporary)
            temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def reported(path: str | Path) -> Iterator[None]:
    """Turns an error while a file is written into a RunError with its name."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunError(f"{path}: cannot be written: {reason}") from error
