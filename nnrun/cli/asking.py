"""What `predict` and `evaluate` have in common: the trained model is loaded, and rows are prepared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from nnrun.cli import console
from nnrun.cli.interrupts import Interrupts
from nnrun.cli.noise import Noise, quiet_tensorflow

if TYPE_CHECKING:
    from nnrun.prediction import Raw, Subject

Found = TypeVar("Found")


def ask(work: Callable[[Subject, Raw], Found], subject: Subject, raw: Raw) -> Found:
    """Does what needs TensorFlow, without the messages that TensorFlow has for people.

    Args:
        work: imports what it needs.
        subject: the run that is asked.
        raw: the rows it is asked about.

    Raises:
        RunError: the model cannot be read or used.
    """
    quiet_tensorflow()
    with Noise(), Interrupts() as interrupts:
        found = work(subject, raw)
        # Packages that load catch what they should not, and go on.
        interrupts.raise_again()
    return found


def say(notices: Iterable[str]) -> None:
    """Says what a person should know, beside the answer."""
    for notice in notices:
        console.stderr().print(f"note: {notice}", markup=False)
