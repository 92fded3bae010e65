"""What a terminal shows while many files are read."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 1.0
"""Seconds after which a person wants to know how far it is, and how often after that."""


@contextmanager
def counted(things: str, total: int) -> Iterator[Callable[[int], None]]:
    """Within it, one line on a terminal says how many are done; gives what is to be told of that.

    Args:
        things: what they are, such as `pictures`.
        total: how many.
    """
    told = time.monotonic()
    shown = False

    def count(done: int) -> None:
        nonlocal told, shown
        if sys.stderr.isatty() and time.monotonic() - told > PATIENCE:
            told, shown = time.monotonic(), True
            print(f"\r{done:,} of {total:,} {things}", end="", file=sys.stderr, flush=True)

    try:
        yield count
    finally:
        if shown:
            # What is said next begins on a line of its own.
            print(file=sys.stderr)
