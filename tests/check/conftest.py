"""What the tests of checking share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nnrun import check
from nnrun.errors import Fault
from nnrun.runs import layout
from nnrun.spec.loading import load


@pytest.fixture
def faults(tmp_path: Path) -> Callable[[str], list[Fault]]:
    """All that is said of a spec, given as text."""

    def of(text: str) -> list[Fault]:
        path = tmp_path / "x.yaml"
        path.write_text(text, "utf-8")
        return [*check.faults(load(path), own=layout.OWN)]

    return of
