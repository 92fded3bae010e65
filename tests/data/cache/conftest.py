"""An empty cache, and one published file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from nnrun.data.published import File

BYTES = b"what was published"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `KERAS_HOME` that does not exist yet."""
    home = tmp_path / "home"
    monkeypatch.setenv("KERAS_HOME", str(home))
    monkeypatch.delenv("NNRUN_MIRROR", raising=False)
    return home


@pytest.fixture
def file() -> File:
    """A published file of 18 bytes, which are in `BYTES`."""
    published = "sha256:" + hashlib.sha256(BYTES).hexdigest()
    return File("some", "some.npz", "https://data.invalid/some.npz", published, len(BYTES))


@pytest.fixture
def target(home: Path) -> Path:
    """The path of `file`, in a folder that exists."""
    (home / "datasets").mkdir(parents=True)
    return home / "datasets" / "some.npz"
