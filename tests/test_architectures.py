"""The networks under `configs/architectures` are the published ones, as far as counting goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnrun.check import faults, subject
from nnrun.cli import shipped
from nnrun.models.build import build
from nnrun.spec.loading import load

# Parameters that training changes, in millions, as the paper gives them.
PUBLISHED = {"resnet20": 0.27}
SPECS = sorted((shipped.folder() / "architectures").glob("*.yaml"))


def test_each_has_its_published_count() -> None:
    assert {path.stem for path in SPECS} == set(PUBLISHED)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_it_is_free_of_faults_and_short(path: Path) -> None:
    assert faults(load(path)) == ()
    assert len(path.read_text("utf-8").splitlines()) < 120


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_it_has_as_many_parameters_as_published(path: Path) -> None:
    about = subject(load(path).experiment)
    assert about.row
    assert about.trace
    model = build(about.spec.model, about.row.shape)

    assert about.trace.parameters == model.count_params()
    assert about.trace.trainable is not None
    assert round(about.trace.trainable / 1e6, 2) == PUBLISHED[path.stem]
