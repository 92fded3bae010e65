"""What every verb has in common: the one place where an error is printed, and the exit codes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from nnrun.cli import console
from nnrun.errors import NnrunError

MISSED = 3
INTERRUPTED = 130
TERMINATED = 143

Runs = Annotated[
    Path, typer.Option("--runs", envvar="NNRUN_RUNS", help="Folder of all runs.", metavar="DIR")
]
Overrides = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key; may be repeated."),
]
Expect = Annotated[
    list[str],
    typer.Option(
        "--expect",
        metavar="GATE",
        help="What must be reached, such as 'test_accuracy >= 0.9', or exit with 3; may be repeated.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


class Terminated(KeyboardInterrupt):
    """SIGTERM, which schedulers and CI send: to be kept like Ctrl-C, with its own exit code."""


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turns what ends a verb into an exit code: 1 the run failed, 2 usage or spec, 130, 143.

    Any other exception is a fault of ours and keeps its traceback.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except NnrunError as error:
        console.print_error(error)
        raise typer.Exit(error.exit_code) from None
    except Terminated:
        raise typer.Exit(TERMINATED) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _terminate(_number: int, _frame: FrameType | None) -> Any:
    raise Terminated
