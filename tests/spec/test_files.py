"""Only regular files that fit into the memory are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nnrun.spec import files


def test_pipes_devices_and_folders_are_not_opened(tmp_path: Path) -> None:
    """A pipe would wait for a writer, and a device may never end."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(OSError, match="it is a pipe or a device"):
            files.content(path)
    with pytest.raises(IsADirectoryError):
        files.content(tmp_path)


def test_a_file_beyond_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"")
    os.truncate(path, 10_000_000)
    monkeypatch.setattr(files, "memory", lambda: 2_000_000)

    with pytest.raises(ValueError, match=r"needs about 10.0 MB of memory, and there are 2.0 MB"):
        files.content(path)


def test_the_memory_of_this_machine_is_known() -> None:
    assert 10**8 < files.memory() < 2**63
