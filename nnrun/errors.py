"""Every error that nnrun raises on purpose.

NnrunError            what a person can mend; printed without a traceback
    SpecError         the experiment as written cannot be run; carries all faults found
    Misfit            a value of the spec does not fit the data; becomes a SpecError with its place
    DataError         a data set cannot be had or does not hold what it should
    DeviceError       the device asked for is not there
    CommandError      a command asks for what is not there
    RunError          a run folder cannot be written or read
    NotARun           a folder that a person named holds no run
    TrainingError     training began and had to stop; the run is kept as failed
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

OVERRIDE, GATE = "--set", "--expect"
"""The sources of what a person gave on the command line."""


@dataclass(frozen=True)
class Place:
    """Where in a text something stands.

    Args:
        source: the file as the person named it, or `--set` for an override.
        line, column: counted from 1.
        length: how many characters of the line are meant, at least 1.
        text: the whole line, so that it can be shown without reading the file again.
    """

    source: str
    line: int
    column: int
    length: int
    text: str


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a spec.

    Args:
        code: stable, such as `NN104`; scripts and documentation refer to it.
        path: the key that is meant, such as `model[2]`; empty for the whole file.
        message: what is wrong and what is allowed, in one sentence without a full stop.
        place: where it stands, where that is known.
        suggestion: the nearest allowed word.
    """

    code: str
    path: str
    message: str
    place: Place | None = None
    suggestion: str | None = None

    @property
    def is_warning(self) -> bool:
        """Whether the experiment can be run all the same."""
        return self.code.startswith("NN2")


class NnrunError(Exception):
    """What a person can mend; printed in one place, without a traceback."""

    exit_code = 2


class SpecError(NnrunError):
    """The experiment as written cannot be run.

    Args:
        faults: all that was found, in the order of the file.
    """

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__(faults)
        self.faults = faults


class IncompatibleSpec(NnrunError):
    """A value of the spec does not fit the data, the model or another value.

    A stage raises it without knowing the file; whoever holds the file turns it into a SpecError.

    Args:
        code: the fault's code, such as `NN120`.
        path: keys and indices that lead to the value.
        message: what is wrong and what is allowed.
    """

    def __init__(self, code: str, path: tuple[str | int, ...], message: str) -> None:
        super().__init__(code, path, message)
        self.code = code
        self.path = path
        self.message = message


class DataError(NnrunError):
    """A data set cannot be had, or does not hold what it should."""


class DeviceError(NnrunError):
    """The device asked for is not there."""


class CommandError(NnrunError):
    """A command asks for what is not there."""


class RunError(NnrunError):
    """A run folder cannot be written or read."""

    exit_code = 1


class NotARun(NnrunError):
    """A folder that a person named holds no run."""


class TrainingError(NnrunError):
    """Training began and had to stop; what was reached is kept as a failed run."""

    exit_code = 1


@contextmanager
def heeding(heed: Callable[[], None]) -> Iterator[None]:
    """Within it, an error that TensorFlow or Matplotlib has made of an interrupt is taken for one.

    Args:
        heed: raises KeyboardInterrupt where a signal came that was lost on its way.
    """
    try:
        yield
    except Exception:
        heed()
        raise
