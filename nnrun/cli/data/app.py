"""The verbs of `nnrun data`: one module each."""

from __future__ import annotations

import typer

from nnrun.cli.data import fetch, verify
from nnrun.cli.data import import_ as importing
from nnrun.cli.data import list as list_

EXAMPLE = "Example: nnrun data fetch mnist"

app = typer.Typer(
    help="List, download, import and verify the files of the data sets.",
    epilog=EXAMPLE,
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("list", epilog=list_.EXAMPLE)(list_.list_data)
app.command("fetch", epilog=fetch.EXAMPLE)(fetch.fetch)
app.command("import", epilog=importing.EXAMPLE)(importing.import_file)
app.command("verify", epilog=verify.EXAMPLE)(verify.verify)
