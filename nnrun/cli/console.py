"""What a person sees: answers on stdout, all else on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.control import Control
from rich.markup import escape
from rich.segment import ControlType, Segment
from rich.text import Text

from nnrun import inert
from nnrun.errors import Fault, NnrunError, SpecError


class InertConsole(Console):
    """A console on which no text can steer the terminal, whoever wrote it.

    Whatever is printed becomes text here, before its width is measured, and segments here, after
    that; what Rich itself tells the terminal goes by as a control code and not as text.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """Text of a string, with pictures in place of control characters."""
        return super().render_str(inert.text(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments of anything, none of which holds a control character."""
        for segment in super().render(renderable, options):
            if segment.control or inert.is_inert(segment.text):
                yield segment
            else:
                yield Segment(inert.text(segment.text), segment.style)


def stdout() -> Console:
    """For answers."""
    return _console(sys.stdout)


def stderr(file: IO[str] | None = None) -> Console:
    """For everything else."""
    return _console(file or sys.stderr)


def _console(file: IO[str]) -> Console:
    # Off a terminal Rich assumes 80 columns and would break lines that scripts read.
    width = None if file.isatty() or "COLUMNS" in os.environ else 120
    return InertConsole(file=file, width=width, highlight=False, soft_wrap=not file.isatty())


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
    return inert.json(json.dumps(value, indent=2, ensure_ascii=False)) + "\n"


def print_error(error: NnrunError, console: Console | None = None) -> None:
    """Says what is wrong, by default on stderr; a spec's faults with their places."""
    console = console or stderr()
    if not isinstance(error, SpecError):
        console.print(f"[bold red]error:[/] {escape(str(error))}")
        return
    from nnrun.cli import github

    for fault in error.faults:
        print_fault(fault, console)
    if github.wanted():
        for fault in error.faults:
            console.print(github.annotation(fault), markup=False, soft_wrap=True)


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
        return inert.line(str(path.resolve().relative_to(Path.cwd())))
    except ValueError:
        return inert.line(str(path))
