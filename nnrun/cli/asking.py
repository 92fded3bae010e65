"""What `predict`, `evaluate` and `export` have in common: the trained model is loaded, and asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

from nnrun.cli import backend, console
from nnrun.cli.interrupts import Interrupts
from nnrun.cli.noise import Noise

About = ParamSpec("About")
Found = TypeVar("Found")


def ask(work: Callable[About, Found], *about: About.args, **how: About.kwargs) -> Found:
    """Does what needs TensorFlow, without the messages that TensorFlow has for people.

    Args:
        work: imports what it needs.
        about: what it is given, such as a run and the rows that it is asked about.
        how: likewise, by name.

    Raises:
        RunError: the model cannot be read or used.
    """
    with Noise(), Interrupts() as interrupts:
        backend.load()
        found = work(*about, **how)
        # Packages that load catch what they should not, and go on.
        interrupts.raise_again()
    return found


def say(notices: Iterable[str]) -> None:
    """Says what a person should know, beside the answer."""
    for notice in notices:
        console.stderr().print(f"note: {notice}", markup=False)
