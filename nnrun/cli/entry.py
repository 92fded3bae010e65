"""Where the `nnrun` command begins."""

from __future__ import annotations

import os


def main() -> None:
    """Runs the command; Ctrl-C while it loads says nothing, as nothing has begun."""
    try:
        from nnrun.cli.main import main as run
    except KeyboardInterrupt:
        os._exit(130)
    run()
