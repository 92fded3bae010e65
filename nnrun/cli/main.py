"""The `nnrun` command: one module per verb."""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated

import typer

from nnrun import __version__
from nnrun.cli import (
    check,
    clean,
    compare,
    devices,
    evaluate,
    explain,
    export,
    keys,
    kfold,
    new,
    predict,
    resume,
    schema,
    show,
    smoke,
    train,
    verify,
)
from nnrun.cli import list as list_
from nnrun.cli.data.app import app as data
from nnrun.cli.usage import Verbs
from nnrun.cli.verb import INTERRUPTED

app = typer.Typer(
    name="nnrun",
    cls=Verbs,
    help="Keras experiments from one YAML file: train, record, repeat.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("new", epilog=new.EXAMPLE)(new.new)
app.command("train", epilog=train.EXAMPLE)(train.train)
app.command("kfold", epilog=kfold.EXAMPLE)(kfold.kfold)
app.command("resume", epilog=resume.EXAMPLE)(resume.resume)
app.command("verify", epilog=verify.EXAMPLE)(verify.verify)
app.command("predict", epilog=predict.EXAMPLE)(predict.predict)
app.command("evaluate", epilog=evaluate.EXAMPLE)(evaluate.evaluate)
app.command("export", epilog=export.EXAMPLE)(export.export)
app.command("check", epilog=check.EXAMPLE)(check.check)
app.command("compare", epilog=compare.EXAMPLE)(compare.compare)
app.command("smoke", epilog=smoke.EXAMPLE)(smoke.smoke)
app.command("list", epilog=list_.EXAMPLE)(list_.list_runs)
app.command("show", epilog=show.EXAMPLE)(show.show)
app.command("clean", epilog=clean.EXAMPLE)(clean.clean)
app.command("schema", epilog=schema.EXAMPLE)(schema.schema)
app.add_typer(data, name="data")
app.command("devices", epilog=devices.EXAMPLE)(devices.devices)
app.command("keys", epilog=keys.EXAMPLE)(keys.keys)
app.command("explain", epilog=explain.EXAMPLE)(explain.explain)


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


def main() -> None:
    """Runs the command and leaves at once.

    Taking TensorFlow apart in an orderly way takes a second and frees nothing that the end of the
    process does not free; everything a person keeps has been written and closed by then.
    """
    # A shell that has closed them, `>&-`, wants to hear nothing.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115 - as long as it runs
        # A name with a letter that the terminal's encoding lacks is no reason to say nothing.
        getattr(sys, name).reconfigure(errors="backslashreplace")
    try:
        _answered()
    except SystemExit as end:
        # CPython ends by the signal itself where Ctrl-C fell into an `exec`, though it was handled.
        if "tensorflow" not in sys.modules and end.code != INTERRUPTED:
            raise
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else 1)


def _answered() -> None:
    """Runs the command; an answer that cannot be written is said instead of lost.

    Raises:
        SystemExit: always.
    """
    try:
        try:
            app(prog_name="nnrun")
        finally:
            sys.stdout.flush()
    except OSError as error:
        # Files have their names in their errors; only standard output has none.
        if (
            error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)
            or error.filename
        ):
            raise
        sys.stderr.write(f"error: standard output cannot be written: {error.strerror}\n")
        # What is left in the buffer would fail once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise SystemExit(1) from None
