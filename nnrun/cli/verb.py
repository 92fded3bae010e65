"""Options that several verbs share, and the exit codes of all verbs."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Annotated

import typer

from nnrun.cli import console
from nnrun.errors import NnrunError

MISSED = 3
INTERRUPTED = 130
TERMINATED = 143

Specs = Annotated[
    list[Path], typer.Argument(metavar="SPEC", help="YAML files, or shipped specs by name.")
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
Runs = Annotated[
    Path, typer.Option("--runs", envvar="NNRUN_RUNS", help="Folder of all runs.", metavar="DIR")
]
Overrides = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Override a key; may be repeated.")
]
Expect = Annotated[
    list[str],
    typer.Option(
        "--expect",
        metavar="GATE",
        help="Exit with 3 unless met, such as 'test_accuracy >= 0.9'; may be repeated.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        metavar="N",
        help="Folds trained in parallel; by default 1, or more for long folds.",
    ),
]
Folds = Annotated[
    bool, typer.Option("--folds", help="Average the models of the folds, not the final model.")
]
Augment = Annotated[
    int | None,
    typer.Option("--augment", min=2, metavar="N", help="Average N passes with augmentation."),
]
McDropout = Annotated[
    int | None,
    typer.Option("--mc-dropout", min=2, metavar="N", help="Average N passes with dropout."),
]
Output = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="Write the result to a file.")
]
AllowCode = Annotated[
    bool,
    typer.Option(
        "--allow-code", help="Run the Python files under `code`, now and later, as they are now."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


@contextmanager
def kept_or_temporary(keep: Path | None) -> Iterator[Path]:
    """The folder given with `--keep`, or a temporary one."""
    if keep:
        yield keep
        return
    with TemporaryDirectory(prefix="nnrun-", ignore_cleanup_errors=True) as temporary:
        yield Path(temporary)


class Terminated(KeyboardInterrupt):
    """SIGTERM, as schedulers and CI send it, or SIGHUP, as a terminal sends when it is closed.

    Handled like Ctrl-C, with its own exit code.
    """


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turns the end of a verb into an exit code: 1 failed, 2 usage or spec, 130 and 143 signals.

    Any other exception is a bug of nnrun and keeps its traceback.
    """
    for number in {signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}:
        # An ignored signal, as under `nohup`, stays ignored.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _terminate)
    try:
        yield
    except NnrunError as error:
        console.print_error(error)
        raise typer.Exit(error.exit_code) from None
    except Exception as error:
        from nnrun.spec import code

        if blamed := code.blame(error):
            console.print_error(blamed)
            raise typer.Exit(blamed.exit_code) from None
        raise
    except Terminated:
        raise typer.Exit(TERMINATED) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated
