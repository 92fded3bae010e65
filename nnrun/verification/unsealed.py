"""A run folder read as it is, whether or not a digest is right: what it holds is compared anyway."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nnrun import layout
from nnrun.errors import RunError
from nnrun.history import History
from nnrun.runs import Run, journal

Leaves = Mapping[str, Any]
"""What a file holds, by name: arrays, or what has a shape and can be read like one; and texts."""

# Differ with the clock, not with what was computed.
_OF_TIME = ("seconds",)


class Unsealed(Run):
    """A run whose digests are not asked for; `files.check` says which of them are wrong."""

    def record(self) -> dict[str, Any]:
        """What `run.json` says, if it says anything.

        Raises:
            NotARun: the folder holds no run.
            RunError: the file is none of JSON, or does not say which run this is.
        """
        found = self._parsed(layout.RUN, self._bytes(layout.RUN))
        if not isinstance(found, dict) or not {"name", "status"} <= found.keys():
            raise RunError(f"{self.path / layout.RUN}: does not say which run this is")
        return {"files": {}, **found}

    def holds(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self.path / name).is_file()

    def read_bytes(self, name: str) -> bytes:
        """What a file holds."""
        return self._bytes(name)

    def history(self) -> History:
        """The epochs that the table has.

        Raises:
            RunError: it is no such table.
        """
        if not self.holds(layout.JOURNAL):
            return History()
        text = self._bytes(layout.JOURNAL).decode("utf-8", errors="replace")
        growing = journal.is_growing(text)
        try:
            return journal.read_growing(text) if growing else journal.read(text)
        except (ValueError, IndexError) as error:
            raise RunError(f"{self.path / layout.JOURNAL}: cannot be read: {error}") from error


def history(run: Unsealed, epochs: int | None) -> Leaves:
    """A column per metric, floats of shape `(epochs,)`; no more epochs than asked for."""
    columns = run.history().epochs
    return {name: np.array(values[:epochs], dtype=float) for name, values in columns.items()}


def history_again(run: Unsealed, epochs: int | None) -> Leaves:
    """The same out of `history.json`, where there is one."""
    found = run.read_json(layout.HISTORY) if run.holds(layout.HISTORY) else {}
    if not isinstance(found, dict) or not all(isinstance(each, list) for each in found.values()):
        raise RunError(f"{run.path / layout.HISTORY}: holds no history")
    try:
        # None, which stands for what is no number, becomes NaN.
        return {name: np.array(values[:epochs], dtype=float) for name, values in found.items()}
    except (TypeError, ValueError) as error:
        raise RunError(f"{run.path / layout.HISTORY}: holds no history: {error}") from error


def document(run: Unsealed, name: str) -> Leaves:
    """Every value of a file of JSON under its path, but for what the clock has a part in."""
    found = run.read_json(name)
    if not isinstance(found, dict):
        raise RunError(f"{run.path / name}: is no mapping")
    known = {key: value for key, value in found.items() if key not in _OF_TIME}
    return {path: _leaf(value) for path, value in flat(known)}


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in mappings and lists, with its path.

    Example:
        >>> dict(flat({"a": {"b": 1, "c": [2, None]}}))
        {'a.b': 1, 'a.c[0]': 2, 'a.c[1]': None}
    """
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flat(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from flat(item, f"{path}[{at}]")
    else:
        yield path, value


def _leaf(value: Any) -> Any:
    """A number as an array of no dimension; all else as a text."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return np.array(value, dtype=float) if is_number else str(value)


def lines(run: Unsealed, name: str) -> Leaves:
    """The lines of a file of text."""
    text = run.read_bytes(name).decode("utf-8", errors="replace")
    return {f"line {at}": line for at, line in enumerate(text.splitlines(), start=1)}


def arrays(run: Unsealed, name: str) -> Leaves:
    """The arrays of a NumPy archive."""
    return run.read_arrays(name)
