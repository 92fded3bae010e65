"""Checks specs that are given as text."""

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
    """Returns the errors and warnings of a spec in `tmp_path`."""

    def check_text(text: str) -> list[Fault]:
        path = tmp_path / "x.yaml"
        path.write_text(text, "utf-8")
        return [*check.faults(load(path), own=layout.OWN)]

    return check_text
