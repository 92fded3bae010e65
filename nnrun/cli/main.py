"""The `nnrun` command: one module per verb."""

from __future__ import annotations

from typing import Annotated

import typer

from nnrun import __version__
from nnrun.cli import devices, show, train
from nnrun.cli import list as list_

app = typer.Typer(
    name="nnrun",
    help="Keras experiments from one YAML file: train, record, repeat.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train", epilog=train.EXAMPLE)(train.train)
app.command("list", epilog=list_.EXAMPLE)(list_.list_runs)
app.command("show", epilog=show.EXAMPLE)(show.show)
app.command("devices", epilog=devices.EXAMPLE)(devices.devices)


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
    """Runs the command."""
    app()
