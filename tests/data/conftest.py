"""Python code of a user that may run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nnrun.spec import catalogue, code, signatures
from nnrun.spec.code import CodeFile


@pytest.fixture
def allow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Lets the code of a file `rows.py` run under names such as `rows.names`."""
    monkeypatch.setattr(code, "_ALLOWED", set())
    monkeypatch.setattr(code, "_ACTIVE", code._Active())

    def run(text: str) -> None:
        file = CodeFile(Path("rows.py"), text.encode())
        code.allow([file], remember=False)
        code.activate([file])
        catalogue.use_own(signatures.read((file,))[0])

    yield run
    catalogue.use_own({})
