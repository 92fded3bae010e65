"""A run and what takes its repetition's place: a copy, which is equal to the bit."""

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
    """The digits run, to be changed by a test."""
    return Run(Path(shutil.copytree(trained[1], tmp_path / "kept")))


@pytest.fixture
def repeated(trained: tuple[Any, Path]) -> Path:
    """The digits run as it was."""
    return trained[1]


Edit = Callable[[Mapping[str, h5py.Dataset]], None]


def change_model(run: Run, edit: Edit, *, config: str | None = None) -> None:
    """Rewrites a model with other weights, or another description, and has it listed."""
    with zipfile.ZipFile(run.path / layout.MODEL) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    file = io.BytesIO(members[judging.WEIGHTS_FILE])
    with h5py.File(file, "r+") as found:
        edit(found)
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
    """Rewrites a model and seals the run anew, as somebody would who wants it not to show."""
    return change_model


@pytest.fixture
def changed_json() -> Callable[..., None]:
    """Rewrites a value of a file of JSON and seals the run anew."""

    def change(run: Run, name: str, edit: Callable[[Any], None]) -> None:
        known = json.loads(run.read_bytes(name))
        edit(known)
        run.write_json(name, known)

    return change
