"""What a person sees: answers on stdout, all else on stderr."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.markup import escape

from nnrun.errors import NnrunError, SpecError


def stdout() -> Console:
    """For answers."""
    return _console(sys.stdout)


def stderr(file: IO[str] | None = None) -> Console:
    """For everything else."""
    return _console(file or sys.stderr)


def _console(file: IO[str]) -> Console:
    # Off a terminal Rich assumes 80 columns and would break lines that scripts read.
    width = None if file.isatty() or "COLUMNS" in os.environ else 120
    return Console(file=file, width=width, highlight=False, soft_wrap=not file.isatty())


def print_json(value: Any) -> None:
    """One document on stdout."""
    sys.stdout.write(as_json(value))


def as_json(value: Any) -> str:
    """One document, with the line end of the last line."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def print_error(error: NnrunError, console: Console | None = None) -> None:
    """Says what is wrong, by default on stderr; a spec's faults with their places."""
    console = console or stderr()
    if not isinstance(error, SpecError):
        console.print(f"[bold red]error:[/] {escape(str(error))}")
        return
    # Rendering reads no file and needs no Keras, but only a refused spec needs it.
    from nnrun.spec.rendering import render

    for fault in error.faults:
        head, *source = render(fault).splitlines()
        console.print(f"[bold]{escape(head)}[/]")
        for line in source:
            console.print(escape(line), style="dim" if "^" not in line else "red")


def short(path: Path) -> str:
    """A path as a person would type it from here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
