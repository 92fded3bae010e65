"""Every error that nnrun raises on purpose.

NnrunError            the user can fix it; printed without a traceback
    SpecError         the spec cannot be run; carries all faults found
    IncompatibleSpec  a value of the spec does not fit the data; becomes a SpecError with its place
    DataError         a data set is missing or has wrong content
    DeviceError       the requested device does not exist
    CommandError      a command-line argument names something that does not exist
    RunError          a run folder cannot be written or read
    NotARun           the given folder holds no run
    TrainingError     training began and had to stop; the run is kept as failed
    CodeError         the user's own Python code raised an error
"""

from __future__ import annotations

from dataclasses import dataclass

OVERRIDE, GATE = "--set", "--expect"
"""The sources of values given on the command line."""


@dataclass(frozen=True)
class Place:
    """A position in a source text.

    Args:
        source: the file as the user named it, or `--set` for an override.
        line, column: counted from 1.
        length: the number of characters, at least 1.
        text: the whole line, so that it can be shown without reading the file again.
    """

    source: str
    line: int
    column: int
    length: int
    text: str


@dataclass(frozen=True)
class Fault:
    """One error or warning of a spec.

    Args:
        code: stable, such as `NN104`; scripts and documentation refer to it.
        path: the key, such as `model[2]`; empty for the whole file.
        message: what is wrong and what is allowed, in one sentence without a full stop.
        place: its position, if known.
        suggestion: the nearest allowed word.
    """

    code: str
    path: str
    message: str
    place: Place | None = None
    suggestion: str | None = None

    @property
    def is_warning(self) -> bool:
        """Whether the experiment can still be run."""
        return self.code.startswith("NN2")


class NnrunError(Exception):
    """An error that the user can fix; printed in one place, without a traceback."""

    exit_code = 2


class SpecError(NnrunError):
    """The spec cannot be run.

    Args:
        faults: all of them, in the order of the file.
    """

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__(faults)
        self.faults = faults


class IncompatibleSpec(NnrunError):
    """A value of the spec does not fit the data, the model or another value.

    A stage raises it without knowing the file; the command turns it into a SpecError.

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
    """A data set is missing, or has wrong content."""


class DeviceError(NnrunError):
    """The requested device does not exist."""


class CommandError(NnrunError):
    """A command-line argument names something that does not exist."""


class RunError(NnrunError):
    """A run folder cannot be written or read."""

    exit_code = 1


class NotARun(NnrunError):
    """The given folder holds no run."""


class TrainingError(NnrunError):
    """Training began and had to stop; its epochs are kept as a failed run."""

    exit_code = 1


class CodeError(NnrunError):
    """The user's own Python code raised an error."""

    exit_code = 1
