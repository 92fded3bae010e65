"""Mistakes in how the command is called, said without obeying what stands in the arguments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typer.core import TyperGroup

from nnrun import inert


class Verbs(TyperGroup):
    """The verbs. What is wrong with arguments quotes them, and `nnrun show *` gives file names."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Reads the arguments that stand before the verb."""
        with _inert():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        """Reads the arguments of the verb, and runs it."""
        with _inert():
            return super().invoke(ctx)


@contextmanager
def _inert() -> Iterator[None]:
    """Lets no argument that an error quotes steer the terminal."""
    try:
        yield
    except Exception as error:
        # Typer has had click's errors and has its own by now; both are told by this.
        if hasattr(error, "format_message"):
            usage: Any = error
            usage.message = inert.text(str(usage.message))
        raise
