"""Every shipped spec loads, says what it shows, and holds the command that runs it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nnrun.cli import specs
from nnrun.spec import schema
from nnrun.spec.dumping import dump
from nnrun.spec.loading import load

ROOT = Path(__file__).parents[1]
SPECS = sorted((ROOT / "configs").rglob("*.yaml"))
every_spec = pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)


@every_spec
def test_a_shipped_spec_loads_under_the_name_of_its_file(path: Path) -> None:
    """The run folder is called after it."""
    assert load(path).experiment.name == path.stem


@every_spec
def test_a_shipped_spec_begins_with_the_lines_that_editors_look_for(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()

    address = os.path.relpath(ROOT / "configs" / schema.FILE, path.parent)

    assert tuple(lines[:2]) == schema.header(address)
    assert (path.parent / address).is_file()


@every_spec
def test_a_shipped_spec_says_what_it_shows_and_how_to_run_it(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    opening = lines[: next(number for number, line in enumerate(lines) if line[0] != "#")]

    validation = load(path).experiment.validation
    verb = "kfold" if validation.kfold else "train"

    assert len(opening) >= 2 + len(schema.header())
    assert f"#   nnrun {verb} {path.relative_to(ROOT).as_posix()}" in opening
    assert load(path).experiment.description


@every_spec
def test_a_shipped_spec_survives_being_written_out(path: Path, tmp_path: Path) -> None:
    """A run folder keeps it so."""
    experiment = load(path).experiment
    copy = tmp_path / "spec.yaml"
    copy.write_text(dump(experiment), encoding="utf-8")

    assert load(copy).experiment == experiment


@every_spec
def test_a_shipped_spec_is_found_by_its_name(path: Path) -> None:
    """Installed, there is no `configs/` to point at."""
    name = path.relative_to(ROOT / "configs").with_suffix("")

    assert specs.find_spec(name) == path
    assert name.as_posix() in specs.shipped_names()
