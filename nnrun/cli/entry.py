"""Where the `nnrun` command begins."""

from __future__ import annotations

import gc
import os


def main() -> None:
    """Runs the command; Ctrl-C while it loads says nothing, as nothing has begun."""
    collect_seldom()
    # Pydantic would read of every installed package whether it has a plugin for it; none is needed.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        from nnrun.cli.app import run
    except KeyboardInterrupt:
        os._exit(130)
    run()


def collect_seldom() -> None:
    """Has garbage looked for less often: most of what this process makes is modules and graphs.

    They are no garbage, and looking through them took 0.4 of the 7 seconds of a short run.
    """
    gc.set_threshold(50_000, 20, 50)
