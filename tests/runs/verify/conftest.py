"""A run and a copy in place of its repetition."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import pytest

from nnrun.runs import Run, layout
from nnrun.runs.verify import judging


@pytest.fixture
def kept(trained: tuple[Any, Path], tmp_path: Path) -> Run:
    """The digits run, which a test may change."""
    return Run(Path(shutil.copytree(trained[1], tmp_path / "kept")))


@pytest.fixture
def repeated(trained: tuple[Any, Path]) -> Path:
    """The digits run as it was."""
    return trained[1]


Edit = Callable[[Mapping[str, h5py.Dataset]], None]


def change_model(run: Run, edit: Edit, *, config: str | None = None) -> None:
    """Rewrites a model with other weights or another configuration, and lists it again."""
    with zipfile.ZipFile(run.path / layout.MODEL) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    file = io.BytesIO(members[judging.WEIGHTS_FILE])
    with h5py.File(file, "r+") as weights:
        edit(weights)
    members[judging.WEIGHTS_FILE] = file.getvalue()
    if config is not None:
        members[judging.CONFIG_FILE] = config.encode()

    def save(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)

    run.write(layout.MODEL, save)


@pytest.fixture
def changed_model() -> Callable[..., None]:
    """Rewrites a model and its digest, as somebody would who wants to hide it."""
    return change_model


@pytest.fixture
def changed_json() -> Callable[..., None]:
    """Rewrites a value of a JSON file, and its digest."""

    def change(run: Run, name: str, edit: Callable[[Any], None]) -> None:
        content = json.loads(run.read_bytes(name))
        edit(content)
        run.write_json(name, content)

    return change
