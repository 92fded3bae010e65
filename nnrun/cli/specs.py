"""How every verb reads the specs that it is given."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nnrun import layout
from nnrun.cli import shipped
from nnrun.errors import CommandError

if TYPE_CHECKING:
    from nnrun.spec.loading import Loaded

_GATE = re.compile(r"\s*([\w-]+)(?:\s*[:=](?!=)\s*|\s+|(?=[<>=]))(\S.*?)\s*\Z")


def read(spec: Path, overrides: Sequence[str], expect: Sequence[str] = ()) -> Loaded:
    """A spec by its file or its shipped name, free of all faults that can be found without data.

    Args:
        spec: as the person named it.
        overrides: as given with `--set`.
        expect: as given with `--expect`.

    Raises:
        SpecError: with all that is wrong.
        CommandError: an expectation names nothing, or has no condition.
    """
    from nnrun import check

    return check.read(shipped.find(spec), overrides=overrides, gates=gates(expect), own=layout.OWN)


def gates(texts: Sequence[str]) -> list[str]:
    """What was given with `--expect`, as overrides.

    Raises:
        CommandError: it names nothing, or has no condition.

    Example:
        >>> gates(["test_accuracy>=0.9"])
        ["expect.test_accuracy='>=0.9'"]
    """
    return [_gate(text) for text in texts]


def _gate(text: str) -> str:
    found = _GATE.match(text)
    if found is None:
        raise CommandError(f"--expect '{text}': must look like 'test_accuracy >= 0.9'")
    condition = found[2].replace("'", "''")
    return f"expect.{found[1]}='{condition}'"
