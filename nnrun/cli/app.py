"""The `nnrun` command: one module per verb."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from nnrun import __version__
from nnrun.cli.verb import INTERRUPTED, TERMINATED, Terminated, exit_codes
from nnrun.spec import text

PLAIN: dict[str, Any] = {
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}
"""Settings of all Typer apps."""

VERBS = {
    "new": ("new:new", "Write a spec to start from, with a comment on every key."),
    "train": ("train:train", "Train each experiment, test it and leave a run folder."),
    "kfold": ("kfold:kfold", "Cross-validate an experiment: one run per fold, and a summary."),
    "resume": ("resume:resume", "Resume a stopped or killed run, with bit-identical results."),
    "verify": ("verify:verify", "Repeat runs and compare every file with the original."),
    "predict": ("predict:predict", "Predict with a trained run: rows, texts, images, tables."),
    "evaluate": ("evaluate:evaluate", "Evaluate a trained run on its test set or on a file."),
    "export": ("export:export", "Export a trained model to SavedModel, LiteRT or ONNX."),
    "check": ("check:check", "Check specs and the files they name, without training."),
    "compare": ("compare:compare", "Compare runs and test which differences are significant."),
    "smoke": ("smoke:smoke", "Smoke-test each experiment: one epoch on a few rows."),
    "list": ("list:list_runs", "List all runs with status, size and metrics."),
    "show": ("list:show", "Show one run: metrics, best epoch, seed, versions and files."),
    "clean": ("clean:clean", "Delete runs that match all given filters."),
    "schema": ("language:schema", "Print the JSON Schema of specs, for editors."),
    "data": ("data:app", "List, download, import and verify data set files."),
    "devices": ("language:devices", "List the devices that `training.device` can name."),
    "keys": ("language:keys", "Explain what a spec may contain: keys, steps, Keras names."),
    "explain": ("language:explain", "Explain an error code and how to fix it."),
}
"""The function of each verb and its line in `nnrun --help`, in the order of that list."""


class Verbs(TyperGroup):
    """A group of verbs, each imported only when it is used."""

    def list_commands(self, ctx: object) -> list[str]:
        """Names of the verbs, in the order of the help."""
        return list(VERBS)

    def get_command(self, ctx: object, cmd_name: str) -> Any:
        """The click command of a verb, or None."""
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name][0].partition(":")
        verb = getattr(import_module(f"nnrun.cli.{module}"), name)
        if isinstance(verb, typer.Typer):
            return typer.main.get_command(verb)
        alone = typer.Typer(**PLAIN, add_completion=False)
        alone.command(cmd_name)(verb)
        return typer.main.get_command(alone)

    def format_commands(self, ctx: object, formatter: Any) -> None:
        """Lists the verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in VERBS.items()])

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Parses the arguments before the verb."""
        with _escaped_usage_errors():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        """Parses the arguments of the verb and runs it."""
        with _escaped_usage_errors(), exit_codes():
            return super().invoke(ctx)


@contextmanager
def _escaped_usage_errors() -> Iterator[None]:
    """Escapes control characters of arguments that a usage error quotes."""
    try:
        yield
    except Exception as error:
        # Errors of click and of Typer both have this method.
        if hasattr(error, "format_message") and hasattr(error, "message"):
            error.message = text.escape_text(str(error.message))
        raise


app = typer.Typer(name="nnrun", cls=Verbs, no_args_is_help=True, **PLAIN)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Keras experiments from one YAML file: train, record, repeat."""


def run() -> None:
    """Runs the command and exits without the shutdown of TensorFlow, which takes a second."""
    # A shell can close them with `>&-`.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115 - as long as it runs
        # Letters that the terminal's encoding lacks are escaped.
        getattr(sys, name).reconfigure(errors="backslashreplace")
    try:
        _run()
    except SystemExit as end:
        # CPython ends by the signal itself where Ctrl-C interrupted an `exec`, even if handled.
        if "tensorflow" not in sys.modules and end.code != INTERRUPTED:
            raise
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else 1)


def _run() -> None:
    full = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)
    try:
        try:
            app(prog_name="nnrun")
        finally:
            sys.stdout.flush()
    except OSError as error:
        # Errors of files have a file name; those of standard output have none.
        if error.errno not in full or error.filename:
            raise
        # The rest of the buffer would fail again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if _was_terminated(error):
            # The terminal is closed.
            os.dup2(1, 2)
            raise SystemExit(TERMINATED) from None
        sys.stderr.write(f"error: standard output cannot be written: {error.strerror}\n")
        raise SystemExit(1) from None


def _was_terminated(error: BaseException | None) -> bool:
    """Whether an error occurred while SIGTERM or SIGHUP was handled."""
    while error and not isinstance(error, Terminated):
        error = error.__context__
    return error is not None
