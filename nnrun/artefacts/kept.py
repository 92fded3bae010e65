"""A run folder beside what it was made of."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnrun import layout
from nnrun.errors import RunError
from nnrun.intake import Intake
from nnrun.runs import Run
from nnrun.spec.words import shown


@dataclass(frozen=True)
class Kept:
    """A run folder, and the rows and the spec that it was made of."""

    run: Run
    intake: Intake

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names; none for a regression."""
        return self.intake.dataset.classes

    def present(self, name: str) -> Path:
        """Where a file is.

        Raises:
            RunError: it is not there.
        """
        if not (self.run.path / name).is_file():
            raise RunError(f"{name}: is not there")
        return self.run.path / name

    def json(self, name: str) -> dict[str, Any]:
        """What a file of JSON says, which is a mapping.

        Raises:
            RunError: it is not there, or is no such file.
        """
        self.present(name)
        found = self.run.read_json(name)
        if not isinstance(found, dict):
            raise RunError(f"{name}: is no mapping")
        return found

    def text(self, name: str) -> str:
        """What a file of text says; of bytes that are no text, TensorFlow writes some."""
        path = self.present(name)
        # The log goes on after the end of the run, so that there is no digest of it.
        content = path.read_bytes() if name == layout.LOG else self.run.read_bytes(name)
        return content.decode("utf-8", errors="replace")

    def table(self, name: str) -> tuple[list[str], list[list[str]]]:
        """The header and the rows of a file of comma-separated values."""
        header, *rows = list(csv.reader(self.text(name).splitlines())) or [[]]
        return header, rows

    def history(self) -> dict[str, list[float | None]]:
        """What `history.json` says; it has a loss.

        Raises:
            RunError: it has none.
        """
        found = self.json(layout.HISTORY)
        if "loss" not in found:
            raise RunError(f"{layout.HISTORY}: lacks the loss")
        return found


def lacking(keys: Iterable[str], found: Mapping[str, Any]) -> Iterator[str]:
    """Says which keys are not there."""
    if missing := sorted(set(keys) - found.keys()):
        yield f"lacks {', '.join(missing)}"


def differing(expected: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """Says which keys that are there have another value."""
    for key, value in expected.items():
        if key not in found or found[key] == value:
            continue
        if isinstance(value, dict | list) or isinstance(found[key], dict | list):
            yield f"says something else of {key}"
        else:
            yield f"{key} is {shown(found[key])}, and should be {shown(value)}"
