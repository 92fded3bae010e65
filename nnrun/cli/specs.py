"""How every verb reads the specs that it is given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nnrun import check, layout
from nnrun.cli import shipped
from nnrun.spec.loading import Loaded


def read(spec: Path, overrides: Sequence[str]) -> Loaded:
    """A spec by its file or its shipped name, free of all faults that can be found without data.

    Raises:
        SpecError: with all that is wrong.
    """
    return check.read(shipped.find(spec), overrides=overrides, own=layout.MEANING)
