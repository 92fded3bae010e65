"""What a person sees: answers on stdout, all else on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.control import Control
from rich.markup import escape
from rich.segment import ControlType, Segment
from rich.text import Text

from nnrun.errors import GATE, OVERRIDE, Fault, NnrunError, RunError, SpecError
from nnrun.spec.text import escape_json, escape_line, escape_text, is_inert


class SafeConsole(Console):
    """A console on which no text can steer the terminal, whoever wrote it.

    Whatever is printed becomes text here, before its width is measured, and segments here, after
    that; what Rich itself tells the terminal goes by as a control code and not as text.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """Text of a string, with pictures in place of control characters."""
        return super().render_str(escape_text(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments of anything, none of which holds a control character."""
        for segment in super().render(renderable, options):
            if segment.control or is_inert(segment.text):
                yield segment
            else:
                yield Segment(escape_text(segment.text), segment.style)


def stdout() -> Console:
    """For answers."""
    return _console(sys.stdout)


def stderr(file: IO[str] | None = None) -> Console:
    """For everything else."""
    return _console(file or sys.stderr)


def _console(file: IO[str]) -> Console:
    # Off a terminal Rich assumes 80 columns and would break lines that scripts read.
    width = None if file.isatty() or "COLUMNS" in os.environ else 120
    return SafeConsole(file=file, width=width, highlight=False, soft_wrap=not file.isatty())


def say_meanwhile(text: str, console: Console) -> None:
    """Says what takes a while, on a line that the next one is written over."""
    if console.is_terminal:
        console.print(text, markup=False, end="")
        console.control(Control(ControlType.CARRIAGE_RETURN))


def print_json(value: Any) -> None:
    """One document on stdout."""
    sys.stdout.write(as_json(value))


def as_json(value: Any) -> str:
    """One document, with the line end of the last line."""
    return escape_json(json.dumps(value, indent=2, ensure_ascii=False)) + "\n"


def print_error(error: NnrunError, console: Console | None = None) -> None:
    """Says what is wrong, by default on stderr; a spec's faults with their places."""
    console = console or stderr()
    if not isinstance(error, SpecError):
        console.print(f"[bold red]error:[/] {escape(str(error))}")
        return

    for fault in error.faults:
        print_fault(fault, console)
    if wanted():
        for fault in error.faults:
            console.print(annotation(fault), markup=False, soft_wrap=True)


def print_fault(fault: Fault, out: Console) -> None:
    """Says what is wrong, with the line and carets under the culprit."""
    # Rendering reads no file and needs no Keras, but only a refused spec needs it.
    from nnrun.spec.rendering import render

    head, *source = render(fault).splitlines()
    out.print(f"[bold]{escape(head)}[/]")
    color = "yellow" if fault.is_warning else "red"
    for line in source:
        out.print(escape(line), style="dim" if "^" not in line else color)


def short(path: Path) -> str:
    """A path as a person would type it from here, on one line."""
    try:
        return escape_line(str(path.resolve().relative_to(Path.cwd())))
    except ValueError:
        return escape_line(str(path))


# Faults as GitHub Actions shows them beside the line, by the workflow commands it documents.
#
# https://docs.github.com/actions/reference/workflow-commands-for-github-actions


def wanted() -> bool:
    """Whether this runs where somebody reads annotations."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def annotation(fault: Fault, spec: Path | None = None) -> str:
    """One line that GitHub turns into a remark.

    Args:
        fault: what is wrong.
        spec: the file to name where the fault itself stands in none, as in `--set`.

    Example:
        >>> annotation(Fault("NN104", "model[2]", "unknown layer 'Dens'"), Path("a.yaml"))
        "::error file=a.yaml,title=NN104::model[2]: unknown layer 'Dens'"
    """
    place, level = fault.place, "warning" if fault.is_warning else "error"
    where = {"file": str(spec) if spec else None, "title": fault.code}
    if place and place.source not in (OVERRIDE, GATE):
        end = place.column + place.length
        where = {
            "file": place.source,
            "line": str(place.line),
            "col": str(place.column),
            "endColumn": str(end),
            "title": fault.code,
        }
    properties = ",".join(f"{key}={_escaped(value)}" for key, value in where.items() if value)
    hint = f"; did you mean '{fault.suggestion}'?" if fault.suggestion else ""
    path = f"{fault.path}: " if fault.path else ""
    return f"::{level} {properties}::{_message(f'{path}{fault.message}{hint}')}"


def _message(text: str) -> str:
    return escape_text(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")


# A file that a person asked for, written whole or not at all.


def save(path: Path, write: Callable[[Path], object]) -> None:
    """Has a file written; what stood there stays until the new one is whole.

    Args:
        path: as the person named it.
        write: is given a passing name beside it.

    Raises:
        RunError: it cannot be written.
    """
    # A link stays one: what it points at is exchanged. So does a device, which is written to.
    path, named = path.resolve(), path
    passing = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        if path.exists() and not path.is_file():
            write(path)
            return
        write(passing)
        passing.replace(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunError(f"{named}: cannot be written: {reason}") from error
    finally:
        with suppress(OSError):
            passing.unlink()
